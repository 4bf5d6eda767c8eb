#include "config/own_link.hpp"

#include "config/families.hpp"
#include "config/utf8.hpp"

#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

using model::Instance;

std::string_view directive_of(const Instance& instance) {
    return instance.virtual_mac ? "virtual_mac" : "ipvlan";
}

/// The interfaces that an instance makes.
std::vector<std::string> own_links(const Instance& instance) {
    std::vector<std::string> names;
    for (auto one = instance; const auto family : {Family::ipv4, Family::ipv6}) {
        one.family = family;
        if (has_family(instance, family)) names.push_back(one.address_interface());
    }
    return names;
}

void refuse_name(Context& context, const Named<Instance>& named, const std::string& name, const std::string& why) {
    const auto directive = directive_of(named.draft.object);
    context.problems.error(place_inside(named, directive, "interface"), why,
                           fmt::format("give '{}' a name of its own: {}: {{interface: {}}}", named.name, directive,
                                       name.size() < 14 ? name + "b" : "vmac0"));
}

bool is_read(const Named<Instance>& named) {
    const auto directive = directive_of(named.draft.object);
    return named.draft.object.has_own_link() && named.draft.has(directive) && named.draft.usable(directive);
}

void check_names(Context& context, const std::vector<Named<Instance>>& instances) {
    std::map<std::string, const Named<Instance>*> seen;
    for (const auto& named : instances) {
        if (!is_read(named) || !named.draft.usable("vrid")) continue;
        for (const auto& name : own_links(named.draft.object)) {
            const auto [first, fresh] = seen.emplace(name, &named);
            if (!fresh && first->second != &named)
                refuse_name(context, named, name,
                            fmt::format("instances '{}' and '{}' both make the interface {}", first->second->name,
                                        named.name, name));
            for (const auto& other : instances)
                if (&other != &named && other.draft.object.interface == name)
                    refuse_name(context, named, name,
                                fmt::format("{} is the interface of instance '{}' already", name, other.name));
        }
    }
}

/// The kernel gives the frames of an interface to its macvlans or to its ipvlans, and these all have one mode.
void check_kinds(Context& context, const std::vector<Named<Instance>>& instances) {
    std::map<std::string_view, const Named<Instance>*> seen;
    for (const auto& named : instances) {
        const auto& instance = named.draft.object;
        if (!is_read(named) || !named.draft.usable("interface")) continue;
        const auto [at, fresh] = seen.emplace(instance.interface, &named);
        if (fresh) continue;
        const auto& first = at->second->draft.object;
        const auto directive = directive_of(instance);
        if (directive_of(first) != directive)
            context.problems.error(place_inside(named, directive, ""),
                                   fmt::format("{} can't carry both an ipvlan and the macvlan of a virtual_mac: "
                                               "instance '{}' has {}",
                                               instance.interface, at->second->name, directive_of(first)),
                                   fmt::format("write {} for both", directive_of(first)));
        else if (instance.ipvlan && instance.ipvlan->mode != first.ipvlan->mode)
            context.problems.error(place_inside(named, directive, "mode"),
                                   fmt::format("all ipvlans on {} have one mode, and instance '{}' has another",
                                               instance.interface, at->second->name),
                                   "give both the same");
    }
}

} // namespace

Mark place_inside(const Named<Instance>& named, std::string_view directive, std::string_view word) {
    const auto& given = named.draft.given.at(directive);
    const auto* entry = given.node && given.node->is_map() ? given.node->find(word) : nullptr;
    return entry ? entry->value.mark : given.value;
}

bool read_own_link_name(Context& context, const Node& node, std::string& name) {
    const auto link = check_vrrp_link(node);
    if (!link) complain(context, "interface", node, link.error());
    name = link.value_or("");
    return link.has_value();
}

void check_own_link(Context& context, const Named<Instance>& named, std::string_view directive,
                    const std::string& name) {
    const auto& draft = named.draft;
    if (draft.usable("priority") && draft.object.is_owner())
        context.problems.error(
            place_inside(named, directive, ""),
            fmt::format("'{}' has priority 255, so its addresses are the interface's own and stay at its MAC address",
                        named.name),
            fmt::format("give it a priority below 255, or remove {}", directive));
    if (draft.usable("interface") && name == draft.object.interface)
        context.problems.error(
            place_inside(named, directive, "interface"),
            fmt::format("{} is the interface of the instance; {} makes another one on it", name, directive),
            "choose a name that no interface has, or leave it out");
}

void check_own_links(Context& context, const std::vector<Named<Instance>>& instances) {
    check_names(context, instances);
    check_kinds(context, instances);
}

} // namespace holdfast::config
