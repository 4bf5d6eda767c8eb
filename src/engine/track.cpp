#include "engine/track.hpp"

#include <utility>

namespace holdfast::engine {

std::string_view name(Verdict verdict) {
    switch (verdict) {
    case Verdict::pending: return "pending";
    case Verdict::up: return "up";
    case Verdict::down: return "down";
    case Verdict::unknown: return "unknown";
    }
    return "unknown";
}

namespace {

Verdict as_verdict(Observation observation) {
    switch (observation) {
    case Observation::up: return Verdict::up;
    case Observation::down: return Verdict::down;
    case Observation::unknown: break;
    }
    return Verdict::unknown;
}

void settle(TrackerState& tracker, Verdict verdict, Time now) {
    tracker.verdict = verdict;
    tracker.streak = 0;
    tracker.against = false;
    tracker.resample = never;
    tracker.since = now;
}

} // namespace

bool observe(TrackerState& tracker, Observation observation, const std::string& detail, bool degraded, Time now) {
    const auto seen = as_verdict(observation);
    const bool shown_changed = detail != tracker.detail || degraded != tracker.degraded;
    tracker.detail = detail;
    tracker.degraded = degraded;
    if (seen == tracker.verdict) {
        tracker.streak = 0;
        tracker.against = false;
        tracker.resample = never;
        return shown_changed;
    }
    const bool first = tracker.verdict == Verdict::pending || tracker.verdict == Verdict::unknown;
    const unsigned needed = seen == Verdict::up ? tracker.model.rise : seen == Verdict::down ? tracker.model.fall : 1;
    if (first || ++tracker.streak >= needed) {
        settle(tracker, seen, now);
        return true;
    }
    tracker.against = true;
    // Every probe is an observation of its own; a level (a link, a unit, a process) is one again every interval it lasts.
    const bool is_level = !std::holds_alternative<model::HttpTracker>(tracker.model.kind);
    tracker.resample = is_level ? now + tracker.model.interval : never;
    return shown_changed;
}

bool resample(TrackerState& tracker, Time now) {
    tracker.resample = never;
    if (!tracker.against) return false;
    const auto observation = tracker.verdict == Verdict::up ? Observation::down : Observation::up;
    return observe(tracker, observation, std::string{tracker.detail}, tracker.degraded, now);
}

int contribution(const model::TrackUse& use, Verdict verdict) {
    if (!use.weight) return 0;
    const bool down = verdict == Verdict::down;
    return (*use.weight < 0) == down ? *use.weight : 0;
}

bool is_fault(const model::TrackUse& use, Verdict verdict) {
    return !use.weight && verdict == Verdict::down;
}

} // namespace holdfast::engine
