// Rules about what an instance tells others, and about trackers that watch something else than people think.
#include "lint/rule.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::lint {
namespace {

/// The successor's last announcement of a takeover: what is answered wrongly until then is mended by it.
constexpr Duration last_announcement = 1s;

/// Their name says nothing of the program that they run.
constexpr std::array interpreters{"sh", "bash", "dash", "python", "python3", "perl", "ruby", "java", "node", "php"};

bool is_interpreter(const std::string& name) {
    return std::ranges::any_of(interpreters, [&](const char* each) { return name == each; });
}

} // namespace

void notify_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const model::Instance& instance, const std::string& name, const std::string& path) {
        const auto& notify = instance.notify;
        if (!notify.before_removal.empty() && notify.hook_timeout > last_announcement)
            findings.warn(
                path + "/notify",
                fmt::format("before_removal of '{}' may keep its addresses for {} beside the successor's, which "
                            "announces them for {} only",
                            name, to_string(notify.hook_timeout), to_string(last_announcement)),
                "give hook_timeout: 1s at most, and leave to `backup` what takes longer");
        if (!notify.before_removal.empty() && instance.handover_timeout == Duration::zero())
            findings.warn(path + "/notify",
                          fmt::format("'{}' hands over at once (handover_timeout: 0s), yet its addresses wait for "
                                      "before_removal",
                                      name),
                          "remove one of the two");
    });
}

void watch_rules(const config::Loaded& loaded, Findings& findings) {
    for (const auto& tracker : loaded.config.trackers) {
        const auto* process = std::get_if<model::ProcessTracker>(&tracker.kind);
        if (process && is_interpreter(process->process) && process->arguments.empty())
            findings.warn(
                "trackers/" + tracker.name + "/process",
                fmt::format("'{}' counts every {} of this host, whatever it runs", tracker.name, process->process),
                "say which: arguments: [/path/of/the/script], match: initial");
    }
    each_object(loaded, [&](const model::Instance& instance, const std::string& name, const std::string& path) {
        for (const auto& use : instance.track) {
            const auto* tracker = model::find_tracker(loaded.config, use.tracker);
            const auto* link = tracker ? std::get_if<model::InterfaceTracker>(&tracker->kind) : nullptr;
            if (link && link->interface == instance.interface && !use.reverse)
                findings.warn(
                    path + "/track",
                    fmt::format("'{}' tracks {}, its own interface, which is watched anyway", name, link->interface),
                    "remove it from track: without its link an instance is in fault");
        }
    });
}

} // namespace holdfast::lint
