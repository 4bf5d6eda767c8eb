// Unsolicited neighbor advertisements as whole Ethernet frames (RFC 4861 7.2.6): what gratuitous ARP is for IPv4.
#pragma once

#include "wire/arp.hpp"

namespace holdfast::wire {

/// Frame of 86 bytes to ff02::1: hop limit 255, override flag, target link-layer address option.
Bytes encode_unsolicited_na(const Announcement&);

/// A valid neighbor advertisement (RFC 4861 7.1.2) that names a target link-layer address.
std::optional<Announcement> decode_na(ByteView frame);

} // namespace holdfast::wire
