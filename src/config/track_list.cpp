#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr long heaviest = 253;
constexpr std::array words{std::string_view{"tracker"}, std::string_view{"weight"}, std::string_view{"reverse"}};

/// The name, if a tracker of this name exists.
std::optional<std::string> tracker_name(Context& context, const Node& node) {
    if (!node.is_scalar()) {
        complain(context, "a tracker in track", node, must_be("a name or a map {tracker: NAME, weight: NUMBER}", node));
        return std::nullopt;
    }
    if (std::ranges::find(context.trackers, node.text) != context.trackers.end()) return node.text;
    const auto slip = nearest(node.text, context.trackers);
    context.problems.error(node.mark, fmt::format("there is no tracker {}", in_quotes(node.text)),
                           slip                       ? fmt::format("did you mean '{}'?", *slip)
                           : context.trackers.empty() ? "describe it under 'trackers:'"
                                                      : fmt::format("there is {}", some(context.trackers)));
    return std::nullopt;
}

std::optional<int> read_weight(Context& context, const Node& node, bool& fine) {
    const auto wanted = fmt::format("a number from -{0} to -1 or from 1 to {0}", heaviest);
    auto weight = parse_integer(node, -heaviest, heaviest, wanted);
    if (weight && *weight == 0)
        weight = std::unexpected{must_be(wanted, node, "without a weight, a failing tracker is a fault")};
    if (weight) return static_cast<int>(*weight);
    complain(context, "weight", node, weight.error());
    fine = false;
    return std::nullopt;
}

std::optional<model::TrackUse> read_use(Context& context, const Node& node) {
    if (!node.is_map()) {
        auto name = tracker_name(context, node);
        if (!name) return std::nullopt;
        return model::TrackUse{.tracker = std::move(*name)};
    }
    bool fine = true;
    model::TrackUse use;
    const auto* const named = node.find("tracker");
    for (const auto& entry : node.entries) {
        if (entry.key == "tracker") {
            const auto name = tracker_name(context, entry.value);
            fine = fine && name;
            if (name) use.tracker = *name;
        } else if (entry.key == "weight") {
            use.weight = read_weight(context, entry.value, fine);
        } else if (entry.key == "reverse") {
            const auto reverse = Flag{}.parse(entry.value);
            if (!reverse) complain(context, "reverse", entry.value, reverse.error());
            fine = fine && reverse;
            use.reverse = reverse.value_or(false);
        } else {
            unknown_key(context, entry, words, {}, "an entry of track");
            fine = false;
        }
    }
    if (!named) {
        context.problems.error(node.mark, "an entry of track does not name its tracker",
                               "write {tracker: NAME, weight: NUMBER}");
        fine = false;
    }
    if (!fine) return std::nullopt;
    return use;
}

} // namespace

std::optional<std::vector<model::TrackUse>> read_track(Context& context, const Node& node) {
    if (!node.is_list()) {
        const auto hint = node.is_scalar() && is_name(node.text) ? fmt::format("write [{}]", node.text) : "";
        complain(context, "track", node, must_be("a list of trackers", node, hint));
        return std::nullopt;
    }
    bool fine = true;
    std::vector<model::TrackUse> result;
    for (const auto& item : node.items) {
        auto use = read_use(context, item);
        fine = fine && use;
        if (!use) continue;
        if (std::ranges::find(result, use->tracker, &model::TrackUse::tracker) != result.end()) {
            context.problems.error(item.mark, fmt::format("tracker '{}' is tracked twice", use->tracker),
                                   "keep one entry: either it has a weight or its failure is a fault");
            fine = false;
        }
        result.push_back(std::move(*use));
    }
    if (!fine) return std::nullopt;
    return result;
}

namespace {

std::string write_use(const model::TrackUse& use) {
    if (!use.weight && !use.reverse) return yaml_text(use.tracker);
    std::string out = "{tracker: " + yaml_text(use.tracker);
    if (use.weight) out += fmt::format(", weight: {}", *use.weight);
    if (use.reverse) out += ", reverse: true";
    return out + "}";
}

} // namespace

std::string write_track(const std::vector<model::TrackUse>& uses) {
    std::vector<std::string> words_out;
    for (const auto& use : uses)
        words_out.push_back(write_use(use));
    return "[" + join(words_out, ", ") + "]";
}

} // namespace holdfast::config
