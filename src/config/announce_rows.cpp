// The directives of an announce group: interfaces that announce at one pace. Invariant: an interface is in one of them at most.
#include "config/item.hpp"
#include "config/list.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

using model::AnnounceGroup;

constexpr std::size_t most_interfaces = 1000;

std::optional<Mark> read_interfaces(Context& context, const Node& node, AnnounceGroup& group) {
    if (!node.is_list() || node.items.empty() || node.items.size() > most_interfaces) {
        const auto hint = node.is_scalar() && !node.text.empty() ? fmt::format("write [{}]", yaml_text(node.text)) : "";
        complain(context, "interfaces", node,
                 must_be(fmt::format("a list of 1 to {} interfaces", most_interfaces), node, hint));
        return std::nullopt;
    }
    std::vector<std::string> names;
    for (const auto& item : node.items) {
        auto name = check_link(item);
        if (!name)
            complain(context, "an entry of interfaces", item, name.error());
        else
            names.push_back(std::move(*name));
    }
    if (names.size() < node.items.size()) return std::nullopt;
    group.interfaces = std::move(names);
    return node.mark;
}

std::string write_interfaces(const AnnounceGroup& group) {
    std::vector<std::string> names;
    for (const auto& name : group.interfaces)
        names.push_back(yaml_text(name));
    return "[" + join(names, ", ") + "]";
}

std::vector<Directive<AnnounceGroup>> rows() {
    auto interfaces =
        bare_row<AnnounceGroup>("interfaces", Shape::list, "a list of interface names",
                                "Where one announcement is sent at a time; each is in one group at most.");
    interfaces.read = read_interfaces;
    interfaces.write = [](const AnnounceGroup& group, Secrets) { return std::optional{write_interfaces(group)}; };
    return {
        std::move(interfaces).must_be_given(),
        item_row<AnnounceGroup, &AnnounceGroup::interval>(
            "interval", Span{1us, 1min},
            "The least time between two announcements on any of them; a longer `announce_interval` counts instead.")
            .must_be_given(),
    };
}

/// Where each interface is named, so that a second one can say it.
void check_interfaces(Context& context, const Node& list, const AnnounceGroup& group,
                      std::map<std::string, std::pair<std::string, Mark>>& first) {
    for (std::size_t i = 0; i < group.interfaces.size(); ++i) {
        const auto& mark = list.items[i].mark;
        const auto [at, fresh] = first.emplace(group.interfaces[i], std::pair{group.name, mark});
        if (fresh) continue;
        context.problems.error(
            mark,
            fmt::format("interface '{}' is in announce group '{}' already", group.interfaces[i], at->second.first),
            fmt::format("named at {}; keep one of them", context.sources.place(at->second.second)));
    }
}

} // namespace

std::span<const Directive<AnnounceGroup>> announce_group_directives() {
    static const auto all = rows();
    return all;
}

std::vector<AnnounceGroup> read_announce_groups(Context& context, const std::vector<const Entry*>& entries) {
    static constexpr std::array foreign{ForeignWord{"interface", "write interfaces: [eth0]"},
                                        ForeignWord{"garp_interval", "write interval, with a unit: 5ms"},
                                        ForeignWord{"gna_interval", "interval is for ARP and NA: write it once"}};
    std::vector<AnnounceGroup> groups;
    std::map<std::string, std::pair<std::string, Mark>> first;
    for (const auto* entry : entries) {
        Draft<AnnounceGroup> draft;
        draft.object.name = entry->key;
        const auto rows = announce_group_directives();
        read_object<AnnounceGroup>(context, entry->value, rows, foreign, "an announce group", draft);
        require<AnnounceGroup>(context, rows, draft, fmt::format("announce group '{}'", entry->key), entry->mark);
        if (const auto given = draft.given.find("interfaces"); given != draft.given.end() && given->second.valid)
            check_interfaces(context, *given->second.node, draft.object, first);
        groups.push_back(std::move(draft.object));
    }
    std::ranges::sort(groups, {}, &AnnounceGroup::name);
    return groups;
}

} // namespace holdfast::config
