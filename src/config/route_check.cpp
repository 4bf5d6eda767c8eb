// Rules of a route that need more than one directive, and the lists of routes. Invariant: as list.hpp says.
#include "config/address.hpp"
#include "config/foreign.hpp"
#include "config/item.hpp"
#include "config/route.hpp"

#include <array>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

using model::Route;
using model::RouteType;

constexpr std::size_t most_routes = 1000;

constexpr std::array foreign_words{
    ForeignWord{"dev", "write interface"},
    ForeignWord{"oif", "write interface"},
    ForeignWord{"gw", "write via"},
    ForeignWord{"src", "write source"},
    ForeignWord{"dst", "write to"},
    ForeignWord{"priority", "write metric"},
    ForeignWord{"dsfield", "write tos"},
    ForeignWord{"pref", "write preference"},
    ForeignWord{"congctl", "write congestion_control"},
    ForeignWord{"realms", "write realm: 3, or realm: 3/5"},
    ForeignWord{"append", "write place: last"},
    ForeignWord{"prepend", "write place: first"},
    ForeignWord{"add", "it is the default, place: alone: remove it"},
    ForeignWord{"features", "write ecn: on"},
    ForeignWord{"no_track", "write track: off"},
    ForeignWord{"nexthop", "write nexthops: [{via: 192.0.2.1}, {via: 192.0.2.2}]"},
    ForeignWord{"protocol", "every route of holdfast has protocol 112, by which it knows its own: remove it"},
    ForeignWord{"proto", "every route of holdfast has protocol 112, by which it knows its own: remove it"}};

constexpr std::array one_family{OneFamily{"scope", Family::ipv4},   OneFamily{"tos", Family::ipv4},
                                OneFamily{"realm", Family::ipv4},   OneFamily{"from", Family::ipv6},
                                OneFamily{"expires", Family::ipv6}, OneFamily{"preference", Family::ipv6},
                                OneFamily{"place", Family::ipv4}};

class RouteCheck {
  public:
    RouteCheck(Context& context, const Draft<Route>& draft, const Node& node)
        : context_{context}, draft_{draft}, route_{draft.object}, node_{node} {}

    void run() {
        check_type();
        check_ways();
        check_families();
        if (route_.mtu_lock && !route_.mtu) error("mtu_lock", "mtu_lock needs an mtu", "add mtu: 1400");
    }

  private:
    void error(std::string_view word, std::string text, std::string hint) {
        context_.problems.error(draft_.place(word, node_.mark), std::move(text), std::move(hint));
    }

    void check_type() {
        const bool leads = route_.type == RouteType::unicast || route_.type == RouteType::local;
        for (const std::string_view word : {"via", "interface", "nexthops", "encap", "onlink"})
            if (!leads && draft_.has(word))
                error(word, fmt::format("a route of type {} leads nowhere, so it has no {}", name(route_.type), word),
                      "remove it");
        const bool has_way = route_.via || !route_.interface.empty() || !route_.nexthops.empty();
        if (leads && !has_way)
            error("to", "the route leads nowhere", "add via: ADDRESS or interface: NAME, or write type: blackhole");
    }

    void check_ways() {
        for (const std::string_view word : {"via", "interface", "encap", "onlink", "realm"})
            if (!route_.nexthops.empty() && draft_.has(word))
                error(word, fmt::format("{} and nexthops are two ways to say the same", word),
                      "give each next hop its own");
        if (route_.onlink && (!route_.via || route_.interface.empty()))
            error("onlink", "onlink needs via and interface", "add both");
        if (route_.via && route_.via->is_link_local() && route_.via->family == Family::ipv6 && route_.interface.empty())
            error("via", fmt::format("{} is on every link", to_string(*route_.via)), "add interface: NAME");
    }

    void check_families() {
        const auto family = route_.to.address.family;
        for (const auto& [word, wanted] : one_family)
            if (draft_.has(word) && family != wanted)
                error(word, fmt::format("{} is for {} routes", word, to_string(wanted)), "remove it");
        if (route_.source && route_.source->family != family)
            error("source",
                  fmt::format("source {} is not {}, as the route is", to_string(*route_.source), to_string(family)),
                  "give an address of the route's family");
        if (route_.from && route_.from->address.family != family)
            error("from", "from and to are of two families", "give both in the same");
        auto gateways = std::vector{route_.via};
        auto wraps = std::vector{route_.encap};
        for (const auto& hop : route_.nexthops) {
            gateways.push_back(hop.via);
            wraps.push_back(hop.encap);
            if (hop.realm && family == Family::ipv6)
                error("nexthops", "realm is for ipv4 routes", "remove it from the next hops");
        }
        for (const auto& encap : wraps)
            if (encap && encap->kind == model::Encap::Kind::ila && (family != Family::ipv6 || route_.to.length < 67))
                error(route_.encap ? "encap" : "nexthops",
                      "encap of type ila needs an IPv6 destination of 67 bits or more: a locator and the type of the "
                      "identifier",
                      "write to: \"2001:db8:0:1:2000::1/128\"");
        for (const auto& via : gateways)
            if (family == Family::ipv6 && via && via->family == Family::ipv4)
                error(route_.via ? "via" : "nexthops",
                      fmt::format("an IPv6 route can't have the IPv4 gateway {}", to_string(*via)),
                      "give an IPv6 gateway");
    }

    Context& context_;
    const Draft<Route>& draft_;
    const Route& route_;
    const Node& node_;
};

/// Of `default`: what the rest of the route is of.
std::optional<Family> family_of_rest(const Route& route) {
    if (route.source) return route.source->family;
    if (route.via) return route.via->family;
    for (const auto& hop : route.nexthops)
        if (hop.via) return hop.via->family;
    return std::nullopt;
}

std::optional<Route> read_route(Context& context, const Node& node) {
    if (!node.is_map()) {
        complain(context, "a route", node, must_be("a map", node, "write {to: 10.1.0.0/16, via: 192.0.2.1}"));
        return std::nullopt;
    }
    const auto before = context.problems.count();
    Draft<Route> draft;
    read_object<Route>(context, node, route_directives(), foreign_words, "a route", draft);
    require<Route>(context, route_directives(), draft, "a route", node.mark);
    if (context.problems.count() != before) return std::nullopt;
    const auto* const to = node.find("to");
    if (to && to->value.text == "default") {
        const auto family = family_of_rest(draft.object);
        if (!family)
            context.problems.error(to->value.mark, "default is of IPv4 or of IPv6, and nothing here says which",
                                   "write 0.0.0.0/0 or \"::/0\"");
        draft.object.to = {{family.value_or(Family::ipv4), {}}, 0};
    }
    check_route(context, draft, node);
    if (context.problems.count() != before) return std::nullopt;
    return std::move(draft.object);
}

} // namespace

void check_route(Context& context, const Draft<Route>& draft, const Node& node) {
    RouteCheck{context, draft, node}.run();
}

Parsed<std::uint32_t> TableNumber::parse(const Node& node) const {
    for (const auto number : {253U, model::table_main, model::table_local})
        if (node.is_scalar() && node.text == print(number)) return number;
    const auto number = parse_integer(node, 1, 4294967295, values());
    if (!number) return std::unexpected{number.error()};
    return static_cast<std::uint32_t>(*number);
}

std::string TableNumber::print(std::uint32_t table) const {
    return table == model::table_main    ? "main"
           : table == model::table_local ? "local"
           : table == 253                ? "default"
                                         : std::to_string(table);
}

Parsed<std::uint32_t> RealmNumber::parse(const Node& node) const {
    const auto slash = node.is_scalar() ? node.text.find('/') : std::string::npos;
    if (slash == std::string::npos) {
        const auto number = parse_integer(node, 1, 4294967295, values());
        if (!number) return std::unexpected{number.error()};
        return static_cast<std::uint32_t>(*number);
    }
    auto half = node;
    std::uint32_t realm = 0;
    for (const auto& text : {node.text.substr(0, slash), node.text.substr(slash + 1)}) {
        half.text = text;
        const auto number = parse_integer(half, 0, 65535, values());
        if (!number) return std::unexpected{must_be(values(), node)};
        realm = realm << 16U | static_cast<std::uint32_t>(*number);
    }
    if (realm == 0) return std::unexpected{must_be(values(), node)};
    return realm;
}

std::string RealmNumber::print(std::uint32_t realm) const {
    return realm <= 0xffff ? std::to_string(realm) : fmt::format("{}/{}", realm >> 16U, realm & 0xffffU);
}

Parsed<Prefix> Network::parse(const Node& node) const {
    if (with_default && node.is_scalar() && node.text == "default") return Prefix{{}, 0};
    const auto prefix = node.is_scalar() ? parse_prefix(node.text) : std::nullopt;
    if (!prefix) return std::unexpected{must_be(values(), node)};
    auto network = *prefix;
    for (unsigned i = network.length; i < full_prefix(network.address.family); ++i)
        network.address.bytes[i / 8] = static_cast<std::uint8_t>(network.address.bytes[i / 8] & ~(0x80U >> i % 8));
    if (network != *prefix)
        return std::unexpected{
            must_be("a network, without bits behind its length", node,
                    fmt::format("write {}, or {} for the one address", to_string(network),
                                to_string(Prefix{prefix->address, full_prefix(prefix->address.family)})))};
    return *prefix;
}

std::optional<std::vector<Route>> read_routes(Context& context, std::string_view word, const Node& node) {
    return read_items<Route>(context, word, node, "route", most_routes, "{to: 10.1.0.0/16, via: 192.0.2.1}",
                             "; give one of them another metric or table", read_route);
}

std::string write_routes(const std::vector<Route>& routes) {
    std::vector<std::string> words;
    for (const auto& route : routes)
        words.push_back(write_item(route_directives(), route));
    return "[" + join(words, ", ") + "]";
}

void check_track_groups(Context& context, const std::vector<Extras>& all, const std::vector<std::string>& groups) {
    const auto check = [&](const Extras& extras, const std::string& what, const std::string& group, Mark mark) {
        if (group.empty()) return;
        if (&extras != &all.back())
            return context.problems.error(mark, fmt::format("{} of {} has a track_group", what, extras.owner),
                                          "its own instance tracks it: remove track_group");
        if (std::ranges::find(groups, group) != groups.end()) return;
        const auto slip = nearest(group, groups);
        context.problems.error(mark,
                               fmt::format("{} has track_group '{}', and there is no such sync group", what, group),
                               slip             ? fmt::format("did you mean '{}'?", *slip)
                               : groups.empty() ? "describe it under 'sync_groups:'"
                                                : fmt::format("there is {}", some(groups)));
    };
    for (const auto& extras : all) {
        for (const auto& route : *extras.routes)
            check(extras, "route " + to_string(route.id()), route.track_group, extras.routes_mark);
        for (const auto& rule : *extras.rules)
            check(extras, "rule " + to_string(rule), rule.track_group, extras.rules_mark);
    }
}

void check_extras_together(Context& context, const std::vector<Extras>& all) {
    std::map<model::RouteId, const Extras*> routes;
    std::map<model::Rule, const Extras*> rules;
    const auto twice = [&](const std::string& what, const Extras& first, const Extras& second, Mark mark) {
        if (&first == &second) return; // said where the list was read
        context.problems.error(mark, fmt::format("{} is one of {} already", what, first.owner),
                               "it has one owner: remove it from one");
    };
    for (const auto& extras : all) {
        for (const auto& route : *extras.routes)
            if (const auto [at, fresh] = routes.emplace(route.id(), &extras); !fresh)
                twice("route " + to_string(route.id()), *at->second, extras, extras.routes_mark);
        for (const auto& rule : *extras.rules)
            if (const auto [at, fresh] = rules.emplace(rule.id(), &extras); !fresh)
                twice("rule " + to_string(rule), *at->second, extras, extras.rules_mark);
    }
}

} // namespace holdfast::config
