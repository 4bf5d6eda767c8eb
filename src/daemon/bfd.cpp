#include "daemon/bfd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace holdfast::daemon {
namespace {

engine::Observation as_observation(bfd::Verdict verdict) {
    switch (verdict) {
    case bfd::Verdict::up: return engine::Observation::up;
    case bfd::Verdict::down: return engine::Observation::down;
    case bfd::Verdict::pending:
    case bfd::Verdict::unknown: break;
    }
    return engine::Observation::unknown;
}

std::string cure(wire::BfdReject reason) {
    if (reason == wire::BfdReject::hop_limit) return "they came through a router: see max_hops and multihop";
    if (reason == wire::BfdReject::authentication) return "they are authenticated: switch that off at the neighbor";
    return fmt::format("{}", wire::name(reason));
}

} // namespace

Bfd::Bfd(Door door) : door_{std::move(door)}, random_{std::random_device{}()} {}

Bfd::~Bfd() {
    while (!sessions_.empty())
        stop(std::string{sessions_.begin()->first});
}

std::uint32_t Bfd::free_discriminator() {
    for (;;) {
        const auto number = static_cast<std::uint32_t>(random_());
        const auto has_it = [&](const auto& entry) { return entry.second.session.local_discriminator == number; };
        if (number != 0 && std::ranges::none_of(sessions_, has_it)) return number;
    }
}

/// What is wrong, if something is.
std::optional<std::string> Bfd::open(Running& running) {
    const Port port{running.settings.neighbor.family, running.settings.multihop};
    if (!receivers_.contains(port)) {
        auto receiver = kernel::BfdReceiver::open(port.first, port.second);
        if (!receiver)
            return fmt::format("can't listen on UDP port {}: {}{}",
                               port.second ? wire::bfd_multihop_port : wire::bfd_port, std::strerror(receiver.error()),
                               receiver.error() == EADDRINUSE ? "; another program speaks BFD on this host" : "");
        const auto& added = receivers_.emplace(port, std::move(*receiver)).first->second;
        door_.watch(added.fd(), [this, port] { read(port); });
    }
    auto sender = kernel::BfdSender::open(running.settings, chance());
    if (!sender)
        return fmt::format("can't send to {}: {}", to_string(running.settings.neighbor), std::strerror(sender.error()));
    running.sender = std::move(*sender);
    return std::nullopt;
}

void Bfd::start(const std::string& tracker, const model::BfdTracker& settings) {
    stop(tracker);
    auto& running = sessions_[tracker];
    running.settings = settings;
    if (const auto wrong = open(running))
        return door_.deliver(engine::TrackerObserved{tracker, engine::Observation::unknown, *wrong, false});
    play(tracker, running, bfd::Started{free_discriminator()});
}

void Bfd::stop(const std::string& tracker) {
    const auto at = sessions_.find(tracker);
    if (at == sessions_.end()) return;
    auto& [settings, session, sender, told, told_detection, dropped] = at->second;
    if (sender)
        if (const auto last = bfd::on(settings, session, bfd::Stopped{}, door_.now(), chance()).send)
            sender->send(wire::encode(*last));
    const Port port{settings.neighbor.family, settings.multihop};
    sessions_.erase(at);
    const auto uses = [&](const auto& entry) {
        return Port{entry.second.settings.neighbor.family, entry.second.settings.multihop} == port;
    };
    const auto receiver = receivers_.find(port);
    if (receiver == receivers_.end() || std::ranges::any_of(sessions_, uses)) return;
    door_.unwatch(receiver->second.fd());
    receivers_.erase(receiver);
}

void Bfd::play(const std::string& tracker, Running& running, const bfd::Event& event) {
    auto step = bfd::on(running.settings, running.session, event, door_.now(), chance());
    running.session = std::move(step.next);
    if (step.send) running.sender->send(wire::encode(*step.send));
    report(tracker, running);
}

void Bfd::report(const std::string& tracker, Running& running) {
    const auto verdict = bfd::verdict(running.session, door_.now());
    const auto detection =
        verdict == bfd::Verdict::up ? bfd::detection_time(running.settings, running.session) : Duration::zero();
    if (verdict == running.told && detection == running.told_detection) return;
    running.told = verdict;
    running.told_detection = detection;
    auto text = bfd::explain(running.settings, running.session);
    if (verdict == bfd::Verdict::down)
        for (const auto& [reason, count] : std::exchange(running.dropped, {}))
            text += fmt::format("; {} packet(s) of it dropped: {}", count, cure(reason));
    door_.deliver(engine::TrackerObserved{tracker, as_observation(verdict), std::move(text), false});
}

// ---- the wire -----------------------------------------------------------------------------------------------------------

void Bfd::read(Port port) {
    const auto at = receivers_.find(port);
    if (at == receivers_.end()) return;
    at->second.read([&](const kernel::BfdDatagram& datagram) { on_datagram(port, datagram); });
}

void Bfd::on_datagram(Port port, const kernel::BfdDatagram& datagram) {
    const auto packet = wire::decode_bfd(datagram.bytes);
    for (auto& [tracker, running] : sessions_) {
        if (!running.sender) continue;
        if (!packet) { // for the neighbor's own sessions: the rest is noise
            if (datagram.source == running.settings.neighbor && port.second == running.settings.multihop)
                ++running.dropped[packet.error()];
            continue;
        }
        const auto reason =
            bfd::unacceptable(running.settings, running.session,
                              {datagram.source, datagram.destination, datagram.hop_limit, port.second, *packet});
        if (!reason) return play(tracker, running, bfd::Received{*packet});
        if (*reason == wire::BfdReject::hop_limit) ++running.dropped[*reason];
    }
}

Time Bfd::next_deadline() const {
    Time deadline = never;
    for (const auto& [tracker, running] : sessions_)
        deadline = std::min(deadline, bfd::next_deadline(running.session));
    return deadline;
}

/// Woken late, what was heard meanwhile counts first.
void Bfd::on_deadline() {
    for (const auto& [port, receiver] : receivers_)
        read(port);
    for (auto& [tracker, running] : sessions_)
        if (running.sender && bfd::next_deadline(running.session) <= door_.now())
            play(tracker, running, bfd::Elapsed{});
}

} // namespace holdfast::daemon
