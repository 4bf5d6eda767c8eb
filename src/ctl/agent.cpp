#include "ctl/agent.hpp"

#include "base/fd.hpp"
#include "ctl/program.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace holdfast::ctl {
namespace {

constexpr const char* program = "/usr/bin/pkttyagent";
constexpr int patience_ms = 5'000; ///< a polkitd that systemd has to start takes a moment

/// In a session, a desktop's agent may be there, which is to be asked first. Outside of one polkit never asks a fallback.
bool is_in_session() {
    char* session = nullptr;
    const int found = sd_pid_get_session(0, &session);
    std::free(session); // NOLINT(cppcoreguidelines-no-malloc): sd_pid_get_session(3) wants it
    return found >= 0;
}

/// In the child. It ends with us.
[[noreturn]] void become_agent(int ready, bool fallback) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::fcntl(ready, F_SETFD, 0);
    std::vector<std::string> words{program, "--notify-fd", std::to_string(ready)};
    if (fallback) words.emplace_back("--fallback");
    try_to_become(std::move(words));
    ::_exit(127);
}

} // namespace

std::unique_ptr<PasswordAgent> PasswordAgent::start() {
    if (::isatty(STDIN_FILENO) != 1 || ::access(program, X_OK) != 0) return nullptr;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return nullptr;
    const Fd reads{ends[0]};
    Fd writes{ends[1]};
    const bool fallback = is_in_session();
    const pid_t child = ::fork();
    if (child < 0) return nullptr;
    if (child == 0) become_agent(writes.get(), fallback);
    writes.reset();
    auto agent = std::make_unique<PasswordAgent>(child);
    pollfd ready{reads.get(), POLLIN, 0}; // it closes its end when polkit knows it, or when it ends
    if (::poll(&ready, 1, patience_ms) != 1) return nullptr;
    return agent;
}

/// It gives the terminal its echo back, also when it was stopped by Ctrl-Z.
PasswordAgent::~PasswordAgent() {
    ::kill(pid_, SIGTERM);
    ::kill(pid_, SIGCONT);
    ::waitpid(pid_, nullptr, 0);
}

} // namespace holdfast::ctl
