#include "wire/arp.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace holdfast::wire {
namespace {

constexpr unsigned ethertype_arp = 0x0806;
constexpr std::array<std::uint8_t, 6> broadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
// Hardware Ethernet, protocol IPv4, their sizes: the fixed start of every ARP message that we send or read.
constexpr std::array<std::uint8_t, 6> ethernet_ipv4{0, 1, 8, 0, 6, 4};
constexpr unsigned request = 1;

} // namespace

Bytes encode_gratuitous_arp(const Announcement& announcement) {
    HF_ASSERT(announcement.address.family == Family::ipv4);
    Bytes out;
    out.reserve(42);
    put(out, broadcast);
    put(out, announcement.mac.bytes);
    put16(out, ethertype_arp);
    put(out, ethernet_ipv4);
    put16(out, request);
    put(out, announcement.mac.bytes);
    put(out, announcement.address.span());
    put(out, broadcast);
    put(out, announcement.address.span());
    return out;
}

std::optional<Announcement> decode_arp(ByteView frame) {
    Reader reader{frame};
    if (!reader.take(12)) return std::nullopt;
    const auto type = reader.u16();
    const auto fixed = reader.take(ethernet_ipv4.size());
    const auto operation = reader.u16();
    const auto sender_mac = reader.take(6), sender = reader.take(4);
    const auto target = reader.take(10);
    if (!target || *type != ethertype_arp || !std::ranges::equal(*fixed, ethernet_ipv4)) return std::nullopt;
    if (*operation != 1 && *operation != 2) return std::nullopt;
    Announcement result{IpAddress::from(Family::ipv4, *sender), {}};
    if (result.address.is_unspecified()) return std::nullopt;
    std::ranges::copy(*sender_mac, result.mac.bytes.begin());
    return result;
}

} // namespace holdfast::wire
