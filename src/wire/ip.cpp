#include "wire/ip.hpp"

namespace holdfast::wire {

Result<Packet, Reject> parse_ipv4(ByteView bytes, std::uint8_t protocol) {
    constexpr std::size_t shortest_header = 20;
    if (bytes.size() < shortest_header) return unexpected{Reject::truncated};
    const std::size_t header = (bytes[0] & 0x0fUZ) * 4;
    const std::size_t total = static_cast<std::size_t>(bytes[2]) << 8 | bytes[3];
    const bool fragment = (bytes[6] & 0x3f) != 0 || bytes[7] != 0;
    if (bytes[0] >> 4 != 4 || header < shortest_header || total < header || fragment || bytes[9] != protocol)
        return unexpected{Reject::ip_header};
    if (bytes.size() < total) return unexpected{Reject::truncated};
    return Packet{IpAddress::from(Family::ipv4, bytes.subspan(12, 4)),
                  IpAddress::from(Family::ipv4, bytes.subspan(16, 4)), bytes[8], bytes.subspan(header, total - header)};
}

} // namespace holdfast::wire
