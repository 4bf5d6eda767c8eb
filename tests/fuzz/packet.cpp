// Any bytes as an IP packet, signed or not, an ARP or NA frame and a state record: no crash, and what is accepted is what it says: encoding it
// again gives the same bytes (but for the four reserved bits and the two ways to sum).

#include "engine/record.hpp"
#include "wire/ndisc.hpp"
#include "wire/proof.hpp"
#include "wire/vrrp.hpp"

#include <cstdlib>

using namespace holdfast;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

void try_advert(const wire::Packet& packet) {
    const auto advert = wire::decode(packet);
    if (!advert) return must(!wire::name(advert.error()).empty());
    const auto again = wire::encode(*advert, packet.source, packet.destination);
    wire::Packet second = packet;
    second.payload = again;
    const auto decoded = wire::decode(second);
    must(decoded && *decoded == *advert);
}

/// What is decoded can be signed anew, and then it is proven; what came in is not, without the key.
void try_signed(const wire::Packet& packet) {
    const auto decoded = wire::decode_signed(packet);
    if (!decoded) return must(!wire::explain(decoded.error()).empty());
    const Bytes key(32, 0xa5);
    const auto message = wire::encode(decoded->advert, packet.source, packet.destination);
    const auto again = wire::with_trailer(message, packet.source, packet.destination, {1, key}, 17);
    must(again.has_value());
    auto second = packet;
    second.payload = *again;
    const auto proven = wire::decode_signed(second);
    must(proven && proven->advert == decoded->advert);
    must(wire::is_proven(std::get<wire::TrailerProof>(proven->proof), key));
    if (const auto* proof = std::get_if<wire::TrailerProof>(&decoded->proof)) must(!wire::is_proven(*proof, key));
}

void try_ah(ByteView bytes) {
    const auto parsed = wire::parse_ah(bytes);
    if (!parsed) return must(!wire::name(parsed.error()).empty());
    const std::array<std::uint8_t, 8> key{1, 2, 3};
    must(!wire::is_proven(parsed->proof, key));
    const auto& packet = parsed->packet;
    const auto again = wire::wrap_in_ah(packet.payload, packet.source, packet.destination, parsed->proof.sequence, key);
    must(again && wire::is_proven(wire::parse_ah(*again)->proof, key));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes{data, size};
    if (const auto packet = wire::parse_ipv4(bytes)) {
        try_advert(*packet);
        try_signed(*packet);
    }
    try_ah(bytes);
    // Without a header as well, so that the fuzzer need not find the IP checks first.
    try_advert({IpAddress::v4(192, 0, 2, 1), vrrp_group(Family::ipv4), 255, bytes});
    try_advert({IpAddress{Family::ipv6, {0xfe, 0x80}}, vrrp_group(Family::ipv6), 255, bytes});
    try_signed({IpAddress::v4(192, 0, 2, 1), vrrp_group(Family::ipv4), 255, bytes});
    try_signed({IpAddress{Family::ipv6, {0xfe, 0x80}}, vrrp_group(Family::ipv6), 255, bytes});
    if (const auto seen = wire::decode_arp(bytes)) must(wire::decode_arp(wire::encode_gratuitous_arp(*seen)) == seen);
    if (const auto seen = wire::decode_na(bytes)) must(wire::decode_na(wire::encode_unsolicited_na(*seen)) == seen);
    if (const auto record = engine::decode_record(bytes))
        must(engine::decode_record(engine::encode(*record)) == *record);
    return 0;
}
