#include "ipc/connect.hpp"

#include "ipc/service.hpp"
#include "ipc/watchdog.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace holdfast::ipc {

namespace {

constexpr uid_t unknown = 0U - 1U;

/// Of the process at the other end; of a listening one, who it was when it began to listen.
std::optional<uid_t> peer_of(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer.uid;
}

bool is_root_or_us(uid_t user) {
    return user == 0 || user == ::geteuid();
}

/// SocketUser= of the unit stands in the file system and nowhere else.
std::optional<uid_t> owner_of(int listening) {
    sockaddr_un address{};
    socklen_t size = sizeof address - 1; // the last byte stays zero
    struct stat info{};
    if (::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_path[0] != '/' ||
        ::stat(address.sun_path, &info) != 0)
        return std::nullopt;
    return info.st_uid;
}

bool has_ended(int fd) {
    pollfd connection{fd, POLLRDHUP, 0};
    return ::poll(&connection, 1, 0) == 1;
}

} // namespace

Result<Fd> connect_to(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    const auto failed = [&](const std::string& why) {
        return unexpected{fmt::format("cannot connect to {}: {}", path, why)};
    };
    if (path.size() >= sizeof address.sun_path) return failed("a path of 107 bytes is the longest");
    path.copy(address.sun_path, path.size());
    Fd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd) return failed(std::strerror(errno));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return failed(errno == EAGAIN ? "too many connections wait there already" : std::strerror(errno));
    const auto listener = peer_of(fd.get());
    if (!listener || !is_root_or_us(*listener))
        return failed(fmt::format("user {} listens there, and only root or user {} may", listener.value_or(unknown),
                                  ::geteuid()));
    return fd;
}

Result<Fd> accept_from(int listening, Duration patience, std::string_view name) {
    Watchdog watchdog;
    const auto owner = owner_of(listening);
    const Time end = clock_now() + patience;
    for (Time now = clock_now(); now < end; now = clock_now()) {
        watchdog.on_deadline(now);
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::min(end, watchdog.next_deadline()) - now);
        pollfd waiting{listening, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(wait.count())) != 1) continue;
        Fd connection{::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!connection && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            return unexpected{fmt::format("cannot accept a connection: {}", std::strerror(errno))};
        if (!connection || has_ended(connection.get())) continue;
        const auto user = peer_of(connection.get());
        if (user && (is_root_or_us(*user) || user == owner)) return connection;
        warn(name, fmt::format("refused a connection of user {}: the socket is not theirs", user.value_or(unknown)));
    }
    return Fd{};
}

} // namespace holdfast::ipc
