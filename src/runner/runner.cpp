#include "runner/runner.hpp"

#include "ipc/codec.hpp"
#include "ipc/pidfd.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::runner {

namespace {

constexpr std::string_view name = "holdfast-runner";
constexpr std::size_t kernel_name_size = 15; // TASK_COMM_LEN without its zero byte

std::string as_kernel_keeps_it(const std::string& wanted) {
    return wanted.substr(0, kernel_name_size);
}

bool runs(char state) {
    return state != 'Z' && state != 'X' && state != 'x'; // proc(5), stat field 3
}

} // namespace

Runner::Runner(ipc::Channel channel, Proc proc) : channel_{std::move(channel)}, proc_{std::move(proc)} {
    epoll_.set(channel_.fd(), EPOLLIN);
}

void Runner::run() {
    for (;;) {
        const Time next = next_scan();
        const auto ready = epoll_.wait(next == never ? Duration::max() : next - ipc::clock_now());
        for (const auto& event : ready) {
            if (event.data.fd != channel_.fd())
                ended(event.data.fd);
            else if (!take_requests())
                return;
        }
        const Time now = ipc::clock_now();
        if (now >= next_scan()) scan(now);
    }
}

Time Runner::next_scan() const {
    Time next = never;
    for (const auto& [id, entry] : watches_)
        next = std::min(next, entry.due);
    return next;
}

// False: the daemon is gone.
bool Runner::take_requests() {
    for (int i = 0; i < 64; ++i) {
        auto packet = channel_.receive();
        if (!packet) return packet.error() == ipc::Nothing::yet;
        auto request = packet->truncated ? Result<ipc::Request>{unexpected{std::string{"longer than 64 KiB"}}}
                                         : ipc::decode_request(packet->bytes);
        if (request)
            take(*request);
        else
            ipc::warn(name, fmt::format("ignored a malformed request: {}", request.error()));
    }
    return true;
}

void Runner::take(const ipc::Request& request) {
    const ipc::WatchId id = ipc::id_of(request);
    const auto* watch = std::get_if<ipc::WatchProcesses>(&request);
    if (watch == nullptr && !std::holds_alternative<ipc::Unwatch>(request)) {
        ipc::warn(name, "ignored a request that is the prober's");
        return;
    }
    if (const auto old = watches_.find(id); old != watches_.end()) {
        for (const Fd& pidfd : old->second.watch.settle({}))
            forget(pidfd);
        watches_.erase(old);
    }
    if (watch == nullptr) return;
    if (watches_.size() >= max_watches) {
        ipc::warn(name, fmt::format("refused to watch '{}': {} names are watched already", watch->name, max_watches));
        return;
    }
    watches_.emplace(id, Entry{Watch{*watch}, ipc::clock_now()});
}

// The daemon learns it by its own copy of the pidfd; here it only means to look sooner for the next one.
void Runner::ended(int pidfd) {
    for (auto& [id, entry] : watches_) {
        const auto& members = entry.watch.members();
        const auto it = std::ranges::find(members, pidfd, [](const auto& each) { return each.second.pidfd.get(); });
        if (it == members.end()) continue;
        forget(entry.watch.remove(it->first));
        if (entry.watch.too_few()) entry.due = std::min(entry.due, ipc::clock_now() + fast_scan);
        return;
    }
}

void Runner::scan(Time now) {
    std::map<std::string, std::vector<pid_t>> wanted;
    for (const auto& [id, entry] : watches_)
        if (entry.due <= now) wanted[as_kernel_keeps_it(entry.watch.what().name)];
    for (const pid_t pid : proc_.pids()) {
        const auto each = proc_.name(pid);
        if (!each) continue;
        if (const auto it = wanted.find(as_kernel_keeps_it(*each)); it != wanted.end()) it->second.push_back(pid);
    }
    std::map<std::string, std::vector<Match>> found;
    for (const auto& [each, pids] : wanted)
        found[each] = matches(pids);
    for (auto& [id, entry] : watches_) {
        if (entry.due > now) continue;
        Watch& watch = entry.watch;
        update(watch, found[as_kernel_keeps_it(watch.what().name)]);
        report(watch);
        const Duration period = watch.too_few() ? fast_scan : slow_scan;
        entry.due = std::max(entry.due + period, now + period / 2); // no making up for lost time
    }
}

std::vector<Match> Runner::matches(std::span<const pid_t> named) const {
    std::vector<Match> out;
    for (const pid_t pid : named) {
        const auto stat = proc_.stat(pid);
        if (stat && runs(stat->state) && proc_.in_our_network(pid)) out.push_back({pid, stat->parent, stat->start});
    }
    return out;
}

void Runner::update(Watch& watch, std::span<const Match> found) {
    std::vector<Match> sure;
    for (const Match& match : found) {
        if (!watch.knows(match)) {
            forget(watch.remove(match.pid));
            Fd pidfd = ipc::open_pidfd(match.pid);
            // The pid may have become another process between reading /proc and opening: the same start time afterwards
            // says that it has not.
            const auto again = proc_.stat(match.pid);
            if (!again || again->start != match.start || !runs(again->state)) continue;
            if (pidfd) epoll_.set(pidfd.get(), EPOLLIN);
            watch.add(match, std::move(pidfd));
        }
        sure.push_back(match);
    }
    for (const Fd& pidfd : watch.settle(sure))
        forget(pidfd);
}

void Runner::forget(const Fd& pidfd) {
    if (pidfd) epoll_.remove(pidfd.get());
}

void Runner::report(Watch& watch) {
    for (const Part& part : watch.parts()) {
        const auto bytes = ipc::encode(ipc::Report{part.message});
        if (!bytes) return ipc::warn(name, fmt::format("dropped a report: {}", bytes.error()));
        if (channel_.send(*bytes, part.fds) != ipc::Sent::yes) return;
        watch.announced(part);
    }
}

} // namespace holdfast::runner
