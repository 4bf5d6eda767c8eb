#include "kernel/ipvs_reply.hpp"

#include "kernel/attributes.hpp"

#include <bit>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

constexpr std::size_t longest_name = 16; // IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN, IP_VS_IFNAME_MAXLEN

/// The attributes inside attribute `type` of a reply to `command`.
template <std::size_t Max>
std::optional<Attributes<Max>> nested(const GenericMessage& message, std::uint8_t command, std::size_t type) {
    if (message.command != command) return std::nullopt;
    const auto outer = Attributes<IPVS_CMD_ATTR_MAX>::parse(message.attributes);
    if (!outer || !outer->has(type)) return std::nullopt;
    return Attributes<Max>::parse(*outer->bytes(type));
}

std::optional<Family> family_of(std::optional<std::uint16_t> number) {
    if (number == AF_INET) return Family::ipv4;
    if (number == AF_INET6) return Family::ipv6;
    return std::nullopt;
}

/// Alone or in the kernel's union of both families.
std::optional<IpAddress> address_of(std::optional<ByteView> bytes, Family family) {
    const auto size = address_size(family);
    if (!bytes || (bytes->size() != size && bytes->size() != sizeof IpAddress::bytes)) return std::nullopt;
    return IpAddress::from(family, bytes->first(size));
}

std::optional<std::uint16_t> port_of(std::optional<ByteView> bytes) {
    if (!bytes || bytes->size() != 2) return std::nullopt;
    return Reader{*bytes}.u16();
}

std::optional<model::Protocol> protocol_of(std::optional<std::uint16_t> number) {
    for (const auto protocol : {model::Protocol::tcp, model::Protocol::udp, model::Protocol::sctp})
        if (number == static_cast<std::uint16_t>(protocol)) return protocol;
    return std::nullopt;
}

using ServiceAttributes = Attributes<IPVS_SVC_ATTR_MAX>;
using DestinationAttributes = Attributes<IPVS_DEST_ATTR_MAX>;

std::optional<model::ServiceKey> key_of(const ServiceAttributes& table) {
    const auto family = family_of(table.number<std::uint16_t>(IPVS_SVC_ATTR_AF));
    if (!family) return std::nullopt;
    if (table.has(IPVS_SVC_ATTR_FWMARK)) {
        const auto mark = table.number<std::uint32_t>(IPVS_SVC_ATTR_FWMARK);
        if (!mark || *mark == 0) return std::nullopt;
        return model::ServiceKey{.family = *family, .mark = *mark};
    }
    const auto protocol = protocol_of(table.number<std::uint16_t>(IPVS_SVC_ATTR_PROTOCOL));
    const auto address = address_of(table.bytes(IPVS_SVC_ATTR_ADDR), *family);
    const auto port = port_of(table.bytes(IPVS_SVC_ATTR_PORT));
    if (!protocol || !address || !port) return std::nullopt;
    return model::ServiceKey{*family, 0, *protocol, *address, *port};
}

/// IPv4: a mask in network order; one with holes is 0, which nobody asks for. IPv6: the length itself.
std::optional<std::uint8_t> prefix_length_of(std::optional<ByteView> bytes, Family family) {
    if (!bytes || bytes->size() != sizeof(std::uint32_t)) return std::nullopt;
    std::uint32_t number = 0;
    std::memcpy(&number, bytes->data(), sizeof number);
    if (family == Family::ipv6)
        return number <= full_prefix(family) ? std::optional{static_cast<std::uint8_t>(number)} : std::nullopt;
    number = std::uint32_t{(*bytes)[0]} << 24 | std::uint32_t{(*bytes)[1]} << 16 | std::uint32_t{(*bytes)[2]} << 8 |
             (*bytes)[3];
    const auto ones = std::countl_one(number);
    return std::popcount(number) == ones ? static_cast<std::uint8_t>(ones) : std::uint8_t{0};
}

std::optional<std::uint32_t> flags_of(std::optional<ByteView> bytes) {
    ip_vs_flags flags{};
    if (!bytes || bytes->size() != sizeof flags) return std::nullopt;
    std::memcpy(&flags, bytes->data(), sizeof flags);
    return flags.flags & engine::ipvs_service_flags;
}

using StatisticsAttributes = Attributes<IPVS_STATS_ATTR_MAX>;

/// 64 bits in the newer of the two tables, and for bytes in both.
bool take(const StatisticsAttributes& table, std::size_t type, std::uint64_t& into) {
    if (const auto wide = table.number<std::uint64_t>(type)) {
        into = *wide;
        return true;
    }
    const auto narrow = table.number_or<std::uint32_t>(type, 0);
    into = narrow.value_or(0);
    return narrow.has_value();
}

/// Kernels before 4.1 have the narrow table alone.
std::optional<engine::IpvsStatistics> statistics_of(std::optional<ByteView> wide, std::optional<ByteView> narrow) {
    const auto bytes = wide ? wide : narrow;
    if (!bytes) return engine::IpvsStatistics{};
    const auto table = StatisticsAttributes::parse(*bytes);
    if (!table) return std::nullopt;
    engine::IpvsStatistics is;
    const bool whole =
        take(*table, IPVS_STATS_ATTR_CONNS, is.connections) && take(*table, IPVS_STATS_ATTR_INPKTS, is.packets_in) &&
        take(*table, IPVS_STATS_ATTR_OUTPKTS, is.packets_out) && take(*table, IPVS_STATS_ATTR_INBYTES, is.bytes_in) &&
        take(*table, IPVS_STATS_ATTR_OUTBYTES, is.bytes_out) && take(*table, IPVS_STATS_ATTR_CPS, is.connection_rate) &&
        take(*table, IPVS_STATS_ATTR_INPPS, is.packet_rate_in) &&
        take(*table, IPVS_STATS_ATTR_OUTPPS, is.packet_rate_out) &&
        take(*table, IPVS_STATS_ATTR_INBPS, is.byte_rate_in) && take(*table, IPVS_STATS_ATTR_OUTBPS, is.byte_rate_out);
    return whole ? std::optional{is} : std::nullopt;
}

std::optional<model::Forwarding::Method> method_of(std::uint32_t number) {
    using enum model::Forwarding::Method;
    switch (number) {
    case IP_VS_CONN_F_MASQ: return nat;
    case IP_VS_CONN_F_TUNNEL: return tunnel;
    case IP_VS_CONN_F_LOCALNODE:
    case IP_VS_CONN_F_DROUTE: return dr;
    default: return std::nullopt;
    }
}

/// Kernels before 5.3 know IP in IP alone and tell nothing.
std::optional<model::Tunnel> tunnel_of(const DestinationAttributes& table) {
    const auto kind = table.number_or<std::uint8_t>(IPVS_DEST_ATTR_TUN_TYPE, 0);
    const auto port = table.has(IPVS_DEST_ATTR_TUN_PORT) ? port_of(table.bytes(IPVS_DEST_ATTR_TUN_PORT)) : 0;
    const auto flags = table.number_or<std::uint16_t>(IPVS_DEST_ATTR_TUN_FLAGS, 0);
    if (!kind || *kind > static_cast<std::uint8_t>(model::TunnelKind::gre) || !port) return std::nullopt;
    if (!flags || *flags > static_cast<std::uint16_t>(model::TunnelChecksum::remote)) return std::nullopt;
    return model::Tunnel{static_cast<model::TunnelKind>(*kind), *port, static_cast<model::TunnelChecksum>(*flags)};
}

std::optional<model::Forwarding> forwarding_of(const DestinationAttributes& table) {
    const auto number = table.number<std::uint32_t>(IPVS_DEST_ATTR_FWD_METHOD);
    const auto method = number ? method_of(*number & IP_VS_CONN_F_FWD_MASK) : std::nullopt;
    const auto tunnel = tunnel_of(table);
    if (!method || !tunnel) return std::nullopt;
    // What is left of an earlier tunnel means nothing to the others.
    return model::Forwarding{*method, *method == model::Forwarding::Method::tunnel ? *tunnel : model::Tunnel{}};
}

std::optional<engine::IpvsEndpoint> endpoint_of(const DestinationAttributes& table, Family of_service) {
    auto family = std::optional{of_service}; // before Linux 3.18 there was nothing else
    if (table.has(IPVS_DEST_ATTR_ADDR_FAMILY))
        family = family_of(table.number<std::uint16_t>(IPVS_DEST_ATTR_ADDR_FAMILY));
    if (!family) return std::nullopt;
    const auto address = address_of(table.bytes(IPVS_DEST_ATTR_ADDR), *family);
    const auto port = port_of(table.bytes(IPVS_DEST_ATTR_PORT));
    if (!address || !port) return std::nullopt;
    return engine::IpvsEndpoint{*address, *port};
}

} // namespace

std::optional<GenericMessage> generic_message(const nlmsghdr& message) {
    constexpr std::size_t headers = NLMSG_HDRLEN + GENL_HDRLEN;
    if (message.nlmsg_len < headers) return std::nullopt;
    const ByteView bytes{reinterpret_cast<const std::uint8_t*>(&message), message.nlmsg_len};
    return GenericMessage{bytes[NLMSG_HDRLEN], bytes.subspan(headers)};
}

std::optional<std::uint16_t> decode_family(const GenericMessage& message) {
    if (message.command != CTRL_CMD_NEWFAMILY) return std::nullopt;
    const auto table = Attributes<CTRL_ATTR_FAMILY_ID>::parse(message.attributes);
    const auto id = table ? table->number<std::uint16_t>(CTRL_ATTR_FAMILY_ID) : std::nullopt;
    return id && *id >= GENL_MIN_ID ? id : std::nullopt;
}

std::optional<engine::IpvsListedService> decode_service(const GenericMessage& message) {
    const auto table = nested<IPVS_SVC_ATTR_MAX>(message, IPVS_CMD_NEW_SERVICE, IPVS_CMD_ATTR_SERVICE);
    if (!table) return std::nullopt;
    const auto key = key_of(*table);
    const auto scheduler = table->text(IPVS_SVC_ATTR_SCHED_NAME, longest_name);
    const auto flags = flags_of(table->bytes(IPVS_SVC_ATTR_FLAGS));
    const auto timeout = table->number<std::uint32_t>(IPVS_SVC_ATTR_TIMEOUT);
    if (!key || !scheduler || !flags || !timeout) return std::nullopt;
    const auto length = prefix_length_of(table->bytes(IPVS_SVC_ATTR_NETMASK), key->family);
    const auto engine = table->has(IPVS_SVC_ATTR_PE_NAME) ? table->text(IPVS_SVC_ATTR_PE_NAME, longest_name) : "";
    const auto statistics = statistics_of(table->bytes(IPVS_SVC_ATTR_STATS64), table->bytes(IPVS_SVC_ATTR_STATS));
    if (!length || !engine || !statistics) return std::nullopt;
    return engine::IpvsListedService{{*key, *scheduler, *flags, *timeout, *length, *engine}, {}, *statistics};
}

std::optional<engine::IpvsListedDestination> decode_destination(const GenericMessage& message, Family of_service) {
    const auto table = nested<IPVS_DEST_ATTR_MAX>(message, IPVS_CMD_NEW_DEST, IPVS_CMD_ATTR_DEST);
    if (!table) return std::nullopt;
    const auto at = endpoint_of(*table, of_service);
    const auto forwarding = forwarding_of(*table);
    const auto weight = table->number<std::uint32_t>(IPVS_DEST_ATTR_WEIGHT);
    const auto upper = table->number<std::uint32_t>(IPVS_DEST_ATTR_U_THRESH);
    const auto lower = table->number<std::uint32_t>(IPVS_DEST_ATTR_L_THRESH);
    if (!at || !forwarding || !weight || !upper || !lower) return std::nullopt;
    const auto active = table->number_or<std::uint32_t>(IPVS_DEST_ATTR_ACTIVE_CONNS, 0);
    const auto inactive = table->number_or<std::uint32_t>(IPVS_DEST_ATTR_INACT_CONNS, 0);
    const auto persistent = table->number_or<std::uint32_t>(IPVS_DEST_ATTR_PERSIST_CONNS, 0);
    const auto statistics = statistics_of(table->bytes(IPVS_DEST_ATTR_STATS64), table->bytes(IPVS_DEST_ATTR_STATS));
    if (!active || !inactive || !persistent || !statistics) return std::nullopt;
    return engine::IpvsListedDestination{
        {*at, *forwarding, *weight, *upper, *lower}, *active, *inactive, *persistent, *statistics};
}

std::optional<engine::IpvsSync> decode_sync(const GenericMessage& message) {
    const auto table = nested<IPVS_DAEMON_ATTR_MAX>(message, IPVS_CMD_NEW_DAEMON, IPVS_CMD_ATTR_DAEMON);
    if (!table) return std::nullopt;
    const auto role = table->number<std::uint32_t>(IPVS_DAEMON_ATTR_STATE);
    const auto interface = table->text(IPVS_DAEMON_ATTR_MCAST_IFN, longest_name);
    const auto id = table->number<std::uint32_t>(IPVS_DAEMON_ATTR_SYNC_ID);
    if (role != IP_VS_STATE_MASTER && role != IP_VS_STATE_BACKUP) return std::nullopt;
    if (!interface || !id || *id > 0xffU) return std::nullopt;
    const auto max_length = table->number_or<std::uint16_t>(IPVS_DAEMON_ATTR_SYNC_MAXLEN, 0);
    const auto port =
        table->number_or<std::uint16_t>(IPVS_DAEMON_ATTR_MCAST_PORT, 0); // in host order, unlike all others
    const auto ttl = table->number_or<std::uint8_t>(IPVS_DAEMON_ATTR_MCAST_TTL, 0);
    if (!max_length || !port || !ttl) return std::nullopt;
    engine::IpvsSync sync{static_cast<engine::IpvsSync::Role>(*role),
                          *interface,
                          static_cast<std::uint8_t>(*id),
                          *max_length,
                          *port,
                          *ttl,
                          {}};
    for (const auto& [type, family] : {std::pair{IPVS_DAEMON_ATTR_MCAST_GROUP, Family::ipv4},
                                       std::pair{IPVS_DAEMON_ATTR_MCAST_GROUP6, Family::ipv6}}) {
        if (!table->has(type)) continue;
        sync.group = address_of(table->bytes(type), family);
        if (!sync.group) return std::nullopt;
    }
    return sync;
}

std::optional<engine::IpvsTimeouts> decode_timeouts(const GenericMessage& message) {
    if (message.command != IPVS_CMD_SET_CONFIG) return std::nullopt;
    const auto table = Attributes<IPVS_CMD_ATTR_MAX>::parse(message.attributes);
    if (!table) return std::nullopt;
    const auto tcp = table->number_or<std::uint32_t>(IPVS_CMD_ATTR_TIMEOUT_TCP, 0);
    const auto tcp_fin = table->number_or<std::uint32_t>(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, 0);
    const auto udp = table->number_or<std::uint32_t>(IPVS_CMD_ATTR_TIMEOUT_UDP, 0);
    if (!tcp || !tcp_fin || !udp) return std::nullopt;
    return engine::IpvsTimeouts{*tcp, *tcp_fin, *udp};
}

} // namespace holdfast::kernel
