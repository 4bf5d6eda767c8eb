#include "runner/fifos.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::runner {

void Fifos::write(const ipc::WriteLine& what, Time now) {
    stop(what.id);
    auto& fifo = fifos_[what.path];
    fifo.lines.push_back(what);
    if (fifo.lines.size() == 1) push(what.path, fifo, now);
}

void Fifos::stop(ipc::WatchId id) {
    for (auto& [path, fifo] : fifos_)
        std::erase_if(fifo.lines, [id](const ipc::WriteLine& line) { return line.id == id; });
}

/// True when it is open for writing; errno says what is in the way.
bool Fifos::open(const std::string& path, Fifo& fifo) {
    if (fifo.fd) return true;
    if (::mkfifo(path.c_str(), 0644) != 0 && errno != EEXIST) return false;
    struct stat info{};
    fifo.fd.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!fifo.fd) return false;
    if (::fstat(fifo.fd.get(), &info) == 0 && S_ISFIFO(info.st_mode)) return true;
    fifo.fd.reset();
    errno = EEXIST;
    return false;
}

void Fifos::give_up(Fifo& fifo, const std::string& why) {
    while (!fifo.lines.empty()) {
        const auto id = fifo.lines.front().id;
        fifo.lines.pop_front();
        tell_(ipc::Ended{id, false, ipc::printable(why), {}});
    }
}

void Fifos::push(const std::string& path, Fifo& fifo, Time now) {
    fifo.due = never;
    while (!fifo.lines.empty()) {
        if (!open(path, fifo)) {
            if (errno == ENXIO) break; // nobody reads
            return give_up(fifo, fmt::format("cannot write to {}: {}", path,
                                             errno == EEXIST ? "it is there, and no FIFO" : std::strerror(errno)));
        }
        const auto& line = fifo.lines.front();
        const ssize_t written = ::write(fifo.fd.get(), line.line.data(), line.line.size());
        if (written < 0 && errno == EPIPE) {
            fifo.fd.reset(); // the reader went; perhaps another one is there
            continue;
        }
        if (written < 0) break; // full
        const auto id = line.id;
        fifo.lines.pop_front();
        tell_(ipc::Ended{id, true, "written", {}});
    }
    if (!fifo.lines.empty()) fifo.due = now + reader_wait;
}

Time Fifos::next_deadline() const {
    Time next = never;
    for (const auto& [path, fifo] : fifos_)
        next = std::min(next, fifo.due);
    return next;
}

void Fifos::on_deadline(Time now) {
    for (auto& [path, fifo] : fifos_)
        if (fifo.due <= now) push(path, fifo, now);
}

} // namespace holdfast::runner
