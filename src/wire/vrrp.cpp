#include "wire/vrrp.hpp"

#include "base/assert.hpp"
#include "wire/checksum.hpp"
#include "wire/message.hpp"

#include <algorithm>

namespace holdfast::wire {
namespace {

constexpr std::size_t header_size = 8;
constexpr std::size_t auth_size = 8;
constexpr unsigned type_advertisement = 1;
constexpr Duration v3_tick = 10ms; // Max Advertise Interval counts centiseconds in 12 bits
constexpr unsigned v3_interval_mask = 0x0fff;

std::size_t message_size(std::uint8_t version, Family family, std::size_t count) {
    const bool has_auth = version == 2 && family == Family::ipv4;
    return header_size + count * address_size(family) + (has_auth ? auth_size : 0);
}

bool checksum_is_right(std::uint8_t version, const Packet& packet, std::size_t behind) {
    const bool ipv4 = packet.source.family == Family::ipv4;
    const auto summed = ipv4 ? packet.payload.first(packet.payload.size() - behind) : packet.payload;
    Checksum plain;
    plain.add(summed);
    if (ipv4 && plain.finish() == 0) return true;
    if (ipv4 && version == 2) return false;
    Checksum with_pseudo_header;
    with_pseudo_header.add_pseudo_header(packet.source, packet.destination, protocol_vrrp, summed.size());
    with_pseudo_header.add(summed);
    return with_pseudo_header.finish() == 0;
}

} // namespace

Bytes encode(const Advert& advert, const IpAddress& source, const IpAddress& destination, Ipv4Checksum style) {
    const Family family = source.family;
    HF_ASSERT(!advert.addresses.empty() && advert.addresses.size() <= 255);
    Bytes out;
    out.reserve(message_size(advert.version, family, advert.addresses.size()));
    put8(out, static_cast<unsigned>(advert.version << 4) | type_advertisement);
    put8(out, advert.vrid.value);
    put8(out, advert.priority.value);
    put8(out, static_cast<unsigned>(advert.addresses.size()));
    if (advert.version == 2) {
        put8(out, static_cast<unsigned>(advert.auth_type));
        put8(out, static_cast<unsigned>(advert.interval / 1s));
    } else {
        put16(out, static_cast<unsigned>(advert.interval / v3_tick) & v3_interval_mask);
    }
    put16(out, 0);
    for (const auto& address : advert.addresses) {
        HF_ASSERT(address.family == family);
        put(out, address.span());
    }
    if (advert.version == 2 && family == Family::ipv4) put(out, advert.auth_data);

    Checksum sum;
    const bool pseudo_header =
        family == Family::ipv6 || (advert.version == 3 && style == Ipv4Checksum::with_pseudo_header);
    if (pseudo_header) sum.add_pseudo_header(source, destination, protocol_vrrp, out.size());
    sum.add(out);
    const auto value = sum.finish();
    out[checksum_offset] = static_cast<std::uint8_t>(value >> 8);
    out[checksum_offset + 1] = static_cast<std::uint8_t>(value);
    return out;
}

Result<Advert, Reject> decode(const Packet& packet) {
    return decode_message(packet, 0);
}

bool has_trailer(const Packet& packet) {
    const auto& payload = packet.payload;
    if (payload.size() < header_size + trailer_size) return false;
    const auto version = static_cast<std::uint8_t>(payload[0] >> 4);
    return payload.size() == message_size(version, packet.source.family, payload[3]) + trailer_size;
}

Result<Advert, Reject> decode_message(const Packet& packet, std::size_t behind) {
    Reader reader{packet.payload};
    const auto first = reader.u8(), vrid = reader.u8(), priority = reader.u8(), count = reader.u8();
    const auto fifth = reader.u8(), sixth = reader.u8();
    const auto checksum = reader.u16();
    if (!checksum) return unexpected{Reject::truncated};
    // Unicast may cross routers; which TTL it must still have, the peer's settings say.
    if (packet.hop_limit != 255 && packet.destination.is_multicast()) return unexpected{Reject::hop_limit};

    Advert advert;
    advert.version = *first >> 4;
    if (advert.version != 2 && advert.version != 3) return unexpected{Reject::version};
    if ((*first & 0x0f) != type_advertisement) return unexpected{Reject::type};
    if (*vrid == 0) return unexpected{Reject::vrid};
    if (*count == 0) return unexpected{Reject::address_count};
    const Family family = packet.source.family;
    if (packet.payload.size() != message_size(advert.version, family, *count) + behind)
        return unexpected{Reject::length};
    if (!checksum_is_right(advert.version, packet, behind)) return unexpected{Reject::checksum};

    advert.vrid = Vrid{*vrid};
    advert.priority = Priority{*priority};
    if (advert.version == 2) {
        if (*fifth > static_cast<std::uint8_t>(AuthType::ah)) return unexpected{Reject::authentication};
        advert.auth_type = static_cast<AuthType>(*fifth);
        advert.interval = std::chrono::seconds{*sixth};
    } else {
        // The four bits above the interval are reserved: zero when sent, ignored when received (RFC 9568 5.2.6).
        advert.interval = v3_tick * ((*fifth << 8 | *sixth) & static_cast<int>(v3_interval_mask));
    }
    if (advert.interval == Duration::zero()) return unexpected{Reject::interval};
    advert.addresses.reserve(*count);
    for (unsigned i = 0; i < *count; ++i) {
        const auto bytes = reader.take(address_size(family));
        HF_ASSERT(bytes); // the length was checked above
        advert.addresses.push_back(IpAddress::from(family, *bytes));
    }
    if (advert.version == 2 && family == Family::ipv4) {
        const auto bytes = reader.take(auth_size);
        HF_ASSERT(bytes);
        std::ranges::copy(*bytes, advert.auth_data.begin());
    }
    return advert;
}

std::optional<Vrid> peek_vrid(ByteView payload) {
    if (payload.size() < 2 || payload[1] == 0) return std::nullopt;
    return Vrid{payload[1]};
}

std::string_view name(Reject reason) {
    switch (reason) {
    case Reject::truncated: return "truncated";
    case Reject::ip_header: return "ip_header";
    case Reject::hop_limit: return "hop_limit";
    case Reject::version: return "version";
    case Reject::type: return "type";
    case Reject::vrid: return "vrid";
    case Reject::address_count: return "address_count";
    case Reject::length: return "length";
    case Reject::checksum: return "checksum";
    case Reject::interval: return "interval";
    case Reject::authentication: return "authentication";
    case Reject::own_source: return "own_source";
    case Reject::transport: return "transport";
    case Reject::peer: return "peer";
    case Reject::signature_missing: return "signature_missing";
    case Reject::signature_malformed: return "signature_malformed";
    case Reject::signature_unexpected: return "signature_unexpected";
    case Reject::signature_key: return "signature_key";
    case Reject::signature_wrong: return "signature_wrong";
    case Reject::signature_stale: return "signature_stale";
    case Reject::signature_replay: return "signature_replay";
    }
    HF_UNREACHABLE("a Reject has a name");
}

std::string_view explain(Reject reason) {
    switch (reason) {
    case Reject::truncated: return "it is shorter than its header says";
    case Reject::ip_header: return "its IP header is damaged, or it is a fragment";
    case Reject::hop_limit: return "its TTL is not 255, so a router forwarded it: VRRP stays on one link";
    case Reject::version: return "it is of another VRRP version: give both hosts the same `version:`";
    case Reject::type: return "its type is not 1 (advertisement)";
    case Reject::vrid: return "its VRID is 0";
    case Reject::address_count: return "it names no address";
    case Reject::length: return "its length does not match its version and address count";
    case Reject::checksum: return "its checksum is wrong";
    case Reject::interval: return "its advertisement interval is not ours: give both hosts the same `advert_interval:`";
    case Reject::authentication: return "its authentication is not ours: give both hosts the same `authentication:`";
    case Reject::own_source:
        return "it came from our own address: either the switch reflects our packets or another host has our address";
    case Reject::transport:
        return "one host sends by multicast and the other by unicast: give both hosts the same `unicast:`";
    case Reject::peer:
        return "its sender is not among the peers: add it to `unicast: {peers: [...]}`, or find out who it is";
    case Reject::signature_missing:
        return "it is not signed: give both hosts the same `authentication:`, or `mode: permissive` until all of them "
               "sign";
    case Reject::signature_malformed: return "its signature is not of a form that this version knows";
    case Reject::signature_unexpected:
        return "it is signed, and this host has no such `authentication:`: give both hosts the same one";
    case Reject::signature_key: return "it is signed with a key id that is not among `keys:`: add the key here first";
    case Reject::signature_wrong:
        return "its signature is wrong: the key differs between the hosts, or somebody else forged the packet";
    case Reject::signature_stale:
        return "its time is further from this host's clock than `time_window:`: set both clocks (NTP), or it is an old "
               "packet sent again";
    case Reject::signature_replay: return "its sequence number was used before: it is an old packet sent again";
    }
    HF_UNREACHABLE("a Reject has an explanation");
}

} // namespace holdfast::wire
