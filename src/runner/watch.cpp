#include "runner/watch.hpp"

#include <algorithm>

namespace holdfast::runner {

bool Watch::knows(const Match& match) const {
    const auto it = members_.find(match.pid);
    return it != members_.end() && it->second.start == match.start;
}

void Watch::add(const Match& match, Fd pidfd) {
    Member& member = members_[match.pid];
    member.start = match.start;
    member.pidfd = std::move(pidfd);
}

Fd Watch::remove(pid_t pid) {
    auto node = members_.extract(pid);
    return node ? std::move(node.mapped().pidfd) : Fd{};
}

std::vector<Fd> Watch::settle(std::span<const Match> matches) {
    std::map<pid_t, const Match*> by_pid;
    for (const auto& match : matches)
        by_pid.emplace(match.pid, &match);
    std::vector<Fd> gone;
    for (auto it = members_.begin(); it != members_.end();) {
        const auto each = it++;
        if (by_pid.contains(each->first)) continue;
        gone.push_back(std::move(each->second.pidfd));
        members_.erase(each);
    }
    for (auto& [pid, member] : members_) {
        const auto parent = members_.find(by_pid.at(pid)->parent);
        if (parent == members_.end()) continue;
        member.child = true;
        parent->second.parent = true;
    }
    return gone;
}

std::vector<Part> Watch::parts() const {
    std::vector<Part> parts(1);
    for (const auto& [pid, member] : members_) {
        const bool has_fd = !member.announced && member.pidfd;
        if (parts.back().message.processes.size() == ipc::max_processes_a_message ||
            (has_fd && parts.back().fds.size() == ipc::max_descriptors))
            parts.emplace_back();
        Part& part = parts.back();
        part.message.processes.push_back({pid, member.start, member.child, member.parent, has_fd});
        if (has_fd) part.fds.push_back(member.pidfd.get());
    }
    for (auto& part : parts) {
        part.message.id = what_.id;
        part.message.first = &part == &parts.front();
        part.message.last = &part == &parts.back();
    }
    return parts;
}

void Watch::announced(const Part& part) {
    for (const auto& info : part.message.processes)
        if (info.has_fd) members_.at(info.pid).announced = true;
}

} // namespace holdfast::runner
