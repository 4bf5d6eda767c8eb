#include "bfd/session.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::bfd {
namespace {

using model::BfdTracker;
using wire::BfdControl;
using wire::BfdDiagnostic;
using wire::BfdState;

constexpr Duration shortest_idle = 1s; // 6.8.3: a session that is not Up sends no faster

Duration desired_tx(const BfdTracker& settings, const Session& session) {
    if (session.state == BfdState::up) return settings.min_tx;
    return std::max({settings.idle_tx, settings.min_tx, shortest_idle});
}

std::chrono::microseconds in_microseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration);
}

BfdControl packet_of(const BfdTracker& settings, const Session& session) {
    return {.diagnostic = session.diagnostic,
            .state = session.state,
            .poll = session.polling,
            .multiplier = settings.multiplier,
            .my_discriminator = session.local_discriminator,
            .your_discriminator = session.remote_discriminator,
            .desired_min_tx = in_microseconds(desired_tx(settings, session)),
            .required_min_rx = in_microseconds(settings.min_rx)};
}

/// 6.8.7: who waits for the neighbor's first word, was told to be silent, or has a neighbor in demand mode, sends nothing.
bool sends_periodically(const BfdTracker& settings, const Session& session) {
    if (session.state == BfdState::admin_down) return false;
    if (settings.passive && session.remote_discriminator == 0) return false;
    if (session.remote_min_rx == Duration::zero()) return false;
    const bool both_up = session.state == BfdState::up && session.remote_state == BfdState::up;
    return !(session.remote_demand && both_up && !session.polling);
}

/// 75 to 100 % of the interval; with a multiplier of 1 to 90 %, so that no jitter looks like a failure.
Duration jittered(const BfdTracker& settings, Duration interval, std::uint16_t chance) {
    const int range = settings.multiplier == 1 ? 15 : 25;
    constexpr int whole = 100 - 25;
    return interval * whole / 100 + interval / 100 * range * chance / 65'536;
}

void schedule(const BfdTracker& settings, Session& session, std::uint16_t chance) {
    session.next_send = sends_periodically(settings, session)
                            ? session.last_sent + jittered(settings, transmit_interval(settings, session), chance)
                            : never;
}

Step sending(const BfdTracker& settings, Session session, Time now, std::uint16_t chance) {
    session.last_sent = now;
    schedule(settings, session, chance);
    auto packet = packet_of(settings, session);
    return {std::move(session), packet};
}

void enter(Session& session, BfdState state, BfdDiagnostic diagnostic) {
    session.state = state;
    session.diagnostic = diagnostic;
    session.polling = state == BfdState::up; // our interval is another one now
    if (state == BfdState::up) session.judge_at = never;
}

/// The table of 6.2, as 6.8.6 words it.
void follow(Session& session) {
    const auto remote = session.remote_state;
    switch (session.state) {
    case BfdState::admin_down: return;
    case BfdState::down:
        if (remote == BfdState::down) enter(session, BfdState::init, session.diagnostic);
        if (remote == BfdState::init) enter(session, BfdState::up, BfdDiagnostic::none);
        return;
    case BfdState::init:
        if (remote == BfdState::admin_down) enter(session, BfdState::down, BfdDiagnostic::neighbor_signaled_down);
        if (remote == BfdState::init || remote == BfdState::up) enter(session, BfdState::up, BfdDiagnostic::none);
        return;
    case BfdState::up:
        if (remote == BfdState::down || remote == BfdState::admin_down)
            enter(session, BfdState::down, BfdDiagnostic::neighbor_signaled_down);
        return;
    }
}

/// Something that the neighbor has to know at once (6.8.7) is sent now, else the next packet keeps its time or comes earlier.
Step after_packet(const BfdTracker& settings, Session next, bool changed, bool must_answer, Time now,
                  std::uint16_t chance) {
    if (must_answer) { // even when nothing is sent periodically; it has F and not P (6.5)
        next.last_sent = now;
        schedule(settings, next, chance);
        auto packet = packet_of(settings, next);
        packet.final = true;
        packet.poll = false;
        return {std::move(next), packet};
    }
    if (changed && sends_periodically(settings, next)) return sending(settings, std::move(next), now, chance);
    const auto before = next.next_send;
    schedule(settings, next, chance);
    if (next.next_send != never) next.next_send = std::min(before, next.next_send);
    return {std::move(next), std::nullopt};
}

Step on_event(const BfdTracker& settings, const Session&, const Started& started, Time now, std::uint16_t chance) {
    Session session;
    session.local_discriminator = started.discriminator;
    session.judge_at = now + settings.multiplier * desired_tx(settings, session);
    session.last_sent = now;
    if (settings.passive) return {session, std::nullopt};
    return sending(settings, session, now, chance);
}

Step on_event(const BfdTracker& settings, const Session& session, const Received& received, Time now,
              std::uint16_t chance) {
    const auto& packet = received.packet;
    if (session.state == BfdState::admin_down) return {session, std::nullopt};
    auto next = session;
    const bool first = session.remote_discriminator == 0;
    next.answered = true;
    next.remote_discriminator = packet.my_discriminator;
    next.remote_state = packet.state;
    next.remote_demand = packet.demand;
    next.remote_min_rx = packet.required_min_rx;
    next.remote_min_tx = packet.desired_min_tx;
    next.remote_multiplier = packet.multiplier;
    if (packet.final) next.polling = false;
    follow(next);
    next.detect = now + detection_time(settings, next);
    const bool changed = next.state != session.state || (first && settings.passive);
    return after_packet(settings, std::move(next), changed, packet.poll, now, chance);
}

Step on_event(const BfdTracker& settings, const Session& session, const Elapsed&, Time now, std::uint16_t chance) {
    auto next = session;
    if (now >= next.judge_at) next.judge_at = never;
    const bool silent = now >= next.detect;
    if (silent) {
        next.detect = never;
        next.remote_discriminator = 0; // 6.8.1
        next.remote_min_rx = std::chrono::microseconds{1};
        next.remote_demand = false;
        const bool was_open = next.state == BfdState::init || next.state == BfdState::up;
        if (was_open) enter(next, BfdState::down, BfdDiagnostic::detection_time_expired);
        next.remote_state = BfdState::down;
    }
    const bool due = now >= next.next_send || (silent && next.state != session.state);
    if (due && sends_periodically(settings, next)) return sending(settings, std::move(next), now, chance);
    if (silent) schedule(settings, next, chance);
    return {std::move(next), std::nullopt};
}

Step on_event(const BfdTracker& settings, const Session& session, const Stopped&, Time now, std::uint16_t chance) {
    auto next = session;
    enter(next, BfdState::admin_down, BfdDiagnostic::administratively_down);
    next.detect = next.judge_at = never;
    auto step = sending(settings, std::move(next), now, chance);
    if (settings.passive && session.remote_discriminator == 0) step.send.reset();
    return step;
}

std::string_view word(BfdState state) {
    switch (state) {
    case BfdState::admin_down: return "administratively down";
    case BfdState::down: return "down";
    case BfdState::init: return "init";
    case BfdState::up: return "up";
    }
    return "";
}

} // namespace

Step on(const BfdTracker& settings, const Session& session, const Event& event, Time now, std::uint16_t chance) {
    return std::visit([&](const auto& one) { return on_event(settings, session, one, now, chance); }, event);
}

Time next_deadline(const Session& session) {
    return std::min({session.next_send, session.detect, session.judge_at});
}

Duration transmit_interval(const BfdTracker& settings, const Session& session) {
    return std::max(desired_tx(settings, session), session.remote_min_rx);
}

Duration detection_time(const BfdTracker& settings, const Session& session) {
    return session.remote_multiplier * std::max(settings.min_rx, session.remote_min_tx);
}

Verdict verdict(const Session& session, Time now) {
    if (session.state == BfdState::up) return Verdict::up;
    if (session.answered && session.remote_discriminator != 0 && session.remote_state == BfdState::admin_down)
        return Verdict::unknown;
    if (session.judge_at != never && now < session.judge_at) return Verdict::pending;
    // On the way up, from Down to Init and Up, nothing is certain yet; whoever was down stays it until Up.
    return Verdict::down;
}

std::string explain(const BfdTracker& settings, const Session& session) {
    if (session.state == BfdState::up)
        return fmt::format("up, a silence of {} is noticed", to_string(detection_time(settings, session)));
    switch (session.diagnostic) {
    case BfdDiagnostic::detection_time_expired: return fmt::format("{}: the neighbor fell silent", word(session.state));
    case BfdDiagnostic::neighbor_signaled_down:
        return session.remote_state == BfdState::admin_down
                   ? "the neighbor's session is administratively down"
                   : fmt::format("{}: the neighbor does not hear us any more", word(session.state));
    default: break;
    }
    return session.answered ? fmt::format("{}: not agreed yet", word(session.state)) : "the neighbor was never heard";
}

} // namespace holdfast::bfd
