// Rules about trackers: is each used, does each notice a failure sooner than the host's own death would be noticed.
#include "lint/rule.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::lint {
namespace {

bool tracks(const model::Config& config, const model::Instance& instance, const std::string& tracker) {
    const auto* group = group_of(config, instance.name);
    const auto names = [&](const auto& track) {
        return std::ranges::find(track, tracker, &model::TrackUse::tracker) != track.end();
    };
    return names(instance.track) || (group && names(group->track));
}

/// Three intervals, without the skew: what a standby needs to notice that the host is dead.
Duration silence(const model::Instance& instance) {
    return 3 * instance.advert_interval;
}

/// What is asked every interval; of the others the changes are heard.
bool asks(const model::TrackerKind& kind) {
    return std::holds_alternative<model::HttpTracker>(kind) || std::holds_alternative<model::TcpTracker>(kind) ||
           std::holds_alternative<model::ScriptTracker>(kind);
}

/// The longest time from a failure to the verdict, for a tracker that has to ask.
Duration time_to_notice(const model::Tracker& tracker) {
    return tracker.fall * tracker.interval + tracker.timeout;
}

} // namespace

void tracker_rules(const config::Loaded& loaded, Findings& findings) {
    for (const auto& tracker : loaded.config.trackers) {
        const auto path = "trackers/" + tracker.name;
        const model::Instance* fastest = nullptr;
        for (const auto& instance : loaded.config.instances)
            if (tracks(loaded.config, instance, tracker.name) && (!fastest || silence(instance) < silence(*fastest)))
                fastest = &instance;
        if (!fastest)
            findings.warn(path, fmt::format("no instance tracks '{}'", tracker.name),
                          fmt::format("add it: track: [{}]", tracker.name));
        else if (asks(tracker.kind) && time_to_notice(tracker) > silence(*fastest))
            findings.warn(
                path + "/interval",
                fmt::format(
                    "'{}' may need {} to notice a failure, longer than the {} after which '{}' misses a dead host",
                    tracker.name, to_string(time_to_notice(tracker)), to_string(silence(*fastest)),
                    model::object_name(fastest->name)),
                "shorten interval and timeout, or lower fall");
    }
}

} // namespace holdfast::lint
