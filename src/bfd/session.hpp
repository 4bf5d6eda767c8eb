// One BFD session decides: asynchronous mode of RFC 5880 without authentication and echo. Pure: (settings, session, event, now)
// gives the next session and at most one packet. Chance comes with the event, so that the same events play the same way.
// Intervals never change while a session lives: other settings are a new session.
#pragma once

#include "base/time.hpp"
#include "model/bfd.hpp"
#include "wire/bfd.hpp"

#include <optional>
#include <string>
#include <variant>

namespace holdfast::bfd {

/// The variables of RFC 5880 6.8.1, and two timers.
struct Session {
    wire::BfdState state{wire::BfdState::down};
    wire::BfdDiagnostic diagnostic{};
    std::uint32_t local_discriminator{}, remote_discriminator{}; ///< remote: 0 until it was heard
    wire::BfdState remote_state{wire::BfdState::down};
    Duration remote_min_rx{std::chrono::microseconds{1}};
    Duration remote_min_tx{0};
    std::uint8_t remote_multiplier{0};
    bool remote_demand{false};
    bool polling{false};  ///< a poll sequence is under way: our interval is another since we are Up
    bool answered{false}; ///< the neighbor was heard at least once
    Time last_sent{};
    Time next_send{never};
    Time detect{never};   ///< when the neighbor has been silent for too long
    Time judge_at{never}; ///< from then on a session that never came up counts as down
    bool operator==(const Session&) const = default;
};

/// Begin: `discriminator` is not 0 and no other session's.
struct Started {
    std::uint32_t discriminator{};
};
struct Received {
    wire::BfdControl packet;
};
struct Elapsed {};
/// The last packet of a session that ends: the neighbor need not find out by itself.
struct Stopped {};
using Event = std::variant<Started, Received, Elapsed, Stopped>;

struct Step {
    Session next;
    std::optional<wire::BfdControl> send;
};

/// `chance`: uniform, for the jitter of 6.8.7.
Step on(const model::BfdTracker&, const Session&, const Event&, Time now, std::uint16_t chance);

/// When Elapsed is wanted.
Time next_deadline(const Session&);

// ---- what follows from the session --------------------------------------------------------------------------------------

/// 6.8.7, before jitter.
Duration transmit_interval(const model::BfdTracker&, const Session&);
/// 6.8.4: the neighbor's multiplier times what was agreed on.
Duration detection_time(const model::BfdTracker&, const Session&);

enum class Verdict : std::uint8_t { pending, up, down, unknown };
/// `unknown`: the neighbor's operator switched its session off, which says nothing about the path (RFC 5882 3.2).
Verdict verdict(const Session&, Time now);
/// For people: "up, detection in 300ms".
std::string explain(const model::BfdTracker&, const Session&);

} // namespace holdfast::bfd
