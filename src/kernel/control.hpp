// What travels beside a datagram: addresses and control messages (cmsg(3)), between the kernel's structures and our values.
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <sys/socket.h>

namespace holdfast::kernel {

/// What the kernel tells of a received datagram; each part only when its option is set on the socket.
struct Control {
    std::optional<IpAddress> destination;
    std::optional<Duration> stamp; ///< of CLOCK_REALTIME (SO_TIMESTAMPNS)
    std::optional<std::uint8_t> hop_limit;
    std::optional<std::uint32_t> dropped; ///< datagrams lost since the socket was opened (SO_RXQ_OVFL)
};
Control read_control(msghdr& message);

/// One control message behind the others; `control` has room for it and is aligned as cmsghdr.
template <typename Value>
void add_control(msghdr& header, char* control, int level, int type, const Value& value) {
    auto* c = reinterpret_cast<cmsghdr*>(control + header.msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(c), &value, sizeof value);
    header.msg_control = control;
    header.msg_controllen += CMSG_SPACE(sizeof value);
}

IpAddress address_of(const sockaddr_storage&);

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size{};
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
/// `scope` is the link of an IPv6 address that means nothing without one.
SocketAddress socket_address(const IpAddress& address, std::uint16_t port, std::uint32_t scope = 0);

} // namespace holdfast::kernel
