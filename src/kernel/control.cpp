#include "kernel/control.hpp"

#include <netinet/in.h>
#include <time.h>

namespace holdfast::kernel {
namespace {

template <typename Value>
Value value_of(const cmsghdr* c) {
    Value value{};
    std::memcpy(&value, CMSG_DATA(c), sizeof value);
    return value;
}

template <typename Raw>
IpAddress ip_of(Family family, const Raw& raw) {
    return IpAddress::from(family, {reinterpret_cast<const std::uint8_t*>(&raw), address_size(family)});
}

void read_socket_level(const cmsghdr* c, Control& result) {
    if (c->cmsg_type == SO_RXQ_OVFL) result.dropped = value_of<std::uint32_t>(c);
    if (c->cmsg_type != SO_TIMESTAMPNS) return;
    const auto stamp = value_of<timespec>(c);
    result.stamp = std::chrono::seconds{stamp.tv_sec} + Duration{stamp.tv_nsec};
}

void read_ipv4_level(const cmsghdr* c, Control& result) {
    if (c->cmsg_type == IP_TTL) result.hop_limit = static_cast<std::uint8_t>(value_of<int>(c));
    if (c->cmsg_type == IP_PKTINFO) result.destination = ip_of(Family::ipv4, value_of<in_pktinfo>(c).ipi_addr);
}

void read_ipv6_level(const cmsghdr* c, Control& result) {
    if (c->cmsg_type == IPV6_HOPLIMIT) result.hop_limit = static_cast<std::uint8_t>(value_of<int>(c));
    if (c->cmsg_type == IPV6_PKTINFO) result.destination = ip_of(Family::ipv6, value_of<in6_pktinfo>(c).ipi6_addr);
}

} // namespace

Control read_control(msghdr& message) {
    Control result;
    for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET) read_socket_level(c, result);
        if (c->cmsg_level == IPPROTO_IP) read_ipv4_level(c, result);
        if (c->cmsg_level == IPPROTO_IPV6) read_ipv6_level(c, result);
    }
    return result;
}

IpAddress address_of(const sockaddr_storage& from) {
    return from.ss_family == AF_INET ? ip_of(Family::ipv4, reinterpret_cast<const sockaddr_in*>(&from)->sin_addr)
                                     : ip_of(Family::ipv6, reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr);
}

SocketAddress socket_address(const IpAddress& address, std::uint16_t port, std::uint32_t scope) {
    SocketAddress result;
    if (address.family == Family::ipv4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        std::memcpy(&v4->sin_addr, address.bytes.data(), 4);
        result.size = sizeof *v4;
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        v6->sin6_scope_id = scope;
        std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
        result.size = sizeof *v6;
    }
    return result;
}

} // namespace holdfast::kernel
