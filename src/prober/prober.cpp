#include "prober/prober.hpp"

#include "ipc/codec.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::prober {

namespace {
constexpr std::string_view name = "holdfast-prober";
}

Prober::Prober(ipc::Channel channel)
    : channel_{std::move(channel)},
      http_{curl_, [this](ipc::WatchId id, const Outcome& outcome) { done(id, outcome); }},
      tcp_{epoll_, [this](ipc::WatchId id, const Outcome& outcome) { done(id, outcome); }},
      mail_{curl_, [this](ipc::WatchId id, const Outcome& outcome) {
                tell(ipc::Ended{id, outcome.ok, outcome.detail, outcome.latency});
            }} {
    epoll_.set(channel_.fd(), EPOLLIN);
}

void Prober::run() {
    for (;;) {
        const Time next = next_deadline();
        const auto ready = epoll_.wait(next == never ? Duration::max() : next - ipc::clock_now());
        for (const auto& event : ready) {
            if (tcp_.owns(event.data.fd))
                tcp_.on_socket(event.data.fd);
            else if (event.data.fd != channel_.fd())
                curl_.on_socket(event.data.fd, event.events);
            else if (!flush() || !take_requests())
                return;
        }
        const Time now = ipc::clock_now();
        if (now >= curl_.next_deadline()) curl_.on_timer();
        if (now >= tcp_.next_deadline()) tcp_.on_timer(now);
        start_due(now);
    }
}

Time Prober::next_deadline() const {
    return std::min({curl_.next_deadline(), tcp_.next_deadline(), due_.empty() ? never : due_.top().first});
}

// False: the daemon is gone.
bool Prober::take_requests() {
    for (int i = 0; i < 64; ++i) { // then the probes' turn again
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

void Prober::take(const ipc::Request& request) {
    const ipc::WatchId id = ipc::id_of(request);
    const auto* http = std::get_if<ipc::StartHttp>(&request);
    const auto* tcp = std::get_if<ipc::StartTcp>(&request);
    if (const auto* mail = std::get_if<ipc::SendMail>(&request)) return mail_.send(*mail);
    if (http == nullptr && tcp == nullptr && !std::holds_alternative<ipc::Stop>(request)) {
        ipc::warn(name, "ignored a request that is the runner's");
        return;
    }
    http_.cancel(id);
    tcp_.cancel(id);
    mail_.cancel(id);
    watches_.erase(id);
    if (http == nullptr && tcp == nullptr) return;
    if (watches_.size() >= max_watches) {
        ipc::warn(name, fmt::format("refused a probe: there are {} already", max_watches));
        return;
    }
    const Time now = ipc::clock_now();
    if (http != nullptr)
        watches_.emplace(id, Watch{*http, ipc::Pace{now, http->interval, started_++}});
    else
        watches_.emplace(id, Watch{*tcp, ipc::Pace{now, tcp->interval, started_++}});
    schedule(id, now);
}

void Prober::schedule(ipc::WatchId id, Time due) {
    // Replaced and stopped watches leave entries behind; more of them than live ones, and it is time to sweep.
    if (due_.size() > 2 * watches_.size() + 64) {
        due_ = {};
        for (const auto& [each, watch] : watches_)
            due_.emplace(watch.pace.due(), each);
    }
    due_.emplace(due, id);
}

void Prober::start_due(Time now) {
    while (!due_.empty() && due_.top().first <= now) {
        const auto [due, id] = due_.top();
        due_.pop();
        const auto it = watches_.find(id);
        if (it == watches_.end() || it->second.pace.due() != due || busy(id)) continue;
        Watch& watch = it->second;
        watch.pace.started();
        if (const auto* http = std::get_if<ipc::StartHttp>(&watch.what))
            http_.start(id, http->url, http->timeout);
        else if (const auto* tcp = std::get_if<ipc::StartTcp>(&watch.what))
            tcp_.start(id, tcp->address, tcp->timeout, now);
        schedule(id, watch.pace.due());
    }
}

void Prober::done(ipc::WatchId id, const Outcome& outcome) {
    const auto it = watches_.find(id);
    if (it == watches_.end()) return;
    const Time now = ipc::clock_now();
    ipc::Pace& pace = it->second.pace;
    const Time due = pace.due();
    pace.ended(now);
    if (due <= now) schedule(id, pace.due()); // its entry was skipped while the probe ran, or is out of date
    if (!outcome.our_fault) return tell(ipc::Verdict{id, outcome.ok, outcome.detail, outcome.latency, 0});
    const auto* http = std::get_if<ipc::StartHttp>(&it->second.what);
    ipc::warn(name, fmt::format(
                        "cannot probe {}: {}; raise LimitNOFILE or memory",
                        ipc::printable(http != nullptr ? http->url : std::get<ipc::StartTcp>(it->second.what).address),
                        outcome.detail));
}

void Prober::tell(const ipc::Report& report) {
    auto bytes = ipc::encode(report);
    if (!bytes) return ipc::warn(name, fmt::format("dropped a report: {}", bytes.error()));
    if (waiting_.size() >= max_waiting) waiting_.pop_front();
    waiting_.push_back(*std::move(bytes));
    flush(); // a daemon that is gone is met at the next turn, as its end becomes readable
}

// False: the daemon is gone.
bool Prober::flush() {
    while (!waiting_.empty()) {
        const auto sent = channel_.send(waiting_.front());
        if (sent == ipc::Sent::closed) return false;
        if (sent == ipc::Sent::full) break;
        waiting_.pop_front();
    }
    epoll_.set(channel_.fd(), waiting_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

} // namespace holdfast::prober
