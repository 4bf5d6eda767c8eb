// The IPsec authentication header as VRRPv2 uses it. One difference to RFC 2402 is kept, because keepalived has it: the TTL
// counts as it is (255) for multicast, and as zero for unicast.

#include "wire/digest.hpp"
#include "wire/proof.hpp"

#include <algorithm>

namespace holdfast::wire {
namespace {

constexpr std::size_t ip_header_size = 20;
constexpr std::size_t digest_offset = 12;           // in the authentication header
constexpr std::uint8_t ah_length = ah_size / 4 - 2; // RFC 2402 2.2
constexpr std::uint8_t class_selector_6 = 0xc0;     // what routers give to their own protocols
constexpr std::uint8_t hop_limit = 255;             // RFC 9568 5.1.1.3
constexpr std::uint32_t identifications = 0xffff;   // 1 to 65535: the kernel would replace a zero

/// What changes on the way, as the digest reads it, and the digest itself.
void blank(Bytes& packet, std::size_t header_size, bool unicast) {
    packet[1] = 0;             // type of service
    packet[6] = packet[7] = 0; // flags and fragment offset
    if (unicast) packet[8] = 0;
    packet[10] = packet[11] = 0; // checksum
    const auto digest = std::span{packet}.subspan(header_size + digest_offset, sizeof(AhProof::digest));
    std::ranges::fill(digest, std::uint8_t{0});
}

std::optional<std::array<std::uint8_t, 12>> digest_of(ByteView covered, ByteView key) {
    const auto whole = hmac_md5(key, covered);
    if (!whole) return std::nullopt;
    std::array<std::uint8_t, 12> result{};
    std::copy_n(whole->begin(), result.size(), result.begin());
    return result;
}

} // namespace

Result<AhPacket, Reject> parse_ah(ByteView bytes) {
    const auto outer = parse_ipv4(bytes, protocol_ah);
    if (!outer) return unexpected{outer.error()};
    Reader reader{outer->payload};
    const auto next = reader.u8(), length = reader.u8();
    const auto reserved = reader.u16();
    const auto index = reader.take(4);
    const auto high = reader.u16(), low = reader.u16();
    const auto digest = reader.take(sizeof(AhProof::digest));
    if (!digest) return unexpected{Reject::truncated};
    if (*next != protocol_vrrp || *length != ah_length || *reserved != 0 ||
        IpAddress::from(Family::ipv4, *index) != outer->source)
        return unexpected{Reject::signature_malformed};
    AhPacket result{*outer, {}};
    result.packet.payload = outer->payload.subspan(ah_size);
    result.proof.sequence = static_cast<std::uint32_t>(*high) << 16 | *low;
    std::ranges::copy(*digest, result.proof.digest.begin());
    const auto header_size = static_cast<std::size_t>(outer->payload.data() - bytes.data());
    const auto whole = bytes.first(header_size + outer->payload.size()); // without link padding
    result.proof.covered.assign(whole.begin(), whole.end());
    blank(result.proof.covered, header_size, !outer->destination.is_multicast());
    return result;
}

std::optional<Vrid> peek_ah_vrid(ByteView bytes) {
    const auto outer = parse_ipv4(bytes, protocol_ah);
    if (!outer || outer->payload.size() < ah_size) return std::nullopt;
    return peek_vrid(outer->payload.subspan(ah_size));
}

bool is_proven(const AhProof& proof, ByteView key) {
    const auto expected = digest_of(proof.covered, key);
    return expected && equal_digests(*expected, proof.digest);
}

std::optional<Bytes> wrap_in_ah(ByteView message, const IpAddress& source, const IpAddress& destination,
                                std::uint32_t sequence, ByteView key) {
    Bytes packet;
    const auto total = ip_header_size + ah_size + message.size();
    packet.reserve(total);
    put8(packet, 0x45);
    put8(packet, class_selector_6);
    put16(packet, static_cast<unsigned>(total));
    put16(packet, 1 + sequence % identifications);
    put16(packet, 0);
    put8(packet, hop_limit);
    put8(packet, protocol_ah);
    put16(packet, 0); // the kernel's
    put(packet, source.span());
    put(packet, destination.span());
    put8(packet, protocol_vrrp);
    put8(packet, ah_length);
    put16(packet, 0);
    put(packet, source.span()); // keepalived's choice of a security parameters index
    put32(packet, sequence);
    packet.resize(ip_header_size + ah_size, 0);
    put(packet, message);

    auto covered = packet;
    blank(covered, ip_header_size, !destination.is_multicast());
    const auto digest = digest_of(covered, key);
    if (!digest) return std::nullopt;
    std::ranges::copy(*digest, packet.begin() + ip_header_size + digest_offset);
    return packet;
}

} // namespace holdfast::wire
