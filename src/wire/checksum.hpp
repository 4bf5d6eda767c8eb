// The Internet checksum (RFC 1071), with and without the IPv4 and IPv6 pseudo-headers (RFC 9568 5.2.8, RFC 8200 8.1).
#pragma once

#include "base/bytes.hpp"
#include "base/ip.hpp"

namespace holdfast::wire {

/// A sum in progress; `finish()` of a message that carries its right checksum is 0.
class Checksum {
  public:
    /// Parts must have an even length, except the last.
    void add(ByteView bytes);
    void add16(std::uint32_t value) { sum_ += value; }
    /// Source, destination, protocol and length of the upper-layer message.
    void add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                           std::size_t length);
    std::uint16_t finish() const;

  private:
    std::uint64_t sum_{0};
};

} // namespace holdfast::wire
