// How an advertisement lies in its packet: for those that put something behind it.
#pragma once

#include "wire/vrrp.hpp"

namespace holdfast::wire {

inline constexpr std::size_t checksum_offset = 6;
inline constexpr std::size_t trailer_size = 28;

/// The payload is as long as a message of its own version and count with a trailer behind it.
bool has_trailer(const Packet&);

/// The message of a packet that goes on for `behind` bytes. Over IPv4 its checksum leaves these out, over IPv6 it has them in.
Result<Advert, Reject> decode_message(const Packet&, std::size_t behind);

} // namespace holdfast::wire
