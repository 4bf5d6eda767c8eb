#include "model/route.hpp"

#include <fmt/format.h>

namespace holdfast::model {

std::string_view name(RouteType type) {
    switch (type) {
    case RouteType::unicast: return "unicast";
    case RouteType::local: return "local";
    case RouteType::blackhole: return "blackhole";
    case RouteType::unreachable: return "unreachable";
    case RouteType::prohibit: return "prohibit";
    case RouteType::throw_: return "throw";
    }
    return "unicast";
}

std::string_view name(Encap::Kind kind) {
    switch (kind) {
    case Encap::Kind::mpls: return "mpls";
    case Encap::Kind::ip: return "ip";
    case Encap::Kind::ip6: return "ip6";
    case Encap::Kind::ila: return "ila";
    }
    return "mpls";
}

std::string_view name(RuleAction action) {
    switch (action) {
    case RuleAction::lookup: return "lookup";
    case RuleAction::jump: return "goto";
    case RuleAction::nop: return "nop";
    case RuleAction::blackhole: return "blackhole";
    case RuleAction::unreachable: return "unreachable";
    case RuleAction::prohibit: return "prohibit";
    }
    return "lookup";
}

RouteId Route::id() const {
    constexpr std::uint32_t usual_metric = 1024; // IP6_RT_PRIO_USER: what the kernel makes of none
    auto number = metric.value_or(0);
    if (to.address.family == Family::ipv6 && number == 0) number = usual_metric;
    return {to, from, table, tos, number};
}

namespace {

std::string prefix_text(const Prefix& prefix) {
    if (prefix.length == 0) return prefix.address.family == Family::ipv4 ? "default" : "default (IPv6)";
    return to_string(prefix);
}

std::string way(const std::optional<IpAddress>& via, const std::string& interface) {
    std::string text;
    if (via) text += " via " + to_string(*via);
    if (!interface.empty()) text += " dev " + interface;
    return text;
}

std::string range(const Range& r) {
    return r.first == r.second ? fmt::format("{}", r.first) : fmt::format("{}-{}", r.first, r.second);
}

/// What is matched beside addresses.
std::string selectors(const Rule& rule) {
    std::string text;
    if (!rule.iif.empty()) text += " iif " + rule.iif;
    if (!rule.oif.empty()) text += " oif " + rule.oif;
    if (rule.tos != 0) text += fmt::format(" tos {:#x}", rule.tos);
    if (rule.fwmark) text += fmt::format(" fwmark {:#x}/{:#x}", rule.fwmark->first, rule.fwmark->second);
    if (rule.tun_id != 0) text += fmt::format(" tun_id {}", rule.tun_id);
    if (rule.uidrange) text += fmt::format(" uidrange {}-{}", rule.uidrange->first, rule.uidrange->second);
    if (rule.ipproto != 0) text += fmt::format(" ipproto {}", rule.ipproto);
    if (rule.sport) text += " sport " + range(*rule.sport);
    if (rule.dport) text += " dport " + range(*rule.dport);
    return text;
}

std::string what_then(const Rule& rule) {
    if (rule.l3mdev) return " lookup [l3mdev-table]";
    if (rule.action == RuleAction::jump) return fmt::format(" goto {}", rule.target);
    if (rule.action == RuleAction::lookup) return fmt::format(" lookup {}", rule.table);
    return fmt::format(" {}", name(rule.action));
}

} // namespace

std::string to_string(const RouteId& id) {
    auto text = prefix_text(id.to);
    if (id.from) text += " from " + holdfast::to_string(*id.from);
    if (id.tos != 0) text += fmt::format(" tos {:#x}", id.tos);
    if (id.table != table_main) text += fmt::format(" table {}", id.table);
    if (id.metric != 0) text += fmt::format(" metric {}", id.metric);
    return text;
}

std::string to_string(const Route& route) {
    auto text = route.type == RouteType::unicast ? std::string{} : fmt::format("{} ", name(route.type));
    text += prefix_text(route.to) + way(route.via, route.interface);
    for (const auto& hop : route.nexthops)
        text += fmt::format(" nexthop{} weight {}", way(hop.via, hop.interface), hop.weight);
    if (route.from) text += " from " + holdfast::to_string(*route.from);
    if (route.source) text += " src " + holdfast::to_string(*route.source);
    if (route.tos != 0) text += fmt::format(" tos {:#x}", route.tos);
    if (route.table != table_main) text += fmt::format(" table {}", route.table);
    if (route.metric) text += fmt::format(" metric {}", *route.metric);
    return text;
}

std::string to_string(const Rule& rule) {
    auto text = fmt::format("{}from {}", rule.invert ? "not " : "",
                            rule.from ? holdfast::to_string(*rule.from) : std::string{"all"});
    if (rule.to) text += " to " + holdfast::to_string(*rule.to);
    text += selectors(rule) + what_then(rule);
    if (rule.suppress_prefixlength) text += fmt::format(" suppress_prefixlength {}", *rule.suppress_prefixlength);
    if (rule.suppress_ifgroup) text += fmt::format(" suppress_ifgroup {}", *rule.suppress_ifgroup);
    if (rule.realm) text += fmt::format(" realm {}", *rule.realm);
    return text + fmt::format(" priority {}{}", rule.priority, rule.family == Family::ipv6 ? " (IPv6)" : "");
}

} // namespace holdfast::model
