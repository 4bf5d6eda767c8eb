#include "wire/ndisc.hpp"

#include "base/assert.hpp"
#include "wire/checksum.hpp"

#include <algorithm>

namespace holdfast::wire {
namespace {

constexpr unsigned ethertype_ipv6 = 0x86dd;
constexpr std::uint8_t protocol_icmpv6 = 58;
constexpr unsigned neighbor_advertisement = 136;
constexpr unsigned override_flag = 0x20;
constexpr unsigned option_target_link_layer = 2;
constexpr std::size_t message_length = 32; // header, target and one option of 8 bytes
constexpr IpAddress all_nodes{Family::ipv6, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

Bytes encode_message(const Announcement& announcement) {
    Bytes out;
    out.reserve(message_length);
    put8(out, neighbor_advertisement);
    put8(out, 0);
    put16(out, 0);
    put8(out, override_flag);
    put8(out, 0);
    put16(out, 0);
    put(out, announcement.address.span());
    put8(out, option_target_link_layer);
    put8(out, 1); // in units of 8 bytes
    put(out, announcement.mac.bytes);
    Checksum sum;
    sum.add_pseudo_header(announcement.address, all_nodes, protocol_icmpv6, out.size());
    sum.add(out);
    out[2] = static_cast<std::uint8_t>(sum.finish() >> 8);
    out[3] = static_cast<std::uint8_t>(sum.finish());
    return out;
}

/// The target link-layer address among the options; a zero length would loop for ever, so it ends the search.
std::optional<MacAddress> find_target_mac(Reader options) {
    while (options.left() >= 8) {
        const auto type = options.u8(), length = options.u8();
        if (*length == 0) return std::nullopt;
        const auto body = options.take(*length * 8U - 2U);
        if (!body) return std::nullopt;
        if (*type != option_target_link_layer || body->size() < 6) continue;
        MacAddress mac;
        std::copy_n(body->begin(), 6, mac.bytes.begin());
        return mac;
    }
    return std::nullopt;
}

} // namespace

Bytes encode_unsolicited_na(const Announcement& announcement) {
    HF_ASSERT(announcement.address.family == Family::ipv6);
    Bytes out;
    out.reserve(86);
    put16(out, 0x3333); // the Ethernet group of ff02::1 (RFC 2464 7)
    put32(out, 1);
    put(out, announcement.mac.bytes);
    put16(out, ethertype_ipv6);
    put32(out, 0x60000000U);
    put16(out, message_length);
    put8(out, protocol_icmpv6);
    put8(out, 255);
    put(out, announcement.address.span());
    put(out, all_nodes.span());
    put(out, encode_message(announcement));
    return out;
}

std::optional<Announcement> decode_na(ByteView frame) {
    Reader reader{frame};
    if (!reader.take(12)) return std::nullopt;
    const auto type = reader.u16();
    const auto version = reader.take(4);
    const auto length = reader.u16();
    const auto next = reader.u8(), hop_limit = reader.u8();
    const auto source = reader.take(16), destination = reader.take(16);
    if (!destination || *type != ethertype_ipv6 || (*version)[0] >> 4 != 6) return std::nullopt;
    if (*next != protocol_icmpv6 || *hop_limit != 255) return std::nullopt;
    const auto message = reader.take(*length);
    if (!message || message->size() < 24 || (*message)[0] != neighbor_advertisement || (*message)[1] != 0)
        return std::nullopt;
    Checksum sum;
    sum.add_pseudo_header(IpAddress::from(Family::ipv6, *source), IpAddress::from(Family::ipv6, *destination),
                          protocol_icmpv6, message->size());
    sum.add(*message);
    if (sum.finish() != 0) return std::nullopt;
    const auto mac = find_target_mac(Reader{message->subspan(24)});
    if (!mac) return std::nullopt;
    return Announcement{IpAddress::from(Family::ipv6, message->subspan(8, 16)), *mac};
}

} // namespace holdfast::wire
