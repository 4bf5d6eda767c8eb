#include "engine/track.hpp"

#include <algorithm>
#include <fmt/format.h>
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

constexpr std::int64_t heaviest = 253;

Verdict as_verdict(Observation observation) {
    switch (observation) {
    case Observation::up: return Verdict::up;
    case Observation::down: return Verdict::down;
    case Observation::unknown: break;
    }
    return Verdict::unknown;
}

/// Nothing is against the verdict.
void calm(TrackerState& tracker) {
    tracker.streak = 0;
    tracker.against = false;
    tracker.resample = tracker.due = never;
}

void settle(TrackerState& tracker, Verdict verdict, Time now) {
    calm(tracker);
    tracker.verdict = verdict;
    tracker.since = now;
}

/// True when something that is shown has changed.
bool show(TrackerState& tracker, const TrackerObserved& seen) {
    const bool changed = seen.detail != tracker.detail || seen.degraded != tracker.degraded ||
                         seen.value != tracker.value || seen.skipped != tracker.skipped;
    tracker.detail = seen.detail;
    tracker.degraded = seen.degraded;
    tracker.value = seen.value;
    tracker.skipped = seen.skipped;
    tracker.repair = seen.repair;
    return changed;
}

/// Every probe is an observation of its own; a level (a link, a unit, a process) is one again every interval it lasts.
bool is_level(const model::TrackerKind& kind) {
    return !std::holds_alternative<model::HttpTracker>(kind) && !std::holds_alternative<model::TcpTracker>(kind) &&
           !std::holds_alternative<model::ScriptTracker>(kind);
}

/// How long what was seen has to last before it counts; a unit is restarted here, at most once in a minute.
Duration patience(TrackerState& tracker, Verdict seen, Time now) {
    const auto delays = model::delays(tracker.model.kind);
    if (seen == Verdict::up) return delays.up;
    if (seen != Verdict::down) return Duration{0};
    const auto* unit = std::get_if<model::UnitTracker>(&tracker.model.kind);
    const bool mends = tracker.repair == Repair::wanted || tracker.repair == Repair::under_way;
    if (!unit || unit->restart == Duration{0} || !mends || now - tracker.repaired < repair_memory) return delays.down;
    tracker.repaired = now;
    tracker.restart_wanted = tracker.repair == Repair::wanted;
    return unit->restart;
}

std::int64_t product(const model::TrackUse& use, const TrackerState& tracker) {
    if (tracker.verdict == Verdict::pending || tracker.verdict == Verdict::unknown) return 0;
    return tracker.value * use.weight.value_or(0) * (use.reverse ? -1 : 1);
}

bool weighs_a_file(const model::TrackUse& use, const TrackerState& tracker) {
    return use.weight && std::holds_alternative<model::FileTracker>(tracker.model.kind);
}

} // namespace

bool observe(TrackerState& tracker, const TrackerObserved& event, Time now) {
    const auto seen = as_verdict(event.observation);
    const bool shown_changed = show(tracker, event);
    if (event.took) {
        tracker.runs.add(*event.took);
        tracker.ran = true;
    }
    if (seen == tracker.verdict) {
        calm(tracker);
        return shown_changed;
    }
    const bool first = tracker.verdict == Verdict::pending || tracker.verdict == Verdict::unknown;
    const unsigned needed = seen == Verdict::up ? tracker.model.rise : seen == Verdict::down ? tracker.model.fall : 1;
    tracker.against = true;
    if (!first && ++tracker.streak < needed) {
        tracker.resample = is_level(tracker.model.kind) ? now + tracker.model.interval : never;
        return shown_changed;
    }
    tracker.resample = never;
    if (!first && tracker.due == never)
        if (const auto wait = patience(tracker, seen, now); wait > Duration{0}) tracker.due = now + wait;
    if (tracker.due == never || now >= tracker.due || tracker.repair == Repair::failed) {
        settle(tracker, seen, now);
        return true;
    }
    return shown_changed || tracker.restart_wanted;
}

bool observe(TrackerState& tracker, Observation observation, const std::string& detail, bool degraded, Time now) {
    return observe(tracker, TrackerObserved{tracker.model.name, observation, detail, degraded}, now);
}

bool elapsed(TrackerState& tracker, Time now) {
    if (!tracker.against) {
        tracker.resample = tracker.due = never;
        return false;
    }
    const auto opposite = tracker.verdict == Verdict::up ? Verdict::down : Verdict::up;
    if (now >= tracker.due) {
        settle(tracker, opposite, now);
        return true;
    }
    if (now < tracker.resample) return false;
    tracker.resample = never;
    return observe(tracker,
                   TrackerObserved{.tracker = tracker.model.name,
                                   .observation = opposite == Verdict::down ? Observation::down : Observation::up,
                                   .detail = tracker.detail,
                                   .degraded = tracker.degraded,
                                   .value = tracker.value,
                                   .skipped = tracker.skipped,
                                   .repair = tracker.repair},
                   now);
}

void reset(TrackerState& tracker, Time now) {
    tracker.driver = Observation::unknown;
    tracker.driver_detail.clear();
    settle(tracker, tracker.model.init_fail ? Verdict::down : Verdict::pending, now);
    tracker.detail = tracker.model.init_fail ? "not observed yet, and init_fail says that this is a failure" : "";
    tracker.value = 0;
    tracker.skipped = 0;
    tracker.degraded = false;
    tracker.restart_wanted = false;
}

int contribution(const model::TrackUse& use, Verdict verdict) {
    if (!use.weight) return 0;
    const bool known = verdict == Verdict::up || verdict == Verdict::down;
    const bool down = known ? verdict == Verdict::down : use.reverse; // the better one
    const int plain = (*use.weight < 0) == down ? *use.weight : 0;
    return use.reverse ? -plain : plain;
}

bool is_fault(const model::TrackUse& use, Verdict verdict) {
    return !use.weight && verdict == (use.reverse ? Verdict::up : Verdict::down);
}

int contribution(const model::TrackUse& use, const TrackerState& tracker) {
    if (!weighs_a_file(use, tracker)) return contribution(use, tracker.verdict);
    return static_cast<int>(std::clamp(product(use, tracker), -heaviest, heaviest));
}

bool is_fault(const model::TrackUse& use, const TrackerState& tracker) {
    if (!weighs_a_file(use, tracker)) return is_fault(use, tracker.verdict);
    return product(use, tracker) < -heaviest;
}

std::string fault_text(const model::TrackUse& use, const TrackerState& tracker) {
    if (weighs_a_file(use, tracker))
        return fmt::format("tracker {} takes {} from the priority, more than there is: {}", use.tracker,
                           -product(use, tracker), tracker.detail);
    return fmt::format("tracker {} is {}: {}", use.tracker, name(tracker.verdict), tracker.detail);
}

} // namespace holdfast::engine
