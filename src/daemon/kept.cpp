#include "daemon/kept.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <systemd/sd-daemon.h>

namespace holdfast::daemon {

KeptDescriptors KeptDescriptors::take_over() {
    KeptDescriptors result;
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(1, &names);
    for (int i = 0; i < count; ++i) {
        Fd fd{SD_LISTEN_FDS_START + i};
        ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
        result.kept_.push_back({names != nullptr && names[i] != nullptr ? names[i] : "", std::move(fd)});
    }
    if (names != nullptr)
        for (int i = 0; i < count; ++i)
            std::free(names[i]);
    std::free(names);
    return result;
}

Fd KeptDescriptors::take(const std::string& name) {
    const auto at = std::ranges::find(kept_, name, &Kept::name);
    if (at == kept_.end()) return {};
    auto fd = std::move(at->fd);
    kept_.erase(at);
    return fd;
}

void prefer_own_notify_socket() {
    if (const char* path = std::getenv("HOLDFAST_NOTIFY_SOCKET"); path != nullptr && *path != '\0')
        ::setenv("NOTIFY_SOCKET", path, 1);
}

std::vector<std::string> KeptDescriptors::names() const {
    std::vector<std::string> result;
    for (const auto& each : kept_)
        result.push_back(each.name);
    return result;
}

} // namespace holdfast::daemon
