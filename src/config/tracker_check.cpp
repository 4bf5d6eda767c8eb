// Rules of a tracker that need more than one directive: exactly one kind, and only what goes with it.
#include "config/check.hpp"

#include "base/text.hpp"

#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Tracker;

constexpr std::array kinds{
    std::string_view{"interface"}, std::string_view{"process"},       std::string_view{"command"},
    std::string_view{"unit"},      std::string_view{"http"},          std::string_view{"tcp"},
    std::string_view{"script"},    std::string_view{"file"},          std::string_view{"bfd"},
    std::string_view{"route"},     std::string_view{"virtual_server"}};

struct Belongs {
    std::string_view word, kind, also{};
};
constexpr std::array belongings{Belongs{"quorum", "process", "command"},
                                Belongs{"quorum_max", "process", "command"},
                                Belongs{"arguments", "process"},
                                Belongs{"match", "process", "command"},
                                Belongs{"delay", "process", "command"},
                                Belongs{"fork_delay", "process", "command"},
                                Belongs{"terminate_delay", "process", "command"},
                                Belongs{"up_delay", "interface"},
                                Belongs{"down_delay", "interface"},
                                Belongs{"poll", "interface"},
                                Belongs{"restart", "unit"},
                                Belongs{"user", "script"},
                                Belongs{"init", "file"},
                                Belongs{"table", "route"},
                                Belongs{"via", "route"}};

/// What `tracker` watches; empty when it does not say.
std::string_view check_kind(Context& context, const Named<Tracker>& named) {
    std::string_view first;
    for (const auto kind : kinds) {
        if (!named.draft.has(kind)) continue;
        if (kind == "interface" && named.draft.has("route")) continue; // where the route leads
        if (!first.empty())
            context.problems.error(
                named.draft.given.at(kind).key,
                fmt::format("tracker '{}' watches {} already, and {} would be a second thing", named.name, first, kind),
                "make two trackers and track both");
        if (first.empty()) first = kind;
    }
    if (first.empty())
        context.problems.error(
            named.mark, fmt::format("tracker '{}' does not say what it watches", named.name),
            "add one of interface, process, command, unit, http, tcp, script, file, bfd, route and virtual_server");
    return first;
}

void check_belongings(Context& context, const Named<Tracker>& named, std::string_view kind) {
    for (const auto& [word, wanted, also] : belongings)
        if (named.draft.has(word) && kind != wanted && kind != also)
            context.problems.error(named.draft.given.at(word).key,
                                   fmt::format("{} goes with {}, not with {}", word, wanted, kind), "remove it");
    const auto& tracker = named.draft.object;
    if (kind == "file")
        for (const auto& [word, given] :
             {std::pair{std::string_view{"rise"}, tracker.rise != model::Tracker{}.rise},
              std::pair{std::string_view{"fall"}, tracker.fall != model::Tracker{}.fall},
              std::pair{std::string_view{"init_fail"}, tracker.init_fail != model::Tracker{}.init_fail}})
            if (given)
                context.problems.error(named.draft.given.at(word).key,
                                       fmt::format("{} has no meaning for a file: its number counts at once", word),
                                       "remove it");
}

void check_process(Context& context, const Named<Tracker>& named, model::ProcessTracker& process) {
    const auto& draft = named.draft;
    if (process.match != model::Match::exact && process.arguments.empty() && process.command.empty() &&
        !draft.has("arguments"))
        context.problems.error(draft.given.at("match").key, "match needs words to compare", "add arguments: [...]");
    if (!process.quorum_max || !draft.usable("quorum") || !draft.usable("quorum_max")) return;
    const bool none_may_run = *process.quorum_max == 0 && process.quorum == model::ProcessTracker{}.quorum;
    if (process.quorum > *process.quorum_max && !none_may_run)
        context.problems.error(
            draft.given.at("quorum_max").key,
            fmt::format("quorum_max {} is below quorum {}: it could never be up", *process.quorum_max, process.quorum),
            *process.quorum_max == 0 ? "remove quorum: none may run" : "raise quorum_max");
}

} // namespace

void check_tracker(Context& context, Named<Tracker>& named) {
    if (const auto kind = check_kind(context, named); !kind.empty()) check_belongings(context, named, kind);
    auto& draft = named.draft;
    if (auto* process = std::get_if<model::ProcessTracker>(&draft.object.kind)) check_process(context, named, *process);
    if (!draft.has("timeout")) draft.object.timeout = draft.object.interval;
    if (!draft.usable("timeout") || !draft.usable("interval") || draft.object.timeout <= draft.object.interval) return;
    context.problems.error(draft.place("timeout", named.mark),
                           fmt::format("timeout {} is longer than the interval, {}", to_string(draft.object.timeout),
                                       to_string(draft.object.interval)),
                           "one probe has to end before the next one starts");
}

} // namespace holdfast::config
