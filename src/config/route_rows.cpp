// The directives of a route, of its encapsulation and of its next hops.
#include "config/address.hpp"
#include "config/item.hpp"
#include "config/route.hpp"
#include "config/word_of.hpp"

#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Encap;
using model::Nexthop;
using model::Route;
using model::RouteType;

constexpr long most = 4294967295;
constexpr std::size_t most_labels = 16;
constexpr std::size_t most_nexthops = 16;
constexpr std::size_t longest_algorithm = 15; // TCP_CA_NAME_MAX - 1

constexpr auto type_word = word_of<RouteType>({{"unicast", RouteType::unicast},
                                               {"local", RouteType::local},
                                               {"blackhole", RouteType::blackhole},
                                               {"unreachable", RouteType::unreachable},
                                               {"prohibit", RouteType::prohibit},
                                               {"throw", RouteType::throw_}});
constexpr auto preference_word = word_of<model::RoutePreference>({{"low", model::RoutePreference::low},
                                                                  {"medium", model::RoutePreference::medium},
                                                                  {"high", model::RoutePreference::high}});
constexpr auto encap_word = word_of<Encap::Kind>(
    {{"mpls", Encap::Kind::mpls}, {"ip", Encap::Kind::ip}, {"ip6", Encap::Kind::ip6}, {"ila", Encap::Kind::ila}});
constexpr auto checksum_word = word_of<Encap::Checksum>({{"adj-transport", Encap::Checksum::adj_transport},
                                                         {"neutral-map", Encap::Checksum::neutral_map},
                                                         {"no-action", Encap::Checksum::no_action},
                                                         {"neutral-map-auto", Encap::Checksum::neutral_map_auto}});
constexpr auto place_word = word_of<model::RoutePlace>(
    {{"alone", model::RoutePlace::alone}, {"first", model::RoutePlace::first}, {"last", model::RoutePlace::last}});

/// The upper half of an IPv6 address, as ip-route(8) writes it.
struct Locator {
    using Value = std::uint64_t;
    std::string values() const { return "the first half of an IPv6 address, like 2001:db8:0:2"; }
    Parsed<std::uint64_t> parse(const Node& node) const {
        const auto address = node.is_scalar() ? parse_ip(node.text + "::") : std::nullopt;
        if (!address || address->family != Family::ipv6 || std::ranges::count(node.text, ':') != 3)
            return std::unexpected{must_be(values(), node)};
        std::uint64_t locator = 0;
        for (const auto byte : address->span().first(sizeof locator))
            locator = locator << 8U | byte;
        return locator;
    }
    std::string print(std::uint64_t locator) const {
        const auto word = [locator](unsigned shift) { return locator >> shift & 0xffffU; };
        return fmt::format("\"{:x}:{:x}:{:x}:{:x}\"", word(48), word(32), word(16), word(0));
    }
};

Parsed<std::string> check_algorithm(const Node& node) {
    const auto is_fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (!node.is_scalar() || node.text.empty() || node.text.size() > longest_algorithm ||
        !std::ranges::all_of(node.text, is_fine))
        return std::unexpected{must_be("the name of an algorithm, like cubic", node)};
    return node.text;
}

Text link_text() {
    return {check_link, "the name of a network interface"};
}

Directive<Encap> labels_row() {
    auto row =
        bare_row<Encap>("labels", Shape::list, "a list of labels, 0 to 1048575", "The outermost first; mpls.", "none");
    row.read = [](Context& context, const Node& node, Encap& encap) -> std::optional<Mark> {
        if (!node.is_list() || node.items.empty() || node.items.size() > most_labels) {
            complain(context, "labels", node, must_be(fmt::format("a list of 1 to {} labels", most_labels), node));
            return std::nullopt;
        }
        for (const auto& item : node.items) {
            const auto label = parse_integer(item, 0, 1048575, "a label, 0 to 1048575");
            if (!label) {
                complain(context, "labels", item, label.error());
                return std::nullopt;
            }
            encap.labels.push_back(static_cast<std::uint32_t>(*label));
        }
        return node.mark;
    };
    row.write = [](const Encap& encap, Secrets) -> std::optional<std::string> {
        if (encap.labels.empty()) return std::nullopt;
        std::vector<std::string> words;
        for (const auto label : encap.labels)
            words.push_back(std::to_string(label));
        return "[" + join(words, ", ") + "]";
    };
    return row;
}

void check_encap(Context& context, const Draft<Encap>& draft, const Node& node) {
    const auto& encap = draft.object;
    const bool is_mpls = encap.kind == Encap::Kind::mpls, is_ila = encap.kind == Encap::Kind::ila;
    const auto family = encap.kind == Encap::Kind::ip ? Family::ipv4 : Family::ipv6;
    const auto error = [&](std::string text, std::string hint) {
        context.problems.error(node.mark, std::move(text), std::move(hint));
    };
    if (is_mpls && encap.labels.empty()) error("encap of type mpls has no labels", "add labels: [100]");
    if (is_mpls && (encap.destination || encap.source || encap.id != 0 || encap.tos != 0))
        error("encap of type mpls has labels and ttl only", "remove destination, source, id and tos");
    const bool has_checksum = encap.checksum != Encap::Checksum::no_action;
    if (!is_ila && (encap.locator || has_checksum))
        error(fmt::format("encap of type {} has no locator and no checksum", name(encap.kind)), "write type: ila");
    if (is_ila && !encap.locator) error("encap of type ila has no locator", "add locator: \"2001:db8:0:2\"");
    if (is_ila && (encap.destination || encap.source || !encap.labels.empty() || encap.id != 0 || encap.ttl != 0 ||
                   encap.tos != 0))
        error("encap of type ila has locator and checksum only", "remove the rest");
    if (is_mpls || is_ila) return;
    if (!encap.labels.empty()) error(fmt::format("encap of type {} has no labels", name(encap.kind)), "remove them");
    if (!encap.destination)
        error(fmt::format("encap of type {} has no destination", name(encap.kind)), "add destination: ADDRESS");
    for (const auto& address : {encap.destination, encap.source})
        if (address && address->family != family)
            error(fmt::format("encap of type {} is between {} addresses, and {} is none", name(encap.kind),
                              to_string(family), to_string(*address)),
                  encap.kind == Encap::Kind::ip ? "write type: ip6" : "write type: ip");
}

std::optional<Encap> read_encap(Context& context, const Node& node) {
    return read_map<Encap>(context, node, encap_directives(), {}, "encap", "{type: mpls, labels: [100]}",
                           [&](const Draft<Encap>& draft) { check_encap(context, draft, node); });
}

template <typename Object>
Directive<Object> encap_row() {
    auto row =
        bare_row<Object>("encap", Shape::map,
                         "{type: mpls, labels: [100]}, {type: ip, destination: ADDRESS, ...} or {type: ila, locator: "
                         "\"2001:db8:0:2\"}",
                         "What packets are wrapped into on their way.", "none");
    row.read = [](Context& context, const Node& node, Object& object) -> std::optional<Mark> {
        object.encap = read_encap(context, node);
        if (!object.encap) return std::nullopt;
        return node.mark;
    };
    row.write = [](const Object& object, Secrets) -> std::optional<std::string> {
        if (!object.encap) return std::nullopt;
        return write_item(encap_directives(), *object.encap);
    };
    return row;
}

std::optional<Nexthop> read_nexthop(Context& context, const Node& node) {
    constexpr auto example = "{via: 192.0.2.1, weight: 2}";
    return read_map<Nexthop>(
        context, node, nexthop_directives(), {}, "a next hop", example, [&](const Draft<Nexthop>& draft) {
            const auto& hop = draft.object;
            if (!hop.via && hop.interface.empty())
                context.problems.error(node.mark, "a next hop leads nowhere", "add via: ADDRESS or interface: NAME");
            if (hop.onlink && (!hop.via || hop.interface.empty()))
                context.problems.error(node.mark, "onlink needs via and interface", "add both");
        });
}

Directive<Route> nexthops_row() {
    auto row =
        bare_row<Route>("nexthops", Shape::list, "a list of {via, interface, weight, onlink, encap, realm}, at most 16",
                        "Several ways, taken by weight; instead of via, interface, onlink, encap and realm.", "none");
    row.read = [](Context& context, const Node& node, Route& route) -> std::optional<Mark> {
        if (!node.is_list() || node.items.empty() || node.items.size() > most_nexthops) {
            complain(context, "nexthops", node,
                     must_be(fmt::format("a list of 1 to {} next hops", most_nexthops), node));
            return std::nullopt;
        }
        bool fine = true;
        for (const auto& item : node.items) {
            auto hop = read_nexthop(context, item);
            fine = fine && hop;
            if (hop) route.nexthops.push_back(std::move(*hop));
        }
        return fine ? std::optional{node.mark} : std::nullopt;
    };
    row.write = [](const Route& route, Secrets) -> std::optional<std::string> {
        if (route.nexthops.empty()) return std::nullopt;
        std::vector<std::string> words;
        for (const auto& hop : route.nexthops)
            words.push_back(write_item(nexthop_directives(), hop));
        return "[" + join(words, ", ") + "]";
    };
    return row;
}

template <auto Field>
Directive<Route> number_row(std::string_view word, long low, long high, std::string_view help) {
    return item_row<Route, Field>(word, Number<std::uint32_t>{low, high}, help, "the kernel's");
}

std::vector<Directive<Route>> way_rows() {
    return {
        item_row<Route, &Route::type>("type", type_word, "What becomes of the packets."),
        item_row<Route, &Route::to>("to", Network{.with_default = true}, "The destination.").must_be_given(),
        item_row<Route, &Route::via>("via", HostAddress{}, "The gateway; an IPv4 route may have an IPv6 one.", "none"),
        item_row<Route, &Route::interface>("interface", link_text(), "The link it leads to.", "the gateway's"),
        item_row<Route, &Route::onlink>("onlink", Flag{}, "The gateway is on the link, whatever the link's addresses."),
        item_row<Route, &Route::source>("source", HostAddress{}, "Where this host's own packets come from.",
                                        "the kernel's choice"),
        item_row<Route, &Route::from>("from", Network{}, "Only packets from there; IPv6.", "anywhere"),
        item_row<Route, &Route::table>("table", TableNumber{}, "The table it stands in."),
        item_row<Route, &Route::metric>("metric", Number<std::uint32_t>{0, most},
                                        "The lowest of a destination is taken.", "IPv4 `0`, IPv6 `1024`"),
        item_row<Route, &Route::scope>("scope", ScopeWord{}, "How far it reaches; IPv4.",
                                       "`global` with a gateway, else `link`"),
        item_row<Route, &Route::tos>("tos", Number<std::uint8_t>{0, 255},
                                     "Only packets of this type of service; IPv4."),
        encap_row<Route>(),
        item_row<Route, &Route::ttl_propagate>("ttl_propagate", Flag{},
                                               "The labels of encap take over the packet's TTL.", "the kernel's"),
        nexthops_row(),
    };
}

std::vector<Directive<Route>> metric_rows() {
    const Span ms{1ms, 1h};
    return {
        number_row<&Route::mtu>("mtu", 68, 65535, "The largest packet."),
        item_row<Route, &Route::mtu_lock>("mtu_lock", Flag{}, "Path MTU discovery leaves mtu alone."),
        number_row<&Route::advmss>("advmss", 1, 65535, "TCP announces this segment size."),
        number_row<&Route::hoplimit>("hoplimit", 1, 255, "TTL or hop limit of this host's own packets."),
        item_row<Route, &Route::rtt>("rtt", ms, "First estimate of the round-trip time.", "the kernel's"),
        item_row<Route, &Route::rttvar>("rttvar", ms, "And of its variance.", "the kernel's"),
        item_row<Route, &Route::rto_min>("rto_min", ms, "The shortest time until TCP sends again.", "the kernel's"),
        number_row<&Route::window>("window", 1, most, "The largest TCP window that is announced."),
        number_row<&Route::cwnd>("cwnd", 1, most, "Clamp of the congestion window."),
        number_row<&Route::ssthresh>("ssthresh", 1, most, "First slow-start threshold."),
        number_row<&Route::initcwnd>("initcwnd", 1, most, "First congestion window, in segments."),
        number_row<&Route::initrwnd>("initrwnd", 1, most, "First receive window, in segments."),
        number_row<&Route::reordering>("reordering", 1, 300, "How many packets may overtake one another."),
        item_row<Route, &Route::quickack>("quickack", Flag{}, "TCP acknowledges at once.", "the kernel's"),
        item_row<Route, &Route::ecn>("ecn", Flag{}, "Explicit congestion notification.", "the kernel's"),
        item_row<Route, &Route::fastopen_no_cookie>("fastopen_no_cookie", Flag{}, "TCP Fast Open without a cookie.",
                                                    "the kernel's"),
        item_row<Route, &Route::congestion_control>("congestion_control",
                                                    Text{check_algorithm, "the name of an algorithm, at most 15 bytes"},
                                                    "How TCP reacts to congestion.", "the kernel's"),
        item_row<Route, &Route::expires>("expires", Span{1s, 24h * 365},
                                         "The kernel removes it after this time, and it is put back; IPv6.", "never"),
        item_row<Route, &Route::preference>("preference", preference_word, "Among routers (RFC 4191); IPv6.",
                                            "`medium`"),
        item_row<Route, &Route::realm>("realm", RealmNumber{}, "For classifying traffic; IPv4.", "none"),
        item_row<Route, &Route::place>("place", place_word,
                                       "Beside a route of others with its destination, metric, tos and table: not at "
                                       "all, in front of it or behind it; IPv4."),
        item_row<Route, &Route::track>("track", Flag{},
                                       "That it is refused, or its link's fault, is a fault of the "
                                       "instance."),
        item_row<Route, &Route::track_group>("track_group", Text{check_group, "the name of a sync group"},
                                             "The sync group that is in fault while the route can't be there; static "
                                             "ones.",
                                             "none"),
    };
}

std::vector<Directive<Route>> rows() {
    auto all = way_rows();
    std::ranges::move(metric_rows(), std::back_inserter(all));
    return all;
}

} // namespace

std::span<const Directive<Route>> route_directives() {
    static const auto all = rows();
    return all;
}

std::span<const Directive<Encap>> encap_directives() {
    static const std::vector<Directive<Encap>> all{
        item_row<Encap, &Encap::kind>("type", encap_word, "The kind of the wrapping.").must_be_given(),
        labels_row(),
        item_row<Encap, &Encap::destination>("destination", HostAddress{}, "The other end of the tunnel; ip, ip6.",
                                             "none"),
        item_row<Encap, &Encap::source>("source", HostAddress{}, "This end of the tunnel; ip, ip6.",
                                        "the kernel's choice"),
        item_row<Encap, &Encap::id>("id", Number<std::uint64_t>{0, most}, "The tunnel's key; ip, ip6."),
        item_row<Encap, &Encap::ttl>("ttl", Number<std::uint8_t>{0, 255},
                                     "TTL or hop limit of the outer packet; 0: the kernel's."),
        item_row<Encap, &Encap::tos>("tos", Number<std::uint8_t>{0, 255},
                                     "Type of service of the outer packet; ip, ip6."),
        item_row<Encap, &Encap::locator>("locator", Locator{}, "The first half that the destination gets; ila.",
                                         "none"),
        item_row<Encap, &Encap::checksum>("checksum", checksum_word, "How transport checksums stay right; ila."),
    };
    return all;
}

std::span<const Directive<Nexthop>> nexthop_directives() {
    static const std::vector<Directive<Nexthop>> all{
        item_row<Nexthop, &Nexthop::via>("via", HostAddress{}, "The gateway.", "none"),
        item_row<Nexthop, &Nexthop::interface>("interface", link_text(), "The link it leads to.", "the gateway's"),
        item_row<Nexthop, &Nexthop::weight>("weight", Number<unsigned>{1, 256}, "Its share of the traffic."),
        item_row<Nexthop, &Nexthop::onlink>("onlink", Flag{},
                                            "The gateway is on the link, whatever the link's addresses."),
        encap_row<Nexthop>(),
        item_row<Nexthop, &Nexthop::realm>("realm", RealmNumber{}, "For classifying traffic; IPv4.", "none"),
    };
    return all;
}

} // namespace holdfast::config
