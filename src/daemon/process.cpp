#include "daemon/process.hpp"

#include "base/time.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <linux/capability.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>

namespace holdfast::daemon {
namespace {

/// Long enough for a killed daemon's packet sockets, each of which waits for the kernel's readers (RCU) as it closes.
constexpr Duration patience = 500ms;
constexpr int real_time_priority = 10; // as in the unit file; above ordinary threads, below the kernel's own

bool lock_within(const Fd& fd, Duration limit) {
    constexpr Duration pause = 10ms;
    for (auto left = limit; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; left -= pause) {
        if (left <= 0ms) return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

} // namespace

Result<Fd> lock_runtime_directory(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error)
        return unexpected{
            fmt::format("can't create the runtime directory {}: {}", directory.string(), error.message())};
    const auto path = directory / "lock";
    Fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) return unexpected{fmt::format("can't open {}: {}", path.string(), std::strerror(errno))};
    if (!lock_within(fd, patience)) {
        std::string holder;
        std::getline(std::ifstream{path}, holder);
        return unexpected{
            fmt::format("holdfastd runs already in {} (process {}): stop it, or give this one another --runtime-dir",
                        directory.string(), holder.empty() ? "unknown" : holder)};
    }
    const auto pid = fmt::format("{}\n", ::getpid());
    [[maybe_unused]] const auto cut = ::ftruncate(fd.get(), 0);
    [[maybe_unused]] const auto written = ::pwrite(fd.get(), pid.data(), pid.size(), 0);
    return fd;
}

std::optional<std::string> missing_capability() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return std::nullopt;
    const auto has = [&](unsigned capability) {
        return (data[capability / 32].effective >> (capability % 32) & 1U) != 0;
    };
    for (const auto& [capability, name] :
         {std::pair{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, std::pair{CAP_NET_RAW, "CAP_NET_RAW"}})
        if (!has(static_cast<unsigned>(capability)))
            return fmt::format("{} is missing: start holdfastd as root, from its unit, or with this capability", name);
    return std::nullopt;
}

Result<void> become_real_time() {
    const int policy = ::sched_getscheduler(0);
    if ((policy & ~SCHED_RESET_ON_FORK) == SCHED_RR || (policy & ~SCHED_RESET_ON_FORK) == SCHED_FIFO) return {};
    const sched_param parameters{real_time_priority};
    if (::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) == 0) return {};
    return unexpected{fmt::format("{}; adverts may be late under load: allow LimitRTPRIO={} or CAP_SYS_NICE",
                                  std::strerror(errno), real_time_priority)};
}

void become_ordinary() {
    const sched_param parameters{0};
    ::sched_setscheduler(0, SCHED_OTHER, &parameters);
}

Result<void> lock_memory() {
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return {};
    return unexpected{fmt::format("{}; set LimitMEMLOCK=infinity", std::strerror(errno))};
}

} // namespace holdfast::daemon
