// Trackers decide: observations become a verdict by rise and fall. A tracker never acts; instances read its verdict.
#pragma once

#include "engine/event.hpp"
#include "model/tracker.hpp"

#include <string>

namespace holdfast::engine {

enum class Verdict : std::uint8_t {
    pending, ///< nothing observed yet
    up,
    down,
    unknown, ///< cannot be observed here (no systemd, ...): has no effect
};
std::string_view name(Verdict);

struct TrackerState {
    model::Tracker model;
    Verdict verdict{Verdict::pending};
    unsigned streak{0};   ///< observations in a row against the verdict
    bool against{false};  ///< the last observation was against the verdict
    Time resample{never}; ///< a level that stays is another observation every interval
    bool degraded{false};
    std::string detail;
    Time since{}; ///< of the verdict
};

/// One observation; true if the verdict or what is shown of it changed. The first one counts at once, whatever rise says.
bool observe(TrackerState&, Observation, const std::string& detail, bool degraded, Time now);
/// `resample` has come: the last observation still holds.
bool resample(TrackerState&, Time now);

/// What one use of a tracker does to an instance (keepalived.md 3.7): a positive weight counts while it is up, a negative
/// one while it is down. `pending` and `unknown` count as up: nothing fails over because somebody cannot see.
int contribution(const model::TrackUse&, Verdict);
bool is_fault(const model::TrackUse&, Verdict);

} // namespace holdfast::engine
