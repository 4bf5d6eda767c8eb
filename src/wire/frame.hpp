// What stands before a VRRP message in an Ethernet frame to a group, for adverts that leave from a virtual MAC address
// (RFC 9568 7.3): a raw IP socket would send them from the interface's own.
#pragma once

#include "base/bytes.hpp"
#include "base/ip.hpp"

namespace holdfast::wire {

/// The Ethernet address of a multicast group (RFC 1112 6.4, RFC 2464 7).
MacAddress group_mac(const IpAddress& group);

/// Ethernet header alone, before a whole IP packet.
Bytes encode_ethernet_header(const MacAddress& from, const IpAddress& group);
/// Ethernet and IP headers before a VRRP message of this size: DSCP CS6, not fragmented.
Bytes encode_frame_header(const MacAddress& from, const IpAddress& source, const IpAddress& group,
                          std::uint8_t hop_limit, std::size_t message_size);

/// Of the IP header, without options or extensions.
constexpr std::size_t ip_header_size(Family family) {
    return family == Family::ipv4 ? 20 : 40;
}

} // namespace holdfast::wire
