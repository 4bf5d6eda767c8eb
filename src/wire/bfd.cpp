#include "wire/bfd.hpp"

#include "base/assert.hpp"

namespace holdfast::wire {
namespace {

constexpr std::size_t control_size = 24;
constexpr unsigned version_1 = 1;
// Of the second byte, behind the two bits of the state.
constexpr unsigned poll_bit = 0x20, final_bit = 0x10, independent_bit = 0x08, authentication_bit = 0x04,
                   demand_bit = 0x02, multipoint_bit = 0x01;

unsigned bit(bool set, unsigned value) {
    return set ? value : 0;
}

struct Words {
    Reader& reader;
    std::uint32_t next() {
        const auto high = reader.u16(), low = reader.u16();
        HF_ASSERT(high && low); // the size was checked
        return static_cast<std::uint32_t>(*high) << 16 | *low;
    }
};

} // namespace

Bytes encode(const BfdControl& packet) {
    Bytes out;
    out.reserve(control_size);
    put8(out, version_1 << 5 | static_cast<unsigned>(packet.diagnostic));
    put8(out, static_cast<unsigned>(packet.state) << 6 | bit(packet.poll, poll_bit) | bit(packet.final, final_bit) |
                  bit(packet.control_plane_independent, independent_bit) | bit(packet.demand, demand_bit));
    put8(out, packet.multiplier);
    put8(out, control_size);
    put32(out, packet.my_discriminator);
    put32(out, packet.your_discriminator);
    for (const auto interval : {packet.desired_min_tx, packet.required_min_rx, packet.required_min_echo_rx})
        put32(out, static_cast<std::uint32_t>(interval.count()));
    return out;
}

Result<BfdControl, BfdReject> decode_bfd(ByteView bytes) {
    if (bytes.size() < control_size) return unexpected{BfdReject::truncated};
    if (bytes[0] >> 5 != version_1) return unexpected{BfdReject::version};
    const unsigned flags = bytes[1];
    if (bytes[3] > bytes.size()) return unexpected{BfdReject::truncated};
    if ((flags & authentication_bit) != 0) return unexpected{BfdReject::authentication};
    if (bytes[3] != control_size) return unexpected{BfdReject::length};
    if ((flags & multipoint_bit) != 0) return unexpected{BfdReject::multipoint};

    BfdControl packet;
    packet.diagnostic = static_cast<BfdDiagnostic>(bytes[0] & 0x1f);
    packet.state = static_cast<BfdState>(flags >> 6);
    packet.poll = (flags & poll_bit) != 0;
    packet.final = (flags & final_bit) != 0;
    packet.control_plane_independent = (flags & independent_bit) != 0;
    packet.demand = (flags & demand_bit) != 0;
    packet.multiplier = bytes[2];
    Reader reader{bytes.subspan(4)};
    Words words{reader};
    packet.my_discriminator = words.next();
    packet.your_discriminator = words.next();
    packet.desired_min_tx = std::chrono::microseconds{words.next()};
    packet.required_min_rx = std::chrono::microseconds{words.next()};
    packet.required_min_echo_rx = std::chrono::microseconds{words.next()};
    if (packet.multiplier == 0) return unexpected{BfdReject::multiplier};
    const bool may_not_know_us = packet.state == BfdState::down || packet.state == BfdState::admin_down;
    if (packet.my_discriminator == 0 || (packet.your_discriminator == 0 && !may_not_know_us))
        return unexpected{BfdReject::discriminator};
    return packet;
}

std::string_view name(BfdReject reason) {
    switch (reason) {
    case BfdReject::truncated: return "truncated";
    case BfdReject::version: return "version";
    case BfdReject::length: return "length";
    case BfdReject::authentication: return "authentication";
    case BfdReject::multiplier: return "multiplier";
    case BfdReject::multipoint: return "multipoint";
    case BfdReject::discriminator: return "discriminator";
    case BfdReject::hop_limit: return "hop_limit";
    case BfdReject::stranger: return "stranger";
    }
    HF_UNREACHABLE("a BfdReject has a name");
}

} // namespace holdfast::wire
