// Routes and rules that go with an instance, or with the daemon (ip-route(8), ip-rule(8)). The tag of ownership is no field:
// everything of ours carries protocol 112.
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::model {

inline constexpr std::uint32_t table_main = 254, table_local = 255;

enum class RouteType : std::uint8_t { unicast, local, blackhole, unreachable, prohibit, throw_ };
std::string_view name(RouteType);

/// What a packet is wrapped into on its way.
struct Encap {
    enum class Kind : std::uint8_t { mpls, ip, ip6, ila } kind{Kind::mpls};
    std::vector<std::uint32_t> labels;            ///< mpls: outermost first
    std::optional<IpAddress> destination, source; ///< ip, ip6: of the tunnel
    std::uint64_t id{0};
    std::uint8_t ttl{0}, tos{0};          ///< 0: inherited
    std::optional<std::uint64_t> locator; ///< ila: the upper half that the destination gets
    /// ila: how transport checksums stay right although the destination changes.
    enum class Checksum : std::uint8_t { adj_transport, neutral_map, no_action, neutral_map_auto };
    Checksum checksum{Checksum::no_action};
    bool operator==(const Encap&) const = default;
};
std::string_view name(Encap::Kind);

/// One way of a route.
struct Nexthop {
    std::optional<IpAddress> via; ///< of either family
    std::string interface;
    unsigned weight{1}; ///< 1 to 256
    bool onlink{false};
    std::optional<Encap> encap;
    std::optional<std::uint32_t> realm; ///< IPv4
    bool operator==(const Nexthop&) const = default;
};

/// By this the kernel tells routes apart.
struct RouteId {
    Prefix to;
    std::optional<Prefix> from; ///< IPv6: only packets from there
    std::uint32_t table{table_main};
    std::uint8_t tos{0};
    std::uint32_t metric{0};
    friend auto operator<=>(const RouteId&, const RouteId&) = default;
    friend bool operator==(const RouteId&, const RouteId&) = default;
};

/// Beside a route of others that has the same identity but for its protocol (IPv4).
enum class RoutePlace : std::uint8_t {
    alone, ///< not at all
    first, ///< in front of it, so that it is taken instead
    last,  ///< behind it: taken when that one goes
};

enum class RoutePreference : std::uint8_t { medium = 0, high = 1, low = 3 }; // RFC 4191 2.1

struct Route {
    RouteType type{RouteType::unicast};
    Prefix to;
    std::optional<Prefix> from;
    std::uint32_t table{table_main};
    std::uint8_t tos{0};
    std::optional<std::uint32_t> metric;
    std::optional<std::uint8_t> scope; ///< IPv4; nothing: link without a gateway, global with one
    std::optional<IpAddress> source;   ///< preferred source of this host's own packets
    std::optional<IpAddress> via;
    std::string interface;
    bool onlink{false};
    std::optional<Encap> encap;
    std::vector<Nexthop> nexthops; ///< instead of via, interface, onlink and encap
    std::optional<std::uint32_t> mtu, advmss, hoplimit, window, cwnd, ssthresh, initcwnd, initrwnd, reordering;
    std::optional<Duration> rtt, rttvar, rto_min;
    bool mtu_lock{false};
    std::optional<bool> quickack, ecn, fastopen_no_cookie;
    std::string congestion_control;
    std::optional<Duration> expires;           ///< IPv6
    std::optional<RoutePreference> preference; ///< IPv6
    std::optional<std::uint32_t> realm;        ///< IPv4
    std::optional<bool> ttl_propagate;         ///< from and to the labels of encap mpls
    RoutePlace place{RoutePlace::alone};
    bool track{true};        ///< that it is refused, is a fault of the instance
    std::string track_group; ///< a static one: the sync group that is in fault while it can't be there

    RouteId id() const;
    bool operator==(const Route&) const = default;
};
/// "10.1.0.0/16 via 192.0.2.1 dev eth0 table 100", as ip-route(8) writes it.
std::string to_string(const Route&);
std::string to_string(const RouteId&);

enum class RuleAction : std::uint8_t { lookup, jump, nop, blackhole, unreachable, prohibit };
std::string_view name(RuleAction);

using Range = std::pair<std::uint32_t, std::uint32_t>;

/// The kernel tells rules apart by all of it but `track` and `track_group`.
struct Rule {
    Family family{Family::ipv4};
    std::uint32_t priority{0};
    RuleAction action{RuleAction::lookup};
    std::uint32_t table{0};  ///< of lookup; 0 with l3mdev
    std::uint32_t target{0}; ///< of jump: the priority of the rule to go on with
    bool invert{false};
    std::optional<Prefix> from, to;
    std::string iif, oif;
    std::uint8_t tos{0};
    std::optional<std::pair<std::uint32_t, std::uint32_t>> fwmark; ///< value and mask
    std::optional<std::uint32_t> suppress_prefixlength, suppress_ifgroup, realm;
    std::uint64_t tun_id{0};
    std::optional<Range> uidrange, sport, dport;
    std::uint8_t ipproto{0};
    bool l3mdev{false};
    bool track{true};
    std::string track_group; ///< as of a route

    /// As the kernel tells rules apart: by everything that it knows of them.
    Rule id() const {
        auto result = *this;
        result.track = true;
        result.track_group.clear();
        return result;
    }
    friend auto operator<=>(const Rule&, const Rule&) = default;
    friend bool operator==(const Rule&, const Rule&) = default;
};
/// "from 192.0.2.0/24 lookup 100 priority 1000".
std::string to_string(const Rule&);

} // namespace holdfast::model
