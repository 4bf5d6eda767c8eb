#include "kernel/rtnl_route.hpp"

#include "base/assert.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/rtnl_message.hpp"

#include <algorithm>
#include <cstring>
#include <linux/ila.h>
#include <linux/lwtunnel.h>
#include <linux/mpls.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

using model::Encap;
using model::Route;
using model::RouteType;

std::uint8_t family_of(const IpAddress& ip) {
    return ip.family == Family::ipv4 ? AF_INET : AF_INET6;
}

std::uint8_t kernel_type(RouteType type) {
    switch (type) {
    case RouteType::unicast: return RTN_UNICAST;
    case RouteType::local: return RTN_LOCAL;
    case RouteType::blackhole: return RTN_BLACKHOLE;
    case RouteType::unreachable: return RTN_UNREACHABLE;
    case RouteType::prohibit: return RTN_PROHIBIT;
    case RouteType::throw_: return RTN_THROW;
    }
    return RTN_UNICAST;
}

void put(const Message& message, int type, ByteView bytes) {
    HF_ASSERT(nla_put(message.get(), type, static_cast<int>(bytes.size()), bytes.data()) == 0);
}
void put32(const Message& message, int type, std::uint32_t value) {
    HF_ASSERT(nla_put_u32(message.get(), type, value) == 0);
}

/// As ip-route(8) guesses it: what needs no gateway is on the link.
std::uint8_t scope_of(const Route& route) {
    if (route.to.address.family == Family::ipv6) return RT_SCOPE_UNIVERSE;
    if (route.scope) return *route.scope;
    if (route.type == RouteType::local) return RT_SCOPE_HOST;
    const bool has_gateway = route.via || !route.nexthops.empty();
    return route.type == RouteType::unicast && !has_gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/// Table numbers above 255 do not fit into the header.
rtmsg header_of(const model::RouteId& id) {
    rtmsg header{};
    header.rtm_family = family_of(id.to.address);
    header.rtm_dst_len = id.to.length;
    header.rtm_src_len = id.from ? id.from->length : std::uint8_t{0};
    header.rtm_tos = id.tos;
    header.rtm_table = id.table < 256 ? static_cast<std::uint8_t>(id.table) : std::uint8_t{RT_TABLE_UNSPEC};
    header.rtm_protocol = ownership_tag;
    return header;
}

void put_id(const Message& message, const model::RouteId& id) {
    if (id.to.length > 0) put(message, RTA_DST, id.to.address.span());
    if (id.from) put(message, RTA_SRC, id.from->address.span());
    put32(message, RTA_TABLE, id.table);
    if (id.metric != 0) put32(message, RTA_PRIORITY, id.metric);
}

/// A gateway of the other family goes into an attribute of its own (RFC 8950 has such next hops).
void put_gateway(const Message& message, const IpAddress& via, Family family) {
    if (via.family == family) return put(message, RTA_GATEWAY, via.span());
    Bytes bytes(sizeof(rtvia::rtvia_family));
    const std::uint16_t number = family_of(via);
    std::memcpy(bytes.data(), &number, sizeof number);
    bytes.insert(bytes.end(), via.span().begin(), via.span().end());
    put(message, RTA_VIA, bytes);
}

void put_labels(const Message& message, const std::vector<std::uint32_t>& labels) {
    Bytes stack;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::uint32_t entry =
            labels[i] << MPLS_LS_LABEL_SHIFT | (i + 1 == labels.size() ? 1U << MPLS_LS_S_SHIFT : 0U);
        for (const int shift : {24, 16, 8, 0})
            stack.push_back(static_cast<std::uint8_t>(entry >> shift));
    }
    put(message, MPLS_IPTUNNEL_DST, stack);
}

void put_id64(const Message& message, int type, std::uint64_t id) {
    Bytes bytes;
    for (int shift = 56; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<std::uint8_t>(id >> shift));
    put(message, type, bytes);
}

/// Without ILA_ATTR_IDENT_TYPE the kernel reads the identifier's type out of the destination.
void put_ila(const Message& message, const Encap& encap) {
    put_id64(message, ILA_ATTR_LOCATOR, encap.locator.value_or(0));
    HF_ASSERT(nla_put_u8(message.get(), ILA_ATTR_CSUM_MODE, static_cast<std::uint8_t>(encap.checksum)) == 0);
}

void put_encap(const Message& message, const Encap& encap) {
    static constexpr std::array kinds{LWTUNNEL_ENCAP_MPLS, LWTUNNEL_ENCAP_IP, LWTUNNEL_ENCAP_IP6, LWTUNNEL_ENCAP_ILA};
    const auto kind = kinds[static_cast<std::size_t>(encap.kind)];
    HF_ASSERT(nla_put_u16(message.get(), RTA_ENCAP_TYPE, static_cast<std::uint16_t>(kind)) == 0);
    const Nest nest{message, RTA_ENCAP};
    if (encap.kind == Encap::Kind::mpls) {
        put_labels(message, encap.labels);
        if (encap.ttl != 0) HF_ASSERT(nla_put_u8(message.get(), MPLS_IPTUNNEL_TTL, encap.ttl) == 0);
        return;
    }
    if (encap.kind == Encap::Kind::ila) return put_ila(message, encap);
    // LWTUNNEL_IP_* and LWTUNNEL_IP6_* have the same numbers.
    if (encap.id != 0) put_id64(message, LWTUNNEL_IP_ID, encap.id);
    if (encap.destination) put(message, LWTUNNEL_IP_DST, encap.destination->span());
    if (encap.source) put(message, LWTUNNEL_IP_SRC, encap.source->span());
    if (encap.ttl != 0) HF_ASSERT(nla_put_u8(message.get(), LWTUNNEL_IP_TTL, encap.ttl) == 0);
    if (encap.tos != 0) HF_ASSERT(nla_put_u8(message.get(), LWTUNNEL_IP_TOS, encap.tos) == 0);
}

/// struct rtnexthop with its attributes behind it; its length is known when they are there.
void put_nexthops(const Message& message, const Route& route, const std::vector<LinkIndex>& links) {
    const Nest nest{message, RTA_MULTIPATH};
    for (std::size_t i = 0; i < route.nexthops.size(); ++i) {
        const auto& hop = route.nexthops[i];
        rtnexthop head{};
        head.rtnh_hops = static_cast<std::uint8_t>(hop.weight - 1);
        head.rtnh_flags = hop.onlink ? RTNH_F_ONLINK : 0;
        head.rtnh_ifindex = static_cast<int>(links[i].value);
        const auto at = nlmsg_hdr(message.get())->nlmsg_len;
        append(message.get(), head);
        if (hop.via) put_gateway(message, *hop.via, route.to.address.family);
        if (hop.realm) put32(message, RTA_FLOW, *hop.realm);
        if (hop.encap) put_encap(message, *hop.encap);
        auto* bytes = reinterpret_cast<std::uint8_t*>(nlmsg_hdr(message.get()));
        head.rtnh_len = static_cast<std::uint16_t>(nlmsg_hdr(message.get())->nlmsg_len - at);
        std::memcpy(bytes + at, &head, sizeof head);
    }
}

void put_way(const Message& message, const Route& route, const std::vector<LinkIndex>& links) {
    if (!route.nexthops.empty()) return put_nexthops(message, route, links);
    if (route.via) put_gateway(message, *route.via, route.to.address.family);
    if (!links.empty() && links[0].value != 0) put32(message, RTA_OIF, links[0].value);
    if (route.encap) put_encap(message, *route.encap);
}

bool has_metrics(const Route& r) {
    return r.mtu || r.advmss || r.hoplimit || r.window || r.cwnd || r.ssthresh || r.initcwnd || r.initrwnd ||
           r.reordering || r.rtt || r.rttvar || r.rto_min || r.quickack || r.ecn || r.fastopen_no_cookie ||
           !r.congestion_control.empty();
}

std::optional<std::uint32_t> in_ms(const std::optional<Duration>& span, std::uint32_t factor) {
    if (!span) return std::nullopt;
    return static_cast<std::uint32_t>(*span / 1ms) * factor;
}

void put_metrics(const Message& message, const Route& route) {
    if (!has_metrics(route)) return;
    const Nest nest{message, RTA_METRICS};
    const auto number = [&](int type, const std::optional<std::uint32_t>& value) {
        if (value) put32(message, type, *value);
    };
    const auto flag = [&](int type, const std::optional<bool>& value) {
        if (value) put32(message, type, *value ? 1 : 0);
    };
    if (route.mtu_lock) put32(message, RTAX_LOCK, 1U << RTAX_MTU);
    number(RTAX_MTU, route.mtu);
    number(RTAX_WINDOW, route.window);
    number(RTAX_RTT, in_ms(route.rtt, 8)); // the kernel keeps eighths and quarters of a millisecond
    number(RTAX_RTTVAR, in_ms(route.rttvar, 4));
    number(RTAX_SSTHRESH, route.ssthresh);
    number(RTAX_CWND, route.cwnd);
    number(RTAX_ADVMSS, route.advmss);
    number(RTAX_REORDERING, route.reordering);
    number(RTAX_HOPLIMIT, route.hoplimit);
    number(RTAX_INITCWND, route.initcwnd);
    if (route.ecn) put32(message, RTAX_FEATURES, *route.ecn ? RTAX_FEATURE_ECN : 0U);
    number(RTAX_RTO_MIN, in_ms(route.rto_min, 1));
    number(RTAX_INITRWND, route.initrwnd);
    flag(RTAX_QUICKACK, route.quickack);
    if (!route.congestion_control.empty())
        HF_ASSERT(nla_put_string(message.get(), RTAX_CC_ALGO, route.congestion_control.c_str()) == 0);
    flag(RTAX_FASTOPEN_NO_COOKIE, route.fastopen_no_cookie);
}

std::optional<IpAddress> ip_of(const nlattr* attribute, Family family) {
    if (!attribute || static_cast<std::size_t>(nla_len(attribute)) != address_size(family)) return std::nullopt;
    return IpAddress::from(family, {static_cast<const std::uint8_t*>(nla_data(attribute)), address_size(family)});
}

std::uint32_t number_of(const nlattr* attribute, std::uint32_t otherwise = 0) {
    return attribute && nla_len(attribute) >= 4 ? nla_get_u32(attribute) : otherwise;
}

int how_to_add(const engine::PutRoute& operation) {
    if (operation.replace) return NLM_F_REPLACE;
    switch (operation.route->place) {
    case model::RoutePlace::alone: return NLM_F_EXCL;
    case model::RoutePlace::first: return 0;
    case model::RoutePlace::last: return NLM_F_APPEND;
    }
    return NLM_F_EXCL;
}

} // namespace

Bytes encode(const engine::PutRoute& operation, std::uint32_t sequence) {
    const auto& route = *operation.route;
    auto message = new_message(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | how_to_add(operation), sequence);
    auto header = header_of(route.id());
    header.rtm_type = kernel_type(route.type);
    header.rtm_scope = scope_of(route);
    header.rtm_flags = route.onlink ? RTNH_F_ONLINK : 0;
    append(message.get(), header);
    put_id(message, route.id());
    if (route.source) put(message, RTA_PREFSRC, route.source->span());
    put_way(message, route, operation.links);
    put_metrics(message, route);
    if (route.realm) put32(message, RTA_FLOW, *route.realm);
    if (route.expires) put32(message, RTA_EXPIRES, static_cast<std::uint32_t>(*route.expires / 1s));
    if (route.preference)
        HF_ASSERT(nla_put_u8(message.get(), RTA_PREF, static_cast<std::uint8_t>(*route.preference)) == 0);
    if (route.ttl_propagate) HF_ASSERT(nla_put_u8(message.get(), RTA_TTL_PROPAGATE, *route.ttl_propagate ? 1 : 0) == 0);
    return bytes_of(message);
}

/// With the tag in its header it can take away nothing of others.
Bytes encode(const engine::RemoveRoute& remove, std::uint32_t sequence) {
    auto message = new_message(RTM_DELROUTE, NLM_F_ACK, sequence);
    auto header = header_of(remove.id);
    header.rtm_scope = RT_SCOPE_NOWHERE; // whatever it is
    append(message.get(), header);
    put_id(message, remove.id);
    return bytes_of(message);
}

Bytes encode_route_dump(Family family, std::uint32_t sequence) {
    auto message = new_message(RTM_GETROUTE, NLM_F_DUMP, sequence);
    rtmsg header{};
    header.rtm_family = family == Family::ipv4 ? AF_INET : AF_INET6;
    header.rtm_protocol = ownership_tag; // looked at with NETLINK_GET_STRICT_CHK
    append(message.get(), header);
    return bytes_of(message);
}

Bytes encode_table_dump(Family family, std::uint32_t table, std::uint32_t sequence) {
    auto message = new_message(RTM_GETROUTE, NLM_F_DUMP, sequence);
    rtmsg header{};
    header.rtm_family = family == Family::ipv4 ? AF_INET : AF_INET6;
    append(message.get(), header);
    put32(message, RTA_TABLE, table);
    return bytes_of(message);
}

bool is_watched(const engine::KernelRoute& route, const std::vector<engine::WatchRoutes::Where>& watched) {
    const engine::WatchRoutes::Where where{route.id.to, route.id.table};
    return std::ranges::find(watched, where) != watched.end();
}

std::optional<engine::Event> decode_route(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) return std::nullopt;
    const auto* header = static_cast<const rtmsg*>(nlmsg_data(&message));
    if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return std::nullopt;
    if ((header->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
    const auto family = header->rtm_family == AF_INET ? Family::ipv4 : Family::ipv6;
    if (header->rtm_dst_len > full_prefix(family) || header->rtm_src_len > full_prefix(family)) return std::nullopt;
    const auto table = attributes<rtmsg, RTA_MAX>(message);
    if (!table) return std::nullopt;
    const IpAddress any{family, {}};
    engine::KernelRoute route;
    route.id.to = {ip_of((*table)[RTA_DST], family).value_or(any), header->rtm_dst_len};
    if (header->rtm_src_len > 0)
        route.id.from = Prefix{ip_of((*table)[RTA_SRC], family).value_or(any), header->rtm_src_len};
    route.id.table = number_of((*table)[RTA_TABLE], header->rtm_table);
    route.id.tos = header->rtm_tos;
    route.id.metric = number_of((*table)[RTA_PRIORITY]);
    route.ours = header->rtm_protocol == ownership_tag;
    route.link = LinkIndex{number_of((*table)[RTA_OIF])};
    route.via = ip_of((*table)[RTA_GATEWAY], family);
    if (message.nlmsg_type == RTM_DELROUTE) return engine::RouteRemoved{route};
    return engine::RouteChanged{route, (message.nlmsg_flags & NLM_F_REPLACE) != 0};
}

} // namespace holdfast::kernel
