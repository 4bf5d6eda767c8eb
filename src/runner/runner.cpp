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
        const Time next = next_deadline();
        const auto ready = epoll_.wait(next == never ? Duration::max() : next - ipc::clock_now());
        for (const auto& event : ready)
            if (!on_ready(event)) return;
        const Time now = ipc::clock_now();
        watchdog_.on_deadline(now);
        scripts_.on_deadline(now);
        files_.on_deadline(now);
        fifos_.on_deadline(now);
        if (now >= next_scan()) scan(now);
    }
}

// False: the daemon is gone.
bool Runner::on_ready(const epoll_event& event) {
    const Time now = ipc::clock_now();
    const int fd = event.data.fd;
    if (fd == channel_.fd()) {
        outbox_.flush();
        return take_requests();
    }
    if (!scripts_.on_ready(fd, now) && !files_.on_ready(fd, now)) ended(fd);
    return true;
}

Time Runner::next_deadline() const {
    return std::min({watchdog_.next_deadline(), next_scan(), scripts_.next_deadline(), files_.next_deadline(),
                     fifos_.next_deadline()});
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
    const Time now = ipc::clock_now();
    std::visit(Overloaded{
                   [&](const ipc::WatchProcesses& what) { watch(what); },
                   [&](const ipc::StartScript& what) { scripts_.start(what, now); },
                   [&](const ipc::RunScript& what) { scripts_.run(what, now); },
                   [&](const ipc::WatchFile& what) { files_.watch(what, now); },
                   [&](const ipc::WriteLine& what) { fifos_.write(what, now); },
                   [&](const ipc::Unwatch& what) { forget(what.id, now); },
                   [&](const auto&) { ipc::warn(name, "ignored a request that is the prober's"); },
               },
               request);
}

void Runner::forget(ipc::WatchId id, Time now) {
    scripts_.stop(id, now);
    files_.stop(id);
    fifos_.stop(id);
    const auto old = watches_.find(id);
    if (old == watches_.end()) return;
    for (const Fd& pidfd : old->second.watch.settle({}))
        forget(pidfd);
    watches_.erase(old);
}

void Runner::watch(const ipc::WatchProcesses& what) {
    forget(what.id, ipc::clock_now());
    if (watches_.size() >= max_watches) {
        ipc::warn(name, fmt::format("refused to watch '{}': {} are watched already", what.name, max_watches));
        return;
    }
    watches_.emplace(what.id, Entry{Watch{what}, ipc::clock_now()});
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

/// Processes by name; the ones that are looked for by command line alone are under the empty name.
void Runner::scan(Time now) {
    std::map<std::string, std::vector<pid_t>> wanted;
    for (const auto& [id, entry] : watches_)
        if (entry.due <= now) wanted[as_kernel_keeps_it(entry.watch.what().name)];
    const auto any = wanted.find("");
    for (const pid_t pid : proc_.pids()) {
        if (any != wanted.end()) any->second.push_back(pid);
        const auto each = proc_.name(pid);
        if (!each || each->empty()) continue;
        if (const auto it = wanted.find(as_kernel_keeps_it(*each)); it != wanted.end()) it->second.push_back(pid);
    }
    for (auto& [id, entry] : watches_) {
        if (entry.due > now) continue;
        Watch& watch = entry.watch;
        update(watch, matches(wanted[as_kernel_keeps_it(watch.what().name)], watch.what()));
        report(watch);
        const Duration period = watch.too_few() ? fast_scan : slow_scan;
        entry.due = std::max(entry.due + period, now + period / 2); // no making up for lost time
    }
}

std::vector<Match> Runner::matches(std::span<const pid_t> named, const ipc::WatchProcesses& what) const {
    std::vector<Match> out;
    for (const pid_t pid : named) {
        if (!what.words.empty()) {
            const auto line = proc_.command_line(pid);
            const std::span all{line};
            // With a name the program is that name's; its arguments are compared.
            const auto compared = what.name.empty() || all.empty() ? all : all.subspan(1);
            if (!fits(compared, what.words, what.match)) continue;
        }
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
