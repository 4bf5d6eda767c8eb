#include "ctl/program.hpp"

#include "base/fd.hpp"

#include <array>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::ctl {

void try_to_become(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments.front(), arguments.data());
}

std::string output_of(const std::vector<std::string>& words) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const Fd reads{ends[0]};
    Fd writes{ends[1]};
    const pid_t child = ::fork();
    if (child < 0) return {};
    if (child == 0) {
        ::dup2(writes.get(), STDOUT_FILENO);
        if (const Fd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)}) ::dup2(nowhere.get(), STDERR_FILENO);
        try_to_become(words);
        ::_exit(127);
    }
    writes.reset();
    std::string text;
    std::array<char, 4096> part{};
    for (ssize_t size = 0; (size = ::read(reads.get(), part.data(), part.size())) > 0;)
        text.append(part.data(), static_cast<std::size_t>(size));
    ::waitpid(child, nullptr, 0);
    return text;
}

} // namespace holdfast::ctl
