// Trackers decide: observations become a verdict by rise, fall, delays and one repair. A tracker never acts; instances read
// its verdict, and of a file its number.
#pragma once

#include "engine/event.hpp"
#include "engine/histogram.hpp"
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

/// How long a run of a script or a probe takes, at most.
inline constexpr std::array<Duration, 5> run_time_bounds{1ms, 10ms, 100ms, 1s, 10s};
using RunTimes = Histogram<run_time_bounds>;

/// A unit that was restarted and failed again within this time is given up.
inline constexpr Duration repair_memory = 1min;

struct TrackerState {
    model::Tracker model;
    Verdict verdict{Verdict::pending};
    unsigned streak{0};   ///< observations in a row against the verdict
    bool against{false};  ///< the last observation was against the verdict
    Time resample{never}; ///< a level that stays is another observation every interval
    Time due{never};      ///< what is against the verdict has met rise or fall and counts when it lasts until then
    Repair repair{Repair::none};
    Time repaired{-repair_memory}; ///< when it was restarted last
    bool restart_wanted{false};    ///< for the engine to carry out, once
    bool degraded{false};
    std::int64_t value{0}; ///< of a file
    /// Of an interface whose driver is asked: its last answer, or why there is none.
    Observation driver{Observation::unknown};
    std::string driver_detail;
    std::uint64_t skipped{0};
    RunTimes runs;
    bool ran{false}; ///< since `runs` was shown last
    std::string detail;
    Time since{}; ///< of the verdict

    Time deadline() const { return std::min(resample, due); }
};

/// One observation; true if the verdict or what is shown of it changed. The first one counts at once, whatever rise says.
bool observe(TrackerState&, const TrackerObserved&, Time now);
bool observe(TrackerState&, Observation, const std::string& detail, bool degraded, Time now);
/// `deadline()` has come: the last observation still holds.
bool elapsed(TrackerState&, Time now);
/// Begins anew: pending, or down with `init_fail`.
void reset(TrackerState&, Time now);

/// What one use of a tracker does to an instance (keepalived.md 3.7): a positive weight counts while it is up, a negative
/// one while it is down, with the other sign when reversed. `pending` and `unknown` count as whatever is better for the
/// instance: nothing fails over because somebody cannot see.
int contribution(const model::TrackUse&, Verdict);
bool is_fault(const model::TrackUse&, Verdict);
/// The same for any tracker; a file's number times the weight, a fault when that is below -253 (or, without weight, when
/// the number is not 0).
int contribution(const model::TrackUse&, const TrackerState&);
bool is_fault(const model::TrackUse&, const TrackerState&);
/// Why it is one, for people.
std::string fault_text(const model::TrackUse&, const TrackerState&);

} // namespace holdfast::engine
