// The HMAC-SHA256 trailer of draft-cassen-vrrp-auth-hmac, 28 bytes: type 1, key id, two reserved bytes, sequence (8), and the
// first 16 bytes of the digest. Covered are a pseudo-header of 20 bytes, the message with its checksum read as zero, and the
// trailer with its digest read as zero.

#include "base/assert.hpp"
#include "wire/checksum.hpp"
#include "wire/digest.hpp"
#include "wire/message.hpp"
#include "wire/proof.hpp"

#include <algorithm>

namespace holdfast::wire {
namespace {

constexpr std::size_t digest_size = sizeof(TrailerProof::digest);
constexpr unsigned type_hmac_sha256 = 1;

/// {family, version, VRID, 0} and the source address, left-aligned in 16 bytes.
Bytes pseudo_header(ByteView message, const IpAddress& source) {
    Bytes out;
    put8(out, static_cast<unsigned>(source.family));
    put8(out, message[0] >> 4);
    put8(out, message[1]);
    put8(out, 0);
    put(out, source.bytes);
    return out;
}

/// Of a message with its trailer.
Bytes covered_by_digest(ByteView whole, const IpAddress& source) {
    auto out = pseudo_header(whole, source);
    const auto begin = out.size();
    put(out, whole);
    std::ranges::fill(std::span{out}.subspan(begin + checksum_offset, 2), std::uint8_t{0});
    std::ranges::fill(std::span{out}.last(digest_size), std::uint8_t{0});
    return out;
}

std::optional<std::array<std::uint8_t, digest_size>> digest_of(ByteView covered, ByteView key) {
    const auto whole = hmac_sha256(key, covered);
    if (!whole) return std::nullopt;
    std::array<std::uint8_t, digest_size> result{};
    std::copy_n(whole->begin(), result.size(), result.begin());
    return result;
}

std::optional<TrailerProof> read_trailer(ByteView trailer) {
    Reader reader{trailer};
    const auto type = reader.u8(), key_id = reader.u8();
    const auto reserved = reader.u16();
    const auto sequence = reader.take(sizeof(Sequence));
    const auto digest = reader.take(digest_size);
    HF_ASSERT(digest); // the length was checked
    if (*type != type_hmac_sha256 || *reserved != 0) return std::nullopt;
    TrailerProof result{.key_id = *key_id};
    for (const auto byte : *sequence)
        result.sequence = result.sequence << 8 | byte;
    std::ranges::copy(*digest, result.digest.begin());
    return result;
}

} // namespace

Result<Signed, Reject> decode_signed(const Packet& packet) {
    if (!has_trailer(packet)) {
        auto advert = decode(packet);
        if (!advert) return unexpected{advert.error()};
        return Signed{std::move(*advert), {}};
    }
    auto advert = decode_message(packet, trailer_size);
    if (!advert) return unexpected{advert.error()};
    auto proof = read_trailer(packet.payload.last(trailer_size));
    if (!proof) return unexpected{Reject::signature_malformed};
    proof->covered = covered_by_digest(packet.payload, packet.source);
    return Signed{std::move(*advert), std::move(*proof)};
}

bool is_proven(const TrailerProof& proof, ByteView key) {
    const auto expected = digest_of(proof.covered, key);
    return expected && equal_digests(*expected, proof.digest);
}

std::optional<Bytes> with_trailer(ByteView message, const IpAddress& source, const IpAddress& destination,
                                  SigningKey key, Sequence sequence) {
    Bytes out{message.begin(), message.end()};
    out.reserve(out.size() + trailer_size);
    put8(out, type_hmac_sha256);
    put8(out, key.id);
    put16(out, 0);
    put32(out, static_cast<std::uint32_t>(sequence >> 32));
    put32(out, static_cast<std::uint32_t>(sequence));
    out.resize(out.size() + digest_size, 0);
    const auto digest = digest_of(covered_by_digest(out, source), key.secret);
    if (!digest) return std::nullopt;
    std::ranges::copy(*digest, out.end() - static_cast<std::ptrdiff_t>(digest_size));
    if (source.family == Family::ipv6) {
        out[checksum_offset] = out[checksum_offset + 1] = 0;
        Checksum sum;
        sum.add_pseudo_header(source, destination, protocol_vrrp, out.size());
        sum.add(out);
        const auto value = sum.finish();
        out[checksum_offset] = static_cast<std::uint8_t>(value >> 8);
        out[checksum_offset + 1] = static_cast<std::uint8_t>(value);
    }
    return out;
}

} // namespace holdfast::wire
