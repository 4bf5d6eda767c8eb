#include "kernel/ipvs_message.hpp"

#include "base/result.hpp"
#include "kernel/rtnl_message.hpp"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netlink/genl/genl.h>

namespace holdfast::kernel {
namespace {

constexpr std::size_t message_size = 512; // the largest has less than half of it

Message generic_message(IpvsRequest request, int flags, std::uint8_t command, std::uint8_t version) {
    Message message{nlmsg_alloc_size(message_size), nlmsg_free};
    HF_ASSERT(message);
    HF_ASSERT(
        genlmsg_put(message.get(), 0, request.sequence, request.family, 0, NLM_F_REQUEST | flags, command, version));
    return message;
}

Message ipvs_message(IpvsRequest request, int flags, std::uint8_t command) {
    return generic_message(request, flags, command, IPVS_GENL_VERSION);
}

Message step_message(IpvsRequest request, std::uint8_t command) {
    return ipvs_message(request, request.acknowledge ? NLM_F_ACK : 0, command);
}

void put_u8(const Message& message, int type, std::uint8_t value) {
    HF_ASSERT(nla_put_u8(message.get(), type, value) == 0);
}
void put_u16(const Message& message, int type, std::uint16_t value) {
    HF_ASSERT(nla_put_u16(message.get(), type, value) == 0);
}
void put_u32(const Message& message, int type, std::uint32_t value) {
    HF_ASSERT(nla_put_u32(message.get(), type, value) == 0);
}
/// Bounded, so that whatever it is fits; the kernel refuses what is longer than its names.
void put_text(const Message& message, int type, const std::string& text) {
    constexpr std::size_t longest = 31;
    HF_ASSERT(nla_put_string(message.get(), type, text.substr(0, longest).c_str()) == 0);
}
/// The kernel's union of both families.
void put_union(const Message& message, int type, const IpAddress& address) {
    HF_ASSERT(nla_put(message.get(), type, sizeof address.bytes, address.bytes.data()) == 0);
}

std::uint16_t address_family(Family family) {
    return family == Family::ipv4 ? AF_INET : AF_INET6;
}

void put_key(const Message& message, const model::ServiceKey& key) {
    put_u16(message, IPVS_SVC_ATTR_AF, address_family(key.family));
    if (key.mark != 0) return put_u32(message, IPVS_SVC_ATTR_FWMARK, key.mark);
    put_u16(message, IPVS_SVC_ATTR_PROTOCOL, static_cast<std::uint16_t>(key.protocol));
    put_union(message, IPVS_SVC_ATTR_ADDR, key.address);
    put_u16(message, IPVS_SVC_ATTR_PORT, htons(key.port));
}

/// IPv4: a mask in network order. IPv6: the length itself.
std::uint32_t netmask(const engine::IpvsService& service) {
    if (service.key.family == Family::ipv6) return service.prefix_length;
    if (service.prefix_length == 0) return 0;
    return htonl(~std::uint32_t{0} << (full_prefix(Family::ipv4) - std::min<unsigned>(service.prefix_length, 32)));
}

void put_service(const Message& message, const engine::IpvsService& service) {
    const Nest nest{message, IPVS_CMD_ATTR_SERVICE};
    put_key(message, service.key);
    put_text(message, IPVS_SVC_ATTR_SCHED_NAME, service.scheduler);
    if (!service.engine.empty()) put_text(message, IPVS_SVC_ATTR_PE_NAME, service.engine);
    // The kernel's own flags stay as they are.
    const ip_vs_flags flags{.flags = service.flags & engine::ipvs_service_flags, .mask = engine::ipvs_service_flags};
    HF_ASSERT(nla_put(message.get(), IPVS_SVC_ATTR_FLAGS, sizeof flags, &flags) == 0);
    put_u32(message, IPVS_SVC_ATTR_TIMEOUT, service.timeout);
    put_u32(message, IPVS_SVC_ATTR_NETMASK, netmask(service));
}

void put_key_alone(const Message& message, const model::ServiceKey& key) {
    const Nest nest{message, IPVS_CMD_ATTR_SERVICE};
    put_key(message, key);
}

void put_endpoint(const Message& message, const engine::IpvsEndpoint& at) {
    put_union(message, IPVS_DEST_ATTR_ADDR, at.address);
    put_u16(message, IPVS_DEST_ATTR_PORT, htons(at.port));
    put_u16(message, IPVS_DEST_ATTR_ADDR_FAMILY, address_family(at.address.family));
}

void put_destination(const Message& message, const engine::IpvsDestination& destination) {
    const Nest nest{message, IPVS_CMD_ATTR_DEST};
    put_endpoint(message, destination.at);
    const auto& [method, tunnel] = destination.forwarding;
    put_u32(message, IPVS_DEST_ATTR_FWD_METHOD, static_cast<std::uint32_t>(method));
    put_u32(message, IPVS_DEST_ATTR_WEIGHT, destination.weight);
    put_u32(message, IPVS_DEST_ATTR_U_THRESH, destination.upper_threshold);
    put_u32(message, IPVS_DEST_ATTR_L_THRESH, destination.lower_threshold);
    if (method != model::Forwarding::Method::tunnel) return;
    put_u8(message, IPVS_DEST_ATTR_TUN_TYPE, static_cast<std::uint8_t>(tunnel.kind));
    put_u16(message, IPVS_DEST_ATTR_TUN_PORT, htons(tunnel.port));
    put_u16(message, IPVS_DEST_ATTR_TUN_FLAGS, static_cast<std::uint16_t>(tunnel.checksum));
}

void put_group(const Message& message, const IpAddress& group) {
    const bool ipv6 = group.family == Family::ipv6;
    const auto bytes = group.span();
    HF_ASSERT(nla_put(message.get(), ipv6 ? IPVS_DAEMON_ATTR_MCAST_GROUP6 : IPVS_DAEMON_ATTR_MCAST_GROUP,
                      static_cast<int>(bytes.size()), bytes.data()) == 0);
}

Bytes encode(const engine::PutService& put, IpvsRequest request) {
    const auto message = step_message(request, put.edit ? IPVS_CMD_SET_SERVICE : IPVS_CMD_NEW_SERVICE);
    put_service(message, put.service);
    return bytes_of(message);
}

Bytes encode(const engine::RemoveService& remove, IpvsRequest request) {
    const auto message = step_message(request, IPVS_CMD_DEL_SERVICE);
    put_key_alone(message, remove.key);
    return bytes_of(message);
}

Bytes encode(const engine::PutDestination& put, IpvsRequest request) {
    const auto message = step_message(request, put.edit ? IPVS_CMD_SET_DEST : IPVS_CMD_NEW_DEST);
    put_key_alone(message, put.service);
    put_destination(message, put.destination);
    return bytes_of(message);
}

Bytes encode(const engine::RemoveDestination& remove, IpvsRequest request) {
    const auto message = step_message(request, IPVS_CMD_DEL_DEST);
    put_key_alone(message, remove.service);
    {
        const Nest nest{message, IPVS_CMD_ATTR_DEST};
        put_endpoint(message, remove.at);
    }
    return bytes_of(message);
}

Bytes encode(const engine::StartSync& start, IpvsRequest request) {
    const auto message = step_message(request, IPVS_CMD_NEW_DAEMON);
    const auto& sync = start.sync;
    {
        const Nest nest{message, IPVS_CMD_ATTR_DAEMON};
        put_u32(message, IPVS_DAEMON_ATTR_STATE, static_cast<std::uint32_t>(sync.role));
        put_text(message, IPVS_DAEMON_ATTR_MCAST_IFN, sync.interface);
        put_u32(message, IPVS_DAEMON_ATTR_SYNC_ID, sync.id);
        if (sync.max_length != 0) put_u16(message, IPVS_DAEMON_ATTR_SYNC_MAXLEN, sync.max_length);
        if (sync.group) put_group(message, *sync.group);
        if (sync.port != 0)
            put_u16(message, IPVS_DAEMON_ATTR_MCAST_PORT, sync.port); // in host order, unlike all others
        if (sync.ttl != 0) put_u8(message, IPVS_DAEMON_ATTR_MCAST_TTL, sync.ttl);
    }
    return bytes_of(message);
}

Bytes encode(const engine::StopSync& stop, IpvsRequest request) {
    const auto message = step_message(request, IPVS_CMD_DEL_DAEMON);
    {
        const Nest nest{message, IPVS_CMD_ATTR_DAEMON};
        put_u32(message, IPVS_DAEMON_ATTR_STATE, static_cast<std::uint32_t>(stop.sync.role));
    }
    return bytes_of(message);
}

/// 0 is "as it is" to the kernel too.
Bytes encode(const engine::SetTimeouts& set, IpvsRequest request) {
    const auto message = step_message(request, IPVS_CMD_SET_CONFIG);
    put_u32(message, IPVS_CMD_ATTR_TIMEOUT_TCP, set.timeouts.tcp);
    put_u32(message, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, set.timeouts.tcp_fin);
    put_u32(message, IPVS_CMD_ATTR_TIMEOUT_UDP, set.timeouts.udp);
    return bytes_of(message);
}

} // namespace

Bytes encode_family_request(std::uint32_t sequence) {
    constexpr std::uint8_t version = 1;
    const auto message = generic_message({GENL_ID_CTRL, sequence}, NLM_F_ACK, CTRL_CMD_GETFAMILY, version);
    put_text(message, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
    return bytes_of(message);
}

Bytes encode(const engine::IpvsStep& step, IpvsRequest request) {
    return std::visit(Overloaded{
                          [](const engine::SetReuse&) { return Bytes{}; }, // no message says it: IpvsTable writes it
                          [&](const auto& body) { return encode(body, request); },
                      },
                      step);
}

Bytes encode_service_dump(IpvsRequest request) {
    return bytes_of(ipvs_message(request, NLM_F_DUMP, IPVS_CMD_GET_SERVICE));
}

Bytes encode_destination_dump(const model::ServiceKey& key, IpvsRequest request) {
    const auto message = ipvs_message(request, NLM_F_DUMP, IPVS_CMD_GET_DEST);
    put_key_alone(message, key);
    return bytes_of(message);
}

Bytes encode_sync_dump(IpvsRequest request) {
    return bytes_of(ipvs_message(request, NLM_F_DUMP, IPVS_CMD_GET_DAEMON));
}

Bytes encode_timeouts_request(IpvsRequest request) {
    return bytes_of(ipvs_message(request, NLM_F_ACK, IPVS_CMD_GET_CONFIG));
}

} // namespace holdfast::kernel
