#include "ipc/spawn.hpp"

#include "ipc/pidfd.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <vector>

namespace holdfast::ipc {

namespace {

struct Actions {
    posix_spawn_file_actions_t value{};
    Actions() { ::posix_spawn_file_actions_init(&value); }
    ~Actions() { ::posix_spawn_file_actions_destroy(&value); }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;
};
struct Attributes {
    posix_spawnattr_t value{};
    Attributes() { ::posix_spawnattr_init(&value); }
    ~Attributes() { ::posix_spawnattr_destroy(&value); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
};

// Output goes where errors go: a helper has no output. dup2 of the socket clears its close-on-exec flag, also when it
// is number 3 already (posix_spawn_file_actions_adddup2(3)).
void arrange_descriptors(Actions& actions, int socket) {
    ::posix_spawn_file_actions_addopen(&actions.value, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions.value, STDERR_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions.value, socket, helper_socket);
    ::posix_spawn_file_actions_addclosefrom_np(&actions.value, helper_socket + 1);
}

// SCHED_RESET_ON_FORK, which the daemon sets, does this in the kernel. Without it the child would be as real-time as we
// are; asking only then keeps the spawn working under a seccomp filter that forbids the call.
bool would_inherit_real_time() {
    const int policy = ::sched_getscheduler(0);
    return policy > 0 && (policy & SCHED_RESET_ON_FORK) == 0 && (policy == SCHED_FIFO || policy == SCHED_RR);
}

void arrange_attributes(Attributes& attributes) {
    sigset_t all{};
    sigset_t none{};
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes.value, &all);
    ::posix_spawnattr_setsigmask(&attributes.value, &none);
    ::posix_spawnattr_setpgroup(&attributes.value, 0);
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP;
    if (would_inherit_real_time()) {
        const sched_param ordinary{};
        ::posix_spawnattr_setschedpolicy(&attributes.value, SCHED_OTHER);
        ::posix_spawnattr_setschedparam(&attributes.value, &ordinary);
        flags |= POSIX_SPAWN_SETSCHEDULER;
    }
    ::posix_spawnattr_setflags(&attributes.value, static_cast<short>(flags));
}

} // namespace

Result<Child> spawn(std::span<const std::string> command, const Fd& socket) {
    std::vector<char*> arguments;
    for (const auto& each : command)
        arguments.push_back(const_cast<char*>(each.c_str())); // execve(2) leaves them alone
    arguments.push_back(nullptr);
    char* environment[] = {nullptr};

    Actions actions;
    Attributes attributes;
    arrange_descriptors(actions, socket.get());
    arrange_attributes(attributes);
    Child child;
    const int error =
        ::posix_spawn(&child.pid, arguments[0], &actions.value, &attributes.value, arguments.data(), environment);
    if (error != 0)
        return unexpected{
            fmt::format("cannot start {}: {}; is holdfast installed completely?", command[0], std::strerror(error))};
    child.pidfd = open_pidfd(child.pid);
    if (!child.pidfd) { // EMFILE, or a kernel before 5.3: not to be watched, so not to be kept
        const int reason = errno;
        ::kill(child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
        return unexpected{fmt::format("cannot watch {} (pidfd_open): {}", command[0], std::strerror(reason))};
    }
    return child;
}

std::string describe_exit(int status, int code) {
    if (code == CLD_EXITED) return fmt::format("exit status {}", status);
    const char* name = ::sigabbrev_np(status);
    return fmt::format("signal {}", name != nullptr ? fmt::format("SIG{}", name) : std::to_string(status));
}

} // namespace holdfast::ipc
