#include "ipc/service.hpp"

#include "ipc/connect.hpp"
#include "ipc/spawn.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

namespace holdfast::ipc {

namespace {

constexpr unsigned nobody = 65534;
constexpr unsigned lines_a_minute = 10;
constexpr Duration connection_wait = 10s; ///< of a helper that systemd has started again, and nobody asks for

int option_of(int fd, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

Result<Channel, int> find_socket(const Service& service) {
    if (option_of(helper_socket, SO_DOMAIN) != AF_UNIX || option_of(helper_socket, SO_TYPE) != SOCK_SEQPACKET) {
        warn(service.name, "descriptor 3 is no SOCK_SEQPACKET socket; holdfastd or a systemd socket unit starts this "
                           "program, people do not");
        return unexpected{EX_USAGE};
    }
    Fd socket{helper_socket};
    if (option_of(helper_socket, SO_ACCEPTCONN) == 1) {
        auto connection = accept_from(helper_socket, connection_wait, service.name);
        if (!connection) {
            warn(service.name, connection.error());
            return unexpected{EX_OSERR};
        }
        if (!*connection) return unexpected{EX_OK};
        socket = std::move(*connection);
    } else {
        ::fcntl(helper_socket, F_SETFD, FD_CLOEXEC);
    }
    return Channel{std::move(socket)};
}

struct Capabilities {
    std::uint64_t effective{0};
    std::uint64_t permitted{0};
    std::uint64_t inheritable{0};
};

// The raw calls of capget(2): libcap would be one more library for two system calls.
Capabilities read_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return {};
    const auto join = [](std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32 | low; };
    return {join(data[0].effective, data[1].effective), join(data[0].permitted, data[1].permitted),
            join(data[0].inheritable, data[1].inheritable)};
}

bool write_capabilities(std::uint64_t keep) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const auto low = static_cast<std::uint32_t>(keep);
    const auto high = static_cast<std::uint32_t>(keep >> 32);
    std::array<__user_cap_data_struct, 2> data{{{low, low, 0}, {high, high, 0}}};
    return ::syscall(SYS_capset, &header, data.data()) == 0;
}

// Without CAP_SETPCAP the bounding set stays; NO_NEW_PRIVS makes it moot.
void clear_bounding_set(std::uint64_t keep) {
    for (unsigned long number = 0; number < 64 && ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number)
        if ((keep >> number & 1U) == 0) ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
}

/// What is permitted stays so over the change of user (PR_SET_KEEPCAPS): what is kept of it is written afterwards.
bool give_up_root() {
    return ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && ::setgroups(0, nullptr) == 0 &&
           ::setresgid(nobody, nobody, nobody) == 0 && ::setresuid(nobody, nobody, nobody) == 0;
}

Result<void> drop_privileges(const Service& service, bool keeps_rights) {
    const Capabilities had = read_capabilities();
    const std::uint64_t keep =
        had.permitted & (service.keep_capabilities | (keeps_rights ? service.keep_on_request : 0));
    clear_bounding_set(keep);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (service.become_nobody && ::geteuid() == 0 && !give_up_root())
        return unexpected{
            fmt::format("cannot become user {}: {}; it wants CAP_SETUID and CAP_SETGID, or to be started as "
                        "an ordinary user",
                        nobody, std::strerror(errno))};
    // Where there is nothing to give up, the unit's seccomp filter need not allow the call either.
    const bool gives_up = had.effective != keep || had.permitted != keep || had.inheritable != 0;
    if ((gives_up && !write_capabilities(keep)) || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return unexpected{fmt::format("cannot give up its capabilities: {}", std::strerror(errno))};
    const Capabilities left = read_capabilities();
    if (((left.effective | left.permitted | left.inheritable) & ~keep) != 0)
        return unexpected{std::string{"capabilities are left after giving them up"}};
    return {};
}

// An ordinary process, whatever its parent was: not real-time, as many descriptors as it may have, no SIGPIPE.
void become_ordinary() {
    const sched_param ordinary{};
    if (::sched_getscheduler(0) != SCHED_OTHER) ::sched_setscheduler(0, SCHED_OTHER, &ordinary);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::signal(SIGPIPE, SIG_IGN);
}

void say(std::string_view name, std::string_view text) {
    pollfd room{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return;
    const std::string line = fmt::format("<4>{}: {}\n", name, text);
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return; // nowhere left to say it
}

} // namespace

Result<Channel, int> begin_service(const Service& service, std::span<char* const> arguments) {
    bool keeps_rights = false;
    for (const std::string_view argument : arguments.subspan(arguments.empty() ? 0 : 1)) {
        if (argument == "--version") {
            fmt::print("{} {}\n", service.name, HOLDFAST_VERSION);
            return unexpected{EX_OK};
        }
        if (argument == "--help") {
            fmt::print("{}\n", service.help);
            return unexpected{EX_OK};
        }
        if (argument == keep_rights && service.keep_on_request != 0) {
            keeps_rights = true;
            continue;
        }
        warn(service.name, fmt::format("unknown argument '{}'; --help tells which there are", argument));
        return unexpected{EX_USAGE};
    }
    auto channel = find_socket(service);
    if (!channel) return channel;
    become_ordinary();
    if (auto dropped = drop_privileges(service, keeps_rights); !dropped) {
        warn(service.name, dropped.error());
        return unexpected{EX_NOPERM};
    }
    // After the change of user, which would clear it (prctl(2)). A child of holdfastd ends with it even if it hangs; a
    // parent that is gone already has closed the socket, which ends the loop.
    if (channel->fd() == helper_socket) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return channel;
}

Time clock_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Time{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

void warn(std::string_view name, std::string_view text) {
    static Time window{};
    static unsigned lines = 0; // of this minute
    const Time now = clock_now();
    if (now - window >= 1min) {
        if (lines > lines_a_minute) say(name, fmt::format("left out {} lines", lines - lines_a_minute));
        window = now;
        lines = 0;
    }
    if (++lines <= lines_a_minute) say(name, text);
}

} // namespace holdfast::ipc
