#include "upstream/master.hpp"

#include "base/fd.hpp"
#include "upstream/file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <poll.h>
#include <set>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace holdfast::upstream {
namespace {

constexpr Duration look_every = 20ms;

std::optional<pid_t> read_pid(const std::filesystem::path& path) {
    const auto text = read_file(path);
    if (!text) return std::nullopt;
    pid_t pid = 0;
    const auto [rest, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
    return error == std::errc{} && pid > 1 ? std::optional{pid} : std::nullopt;
}

/// What the process calls itself; empty: it has ended, or is hidden from us.
std::string name_of(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/comm", pid)};
    std::string name;
    std::getline(file, name);
    return name;
}

bool has_ended(const Fd& process) {
    pollfd state{process.get(), POLLIN, 0};
    return ::poll(&state, 1, 0) == 1;
}

std::set<pid_t> children(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{0}/task/{0}/children", pid)};
    std::set<pid_t> result;
    for (pid_t child = 0; file >> child;)
        result.insert(child);
    return result;
}

} // namespace

std::expected<void, std::string> reload_master(const std::filesystem::path& pid_file, Duration patience) {
    const auto pid = read_pid(pid_file);
    if (!pid) return {};
    const Fd process{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))};
    if (!process) return {};
    const auto name = name_of(*pid); // the PID may belong to somebody else by now: nginx calls its master so
    if (name.empty() && !has_ended(process))
        return std::unexpected{fmt::format("nginx (process {} of {}) is hidden from holdfastd (ProtectProc=): name its "
                                           "unit in place of its PID file",
                                           *pid, pid_file.string())};
    if (!name.starts_with("nginx")) return {};
    const auto before = children(*pid);
    if (::syscall(SYS_pidfd_send_signal, process.get(), SIGHUP, nullptr, 0) != 0 && errno != ESRCH)
        return std::unexpected{fmt::format("nginx (process {} of {}) can't be told to reload: {}", *pid,
                                           pid_file.string(), std::strerror(errno))};
    for (auto waited = Duration::zero(); waited < patience; waited += look_every) {
        std::this_thread::sleep_for(look_every);
        const auto now = children(*pid);
        if (!std::ranges::includes(before, now)) return {};
    }
    return std::unexpected{fmt::format("nginx (process {} of {}) did not take its configuration: nginx -t names the "
                                       "mistake, and nginx runs on with what it has",
                                       *pid, pid_file.string())};
}

} // namespace holdfast::upstream
