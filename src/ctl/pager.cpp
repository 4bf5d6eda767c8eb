#include "ctl/pager.hpp"

#include "ctl/program.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <sstream>
#include <stdio_ext.h>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace holdfast::ctl {
namespace {

using Words = std::vector<std::string>;

/// less(1) can start a shell: not as root for whoever may run only this program by sudo(8).
bool is_elevated() {
    return ::geteuid() == 0 && std::getenv("SUDO_UID") != nullptr;
}

/// What the user wants; empty: none. Nothing: whatever there is.
std::optional<Words> wanted() {
    const char* text = std::getenv("SYSTEMD_PAGER");
    if (text == nullptr) text = std::getenv("PAGER");
    if (text == nullptr) return std::nullopt;
    Words words;
    std::istringstream stream{text};
    for (std::string word; stream >> word;)
        words.push_back(word);
    if (!words.empty() && words.front() == "cat") words.clear();
    if (!words.empty() && is_elevated()) return std::nullopt;
    return words;
}

/// In the child. Where no pager is installed, what comes is passed on.
[[noreturn]] void become_pager(const std::optional<Words>& words, int input) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::dup2(input, STDIN_FILENO);
    const char* options = std::getenv("SYSTEMD_LESS");
    ::setenv("LESS", options != nullptr ? options : "FRSXMK", 1);
    if (is_elevated()) ::setenv("LESSSECURE", "1", 1);
    if (words) try_to_become(*words);
    for (const char* known : {"less", "more", "cat"})
        try_to_become({known});
    ::_exit(127);
}

} // namespace

std::unique_ptr<Pager> Pager::start() {
    const char* terminal = std::getenv("TERM");
    if (::isatty(STDOUT_FILENO) != 1 || terminal == nullptr || std::string_view{terminal} == "dumb") return nullptr;
    const auto words = wanted();
    if (words && words->empty()) return nullptr;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return nullptr;
    const Fd reads{ends[0]}, writes{ends[1]};
    Fd before{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
    std::fflush(stdout);
    const pid_t child = before ? ::fork() : -1;
    if (child < 0) return nullptr;
    if (child == 0) become_pager(words, reads.get());
    ::dup2(writes.get(), STDOUT_FILENO);
    std::signal(SIGPIPE, SIG_IGN); // who has seen enough leaves before the end
    std::signal(SIGINT, SIG_IGN);  // is the pager's: it ends a search with it, and must not lose its terminal
    return std::unique_ptr<Pager>{new Pager{child, std::move(before)}};
}

Pager::~Pager() {
    std::fflush(stdout);
    ::__fpurge(stdout); // of a reader who has left
    ::dup2(terminal_.get(), STDOUT_FILENO);
    ::waitpid(pid_, nullptr, 0);
}

} // namespace holdfast::ctl
