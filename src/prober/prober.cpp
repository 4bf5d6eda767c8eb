#include "prober/prober.hpp"

#include "ipc/codec.hpp"
#include "ipc/service.hpp"
#include "prober/dns.hpp"
#include "prober/ping.hpp"
#include "prober/smtp.hpp"
#include "prober/tcp.hpp"
#include "prober/udp.hpp"
#include "prober/web.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::prober {

namespace {
constexpr std::string_view name = "holdfast-prober";
constexpr int probes_a_turn = 64; // begun; then the sockets' turn again

/// A tracker's probe as the check that it is.
ipc::StartCheck tracker(ipc::WatchId id, Endpoint to, Duration interval, Duration timeout) {
    return {.id = id, .address = to.address, .port = to.port, .interval = interval, .timeout = timeout};
}
} // namespace

Prober::Prober(ipc::Channel channel)
    : channel_{std::move(channel)},
      http_{curl_, [this](ipc::WatchId id, const Outcome& outcome) { done(id, outcome); }},
      sockets_{epoll_, [this](ipc::WatchId id, const Outcome& outcome) { done(id, outcome); }},
      mail_{curl_,
            [this](ipc::WatchId id, const Outcome& outcome) {
                tell(ipc::Ended{id, outcome.ok, outcome.detail, outcome.latency});
            }},
      carriers_{[this](ipc::WatchId id, const Outcome& outcome) { done(id, outcome); }} {
    epoll_.set(channel_.fd(), EPOLLIN);
    epoll_.set(carriers_.fd(), EPOLLIN);
}

void Prober::run() {
    for (;;) {
        const Time next = next_deadline();
        const auto ready = epoll_.wait(next == never ? Duration::max() : next - ipc::clock_now());
        for (const auto& event : ready) {
            if (sockets_.owns(event.data.fd))
                sockets_.on_socket(event.data.fd, event.events);
            else if (event.data.fd == carriers_.fd())
                carriers_.on_readable();
            else if (event.data.fd != channel_.fd())
                curl_.on_socket(event.data.fd, event.events);
            else if (!flush() || !take_requests())
                return;
        }
        const Time now = ipc::clock_now();
        watchdog_.on_deadline(now);
        if (now >= curl_.next_deadline()) curl_.on_timer();
        if (now >= http_.next_deadline()) http_.on_timer(now);
        if (now >= sockets_.next_deadline()) sockets_.on_timer(now);
        start_due(now);
    }
}

Time Prober::next_deadline() const {
    return std::min({watchdog_.next_deadline(), curl_.next_deadline(), http_.next_deadline(), sockets_.next_deadline(),
                     due_.next()});
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
    std::visit(Overloaded{
                   [&](const ipc::SendMail& mail) { mail_.send(mail); },
                   [&](const ipc::Stop&) { forget(id); },
                   [&](const ipc::StartHttp& m) {
                       add(tracker(id, {}, m.interval, m.timeout), true, std::make_shared<HttpPlan>(m.url));
                   },
                   [&](const ipc::StartTcp& m) {
                       const auto to = parse_endpoint(m.address);
                       if (to) return add(tracker(id, *to, m.interval, m.timeout), true, nullptr);
                       tell(ipc::Verdict{.id = id, .detail = "no address and port: " + ipc::printable(m.address)});
                   },
                   [&](const ipc::StartCheck& m) {
                       const auto* http = std::get_if<model::HttpCheck>(&m.what);
                       add(m, false,
                           http ? std::make_shared<HttpPlan>(*http, Endpoint{m.address, m.port}, m.socket) : nullptr);
                   },
                   [&](const ipc::StartCarrier& m) {
                       add({.id = id, .interval = m.interval, .timeout = m.interval}, false, nullptr, m.interface);
                   },
                   [](const auto&) { ipc::warn(name, "ignored a request that is the runner's"); },
               },
               request);
}

void Prober::forget(ipc::WatchId id) {
    http_.cancel(id);
    sockets_.cancel(id);
    carriers_.cancel(id);
    mail_.cancel(id);
    const auto at = watches_.find(id);
    if (at == watches_.end()) return;
    due_.remove(at->second.entry, id);
    watches_.erase(at);
}

void Prober::add(const ipc::StartCheck& check, bool is_tracker, std::shared_ptr<const HttpPlan> http,
                 std::string interface) {
    const auto id = check.id;
    forget(id);
    if (watches_.size() >= max_watches)
        return ipc::warn(name, fmt::format("refused a probe: there are {} already", max_watches));
    auto& watch = watches_.try_emplace(id, check, is_tracker, ipc::clock_now(), started_++).first->second;
    watch.http = std::move(http);
    watch.interface = std::move(interface);
    schedule(id, watch);
}

void Prober::schedule(ipc::WatchId id, Watch& watch) {
    due_.remove(watch.entry, id);
    due_.add(watch.entry = watch.due(), id);
}

void Prober::start_due(Time now) {
    for (int i = 0; i < probes_a_turn; ++i) {
        const auto id = due_.take(now);
        if (!id) return;
        auto& watch = watches_.at(*id);
        watch.begins(now);
        start(*id, watch, now);
    }
}

void Prober::start(ipc::WatchId id, const Watch& watch, Time now) {
    const auto& check = watch.check();
    if (watch.http && !watch.http->problem.empty()) return done(id, our_fault(watch.http->problem));
    if (watch.http && !watch.http->is_plain) return http_.start(id, watch.http, check.timeout);
    if (!watch.interface.empty()) return carriers_.start(id, watch.interface);
    sockets_.start(id, {check.address, check.port}, check.socket, conversation(watch), check.timeout, now);
}

Conversation Prober::conversation(const Watch& watch) {
    const auto& check = watch.check();
    return std::visit(
        Overloaded{
            [](const model::SmtpCheck& smtp) { return smtp_probe(smtp); },
            [&](const model::DnsCheck& dns) { return dns_probe(dns, static_cast<std::uint16_t>(random_())); },
            [](const model::UdpCheck& udp) { return udp_probe(udp); },
            [&](const model::HttpCheck&) { return web_probe(watch.http); },
            [&](const model::PingCheck&) { return ping_probe(check.address.family, random_()); },
            [](const auto&) { return tcp_probe(); }, // `valid` lets nothing else in
        },
        check.what);
}

void Prober::done(ipc::WatchId id, const Outcome& outcome) {
    const auto it = watches_.find(id);
    if (it == watches_.end()) return;
    auto& watch = it->second;
    if (const auto verdict = watch.ends(outcome, ipc::clock_now()); verdict && !tell(*verdict)) watch.was_not_told();
    schedule(id, watch);
    if (!outcome.our_fault || !watch.is_tracker()) return; // of a check it is told
    ipc::warn(name, fmt::format("cannot probe {}: {}", watch.target(), outcome.detail));
}

/// False: there is no room for it, which is so of verdicts alone.
bool Prober::tell(const ipc::Report& report) {
    auto bytes = ipc::encode(report);
    if (!bytes) ipc::warn(name, fmt::format("dropped a report: {}", bytes.error()));
    if (!bytes) return true;
    if (waiting_.size() >= max_waiting && std::holds_alternative<ipc::Verdict>(report)) return false;
    waiting_.push_back(*std::move(bytes));
    flush(); // a daemon that is gone is met at the next turn, as its end becomes readable
    return true;
}

// False: the daemon is gone.
bool Prober::flush() {
    while (!waiting_.empty()) {
        const auto sent = channel_.send(waiting_.front());
        if (sent == ipc::Sent::closed) return false;
        if (sent == ipc::Sent::full) break;
        waiting_.pop_front();
    }
    if (is_full_ != waiting_.empty()) return true; // as it was
    is_full_ = !waiting_.empty();
    epoll_.set(channel_.fd(), is_full_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return true;
}

} // namespace holdfast::prober
