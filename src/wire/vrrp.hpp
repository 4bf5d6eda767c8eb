// VRRP advertisements: bytes to values and back. Version 3 is RFC 9568, version 2 is RFC 3768 (with the eight
// authentication bytes that RFC 2338 defined and keepalived still uses). Decoding is strict and knows no configuration:
// what depends on the instance (version, password, own address) is checked by engine/.
#pragma once

#include "base/bytes.hpp"
#include "base/id.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/ip.hpp"
#include "wire/reject.hpp"

#include <array>
#include <vector>

namespace holdfast::wire {

/// Authentication types of version 2 (RFC 2338 5.3.6); RFC 3768 reserves all but 0.
enum class AuthType : std::uint8_t { none = 0, pass = 1, ah = 2 };

struct Advert {
    std::uint8_t version{3};
    Vrid vrid{};
    Priority priority{};
    /// v3: Max Advertise Interval, 10 ms to 40.95 s in steps of 10 ms. v2: Adver Int, 1 to 255 whole seconds.
    Duration interval{};
    AuthType auth_type{AuthType::none};      ///< version 2 only
    std::array<std::uint8_t, 8> auth_data{}; ///< version 2 over IPv4 only
    std::vector<IpAddress> addresses;        ///< in the sender's order
    bool operator==(const Advert&) const = default;
};

/// What a version 3 checksum over IPv4 covers: RFC 9568 leaves the pseudo-header out, keepalived puts it in (RFC 5798 read
/// the other way). Both are accepted; what we send is chosen.
enum class Ipv4Checksum : std::uint8_t { with_pseudo_header, message_only };

/// The bytes of one advertisement, checksum included. Precondition: 1 to 255 addresses of one family, the interval in range.
Bytes encode(const Advert&, const IpAddress& source, const IpAddress& destination,
             Ipv4Checksum = Ipv4Checksum::with_pseudo_header);

/// Everything about the packet must be right: hop limit 255 (of multicast), version, type, VRID, count, exact length, checksum, interval.
Result<Advert, Reject> decode(const Packet&);

/// The VRID in the bytes even when the rest is rejected, for naming the sender in a log line.
std::optional<Vrid> peek_vrid(ByteView payload);

} // namespace holdfast::wire
