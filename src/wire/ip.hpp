// The IPv4 header in front of what a raw socket delivers (ip(7)), checked; IPv6 raw sockets deliver no header, the kernel
// tells hop limit and destination by control message. Both end as one Packet.
#pragma once

#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "wire/reject.hpp"

namespace holdfast::wire {

inline constexpr std::uint8_t protocol_vrrp = 112;

/// An IP packet whose header was read. `payload` points into the received bytes.
struct Packet {
    IpAddress source;
    IpAddress destination;
    std::uint8_t hop_limit{}; ///< TTL or hop limit
    ByteView payload;
};

/// Strict: version 4, a whole header, a total length that fits, this protocol, not a fragment. Link padding behind the total
/// length is cut off.
Result<Packet, Reject> parse_ipv4(ByteView bytes, std::uint8_t protocol = protocol_vrrp);

} // namespace holdfast::wire
