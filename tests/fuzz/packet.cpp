// Any bytes as an IP packet, an ARP or NA frame and a state record: no crash, and what is accepted is what it says: encoding it
// again gives the same bytes (but for the four reserved bits and the two ways to sum).

#include "engine/record.hpp"
#include "wire/ndisc.hpp"
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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes{data, size};
    if (const auto packet = wire::parse_ipv4(bytes)) try_advert(*packet);
    // Without a header as well, so that the fuzzer need not find the IP checks first.
    try_advert({IpAddress::v4(192, 0, 2, 1), vrrp_group(Family::ipv4), 255, bytes});
    try_advert({IpAddress{Family::ipv6, {0xfe, 0x80}}, vrrp_group(Family::ipv6), 255, bytes});
    if (const auto seen = wire::decode_arp(bytes)) must(wire::decode_arp(wire::encode_gratuitous_arp(*seen)) == seen);
    if (const auto seen = wire::decode_na(bytes)) must(wire::decode_na(wire::encode_unsolicited_na(*seen)) == seen);
    if (const auto record = engine::decode_record(bytes))
        must(engine::decode_record(engine::encode(*record)) == *record);
    return 0;
}
