#include "runner/launch.hpp"

#include "ipc/pidfd.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <vector>

namespace holdfast::runner {

namespace {

enum class Stage : int { user = 1, capabilities, program };

struct Failure {
    Stage stage{};
    int error{0};
};

struct Identity {
    uid_t uid{0};
    gid_t gid{0};
    std::vector<gid_t> groups;
};

Result<Identity> look_up(const std::string& user) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr)
        return unexpected{error == 0 ? fmt::format("there is no user '{}'", user)
                                     : fmt::format("cannot look up user '{}': {}", user, std::strerror(error))};
    Identity identity{entry.pw_uid, entry.pw_gid, std::vector<gid_t>(64)};
    int count = static_cast<int>(identity.groups.size());
    if (::getgrouplist(user.c_str(), entry.pw_gid, identity.groups.data(), &count) < 0)
        return unexpected{fmt::format("user '{}' is in more than 64 groups", user)};
    identity.groups.resize(static_cast<std::size_t>(count));
    return identity;
}

std::vector<char*> pointers(const model::Words& words) {
    std::vector<char*> result;
    for (const auto& each : words)
        result.push_back(const_cast<char*>(each.c_str())); // execve(2) leaves them alone
    result.push_back(nullptr);
    return result;
}

bool drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    return ::syscall(SYS_capset, &header, none.data()) == 0 || ::geteuid() != 0;
}

[[noreturn]] void give_up(int failure, Stage stage) {
    const Failure said{stage, errno};
    if (::write(failure, &said, sizeof said) < 0) ::_exit(126);
    ::_exit(127);
}

/// In the child. Only what is safe between fork and exec.
[[noreturn]] void become(const Identity* identity, int output, int failure, char* const* argv,
                         char* const* environment) {
    ::setpgid(0, 0);
    if (identity != nullptr && (identity->uid != ::geteuid() || identity->gid != ::getegid()))
        if (::setgroups(identity->groups.size(), identity->groups.data()) != 0 ||
            ::setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
            ::setresuid(identity->uid, identity->uid, identity->uid) != 0)
            give_up(failure, Stage::user);
    if (!drop_capabilities()) give_up(failure, Stage::capabilities);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); // behind the change of user, which clears it (prctl(2))
    ::signal(SIGPIPE, SIG_DFL);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > 1024) {
        files.rlim_cur = 1024; // what programs expect (select(2))
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::umask(022);
    if (::chdir("/") != 0) give_up(failure, Stage::program);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0) give_up(failure, Stage::program);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(argv[0], argv, environment);
    give_up(failure, Stage::program);
}

} // namespace

Result<Launched> launch(const model::Words& argv, const std::string& user, const model::Words& environment) {
    std::optional<Identity> identity;
    if (!user.empty()) {
        auto found = look_up(user);
        if (!found) return unexpected{found.error()};
        identity = std::move(*found);
    }
    int output[2];
    int failure[2];
    if (::pipe2(output, O_CLOEXEC) != 0)
        return unexpected{fmt::format("no descriptors left: {}", std::strerror(errno))};
    Launched launched{.output = Fd{output[0]}};
    const Fd their_output{output[1]};
    if (::pipe2(failure, O_CLOEXEC) != 0)
        return unexpected{fmt::format("no descriptors left: {}", std::strerror(errno))};
    launched.failure = Fd{failure[0]};
    const Fd their_failure{failure[1]};
    for (const int fd : {output[0], failure[0]})
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
    const auto arguments = pointers(argv);
    const auto variables = pointers(environment);
    launched.pid = ::fork();
    if (launched.pid < 0) return unexpected{fmt::format("cannot start a process: {}", std::strerror(errno))};
    if (launched.pid == 0)
        become(identity ? &*identity : nullptr, their_output.get(), their_failure.get(), arguments.data(),
               variables.data());
    ::setpgid(launched.pid, launched.pid); // whoever of the two is first
    launched.pidfd = ipc::open_pidfd(launched.pid);
    if (!launched.pidfd) {
        ::kill(-launched.pid, SIGKILL);
        ::waitpid(launched.pid, nullptr, 0);
        return unexpected{std::string{"it can't be watched (pidfd_open): no descriptors left"}};
    }
    return launched;
}

std::optional<std::string> failure_of(const Fd& failure, const model::Words& argv, const std::string& user) {
    Failure said;
    if (::read(failure.get(), &said, sizeof said) != static_cast<ssize_t>(sizeof said)) return std::nullopt;
    const char* why = std::strerror(said.error);
    switch (said.stage) {
    case Stage::user:
        return fmt::format("cannot become user '{}': {}; holdfast-runner needs CAP_SETUID and CAP_SETGID for that "
                           "(script-users.conf), or leave user out",
                           user, why);
    case Stage::capabilities: return fmt::format("cannot give up capabilities: {}", why);
    case Stage::program: break;
    }
    return fmt::format("cannot run {}: {}", argv.front(), why);
}

} // namespace holdfast::runner
