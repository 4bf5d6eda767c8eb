// Gratuitous ARP, as bytes of a whole Ethernet frame (RFC 826, RFC 5227 3): the request form, sender and target address both
// the announced one, which every ARP cache takes up.
#pragma once

#include "base/bytes.hpp"
#include "base/ip.hpp"

#include <optional>

namespace holdfast::wire {

/// Somebody said that `address` is at `mac`.
struct Announcement {
    IpAddress address;
    MacAddress mac;
    bool operator==(const Announcement&) const = default;
};

/// Frame of 42 bytes; the kernel pads it.
Bytes encode_gratuitous_arp(const Announcement&);

/// Any ARP for IPv4 over Ethernet that tells where its sender's address is; probes (sender 0.0.0.0) tell nothing.
std::optional<Announcement> decode_arp(ByteView frame);

} // namespace holdfast::wire
