#include "wire/frame.hpp"

#include "base/assert.hpp"
#include "wire/checksum.hpp"
#include "wire/ip.hpp"

#include <algorithm>

namespace holdfast::wire {
namespace {

constexpr unsigned ethertype_ipv4 = 0x0800, ethertype_ipv6 = 0x86dd;
constexpr unsigned traffic_class = 0xc0; ///< DSCP CS6, what routers give to their own protocols
constexpr unsigned dont_fragment = 0x4000;

void put_ipv4(Bytes& out, const IpAddress& source, const IpAddress& group, std::uint8_t ttl, std::size_t message_size) {
    const auto start = out.size();
    put8(out, 0x45);
    put8(out, traffic_class);
    put16(out, static_cast<unsigned>(20 + message_size));
    put16(out, 0); // no number is needed where nothing is fragmented (RFC 6864 4.1)
    put16(out, dont_fragment);
    put8(out, ttl);
    put8(out, protocol_vrrp);
    put16(out, 0);
    put(out, source.span());
    put(out, group.span());
    Checksum sum;
    sum.add(ByteView{out}.subspan(start));
    out[start + 10] = static_cast<std::uint8_t>(sum.finish() >> 8);
    out[start + 11] = static_cast<std::uint8_t>(sum.finish());
}

void put_ipv6(Bytes& out, const IpAddress& source, const IpAddress& group, std::uint8_t limit,
              std::size_t message_size) {
    put32(out, 0x60000000U | traffic_class << 20);
    put16(out, static_cast<unsigned>(message_size));
    put8(out, protocol_vrrp);
    put8(out, limit);
    put(out, source.span());
    put(out, group.span());
}

} // namespace

MacAddress group_mac(const IpAddress& group) {
    HF_ASSERT(group.is_multicast());
    const auto& b = group.bytes;
    if (group.family == Family::ipv4) return {{0x01, 0x00, 0x5e, static_cast<std::uint8_t>(b[1] & 0x7fU), b[2], b[3]}};
    return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

Bytes encode_ethernet_header(const MacAddress& from, const IpAddress& group) {
    Bytes out;
    out.reserve(14 + ip_header_size(group.family));
    put(out, group_mac(group).bytes);
    put(out, from.bytes);
    put16(out, group.family == Family::ipv4 ? ethertype_ipv4 : ethertype_ipv6);
    return out;
}

Bytes encode_frame_header(const MacAddress& from, const IpAddress& source, const IpAddress& group,
                          std::uint8_t hop_limit, std::size_t message_size) {
    auto out = encode_ethernet_header(from, group);
    const auto put_ip = group.family == Family::ipv4 ? put_ipv4 : put_ipv6;
    put_ip(out, source, group, hop_limit, message_size);
    return out;
}

} // namespace holdfast::wire
