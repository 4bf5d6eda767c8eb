#include "ipc/process_set.hpp"

#include <fmt/format.h>

namespace holdfast::ipc {

ProcessSet::ProcessSet(std::string name, unsigned quorum, std::optional<unsigned> most)
    : name_{std::move(name)}, quorum_{most == 0U ? 0 : quorum}, most_{most} {}

bool ProcessSet::on_readable() {
    bool any = false;
    for (auto ready = epoll_.wait(0ns); !ready.empty(); ready = epoll_.wait(0ns)) {
        any = true;
        for (const auto& event : ready)
            on_exit(event.data.fd);
    }
    return any;
}

void ProcessSet::on_exit(pid_t pid) {
    if (const auto it = processes_.find(pid); it != processes_.end()) end(it->second);
}

// Out of the epoll set before it is closed: the runner holds the same open file description, which would keep the entry
// alive after our close (epoll(7), questions and answers).
void ProcessSet::end(Process& process) {
    if (process.pidfd) epoll_.remove(process.pidfd.get());
    process.pidfd.reset();
    process.ended = true;
}

bool ProcessSet::on_found(const ProcessesFound& found, std::vector<Fd> fds) {
    if (found.first) {
        for (auto& [pid, process] : processes_)
            process.listed = false;
        scanning_ = true;
    }
    std::size_t next_fd = 0;
    for (const auto& info : found.processes) {
        Fd pidfd;
        if (info.has_fd && next_fd < fds.size()) pidfd = std::move(fds[next_fd++]);
        take(info, std::move(pidfd));
    }
    if (!found.last || !scanning_) return false; // a scan whose beginning is missing proves no absence
    finish_scan();
    return true;
}

void ProcessSet::take(const ProcessInfo& info, Fd pidfd) {
    Process& process = processes_[info.pid];
    if (process.start != info.start) { // new, or the pid was used again
        end(process);
        process = Process{};
        process.start = info.start;
    }
    process.listed = true;
    process.child = process.child || info.child_of_match;
    process.parent = process.parent || info.parent_of_match;
    // A new runner reports all anew; the descriptor that we have means the same process.
    if (process.ended || process.pidfd || !pidfd) return;
    process.pidfd = std::move(pidfd);
    epoll_.set(process.pidfd.get(), EPOLLIN, info.pid); // refused: the scans see the end
}

void ProcessSet::finish_scan() {
    scanning_ = false;
    known_ = true;
    for (auto it = processes_.begin(); it != processes_.end();) {
        if (it->second.listed) {
            ++it;
            continue;
        }
        end(it->second);
        it = processes_.erase(it);
    }
}

ProcessVerdict ProcessSet::verdict() const {
    unsigned running = 0;
    unsigned workers = 0;
    for (const auto& [pid, process] : processes_) {
        if (process.ended) continue;
        ++running;
        if (process.is_worker()) ++workers;
    }
    const bool too_many = most_ && running > *most_;
    ProcessVerdict verdict{
        known_, known_ && running >= quorum_ && !too_many, workers > 0 && workers == running, running, {}};
    const std::string_view noun = running == 1 ? "process" : "processes";
    if (!known_)
        verdict.text = fmt::format("not looked for '{}' yet", name_);
    else if (too_many)
        verdict.text = fmt::format("{} {} '{}', at most {} allowed", running, noun, name_, *most_);
    else if (verdict.degraded)
        verdict.text =
            fmt::format("degraded: {} {} '{}' without a master", running, running == 1 ? "worker" : "workers", name_);
    else if (!verdict.up)
        verdict.text = fmt::format("{} {} '{}', {} needed", running, noun, name_, quorum_);
    else
        verdict.text = fmt::format("{} {} '{}'", running, noun, name_);
    return verdict;
}

} // namespace holdfast::ipc
