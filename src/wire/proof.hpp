// What an advertisement carries to prove who sent it and that it is new: the IPsec authentication header of version 2
// (RFC 2338 5.3.6.3, RFC 2402, in the form that keepalived gave it), or the HMAC-SHA256 trailer of
// draft-cassen-vrrp-auth-hmac. Decoding gathers the bytes that the digest covers; who has the key, and which number comes
// next, is engine/'s to say.
#pragma once

#include "wire/ip.hpp"
#include "wire/vrrp.hpp"

#include <variant>

namespace holdfast::wire {

inline constexpr std::uint8_t protocol_ah = 51;
inline constexpr std::size_t ah_size = 24; ///< of the header, with its 96 bits of digest

/// RFC 2402 with 96 bits of HMAC-MD5 (RFC 2403).
struct AhProof {
    std::uint32_t sequence{};
    std::array<std::uint8_t, 12> digest{};
    Bytes covered;
    bool operator==(const AhProof&) const = default;
};

/// Seconds (32 bits), 1/65536 s (16 bits) and a counter (16 bits): one number that grows with the sender's wall clock.
using Sequence = std::uint64_t;

struct TrailerProof {
    std::uint8_t key_id{};
    Sequence sequence{};
    std::array<std::uint8_t, 16> digest{};
    Bytes covered;
    bool operator==(const TrailerProof&) const = default;
};

using Proof = std::variant<std::monostate, AhProof, TrailerProof>;

/// An advertisement with what proves it; `decode` alone is for those without.
struct Signed {
    Advert advert;
    Proof proof;
};

/// As decode(), and a trailer of 28 bytes may follow the message.
Result<Signed, Reject> decode_signed(const Packet&);

struct AhPacket {
    Packet packet; ///< what stands behind the authentication header
    AhProof proof;
};
/// An IPv4 packet of protocol 51 around an advertisement. Strict: parse_ipv4()'s rules, 24 bytes of header, next header 112,
/// SPI equal to the source address.
Result<AhPacket, Reject> parse_ah(ByteView bytes);
/// The VRID behind a header that was rejected.
std::optional<Vrid> peek_ah_vrid(ByteView bytes);

// ---- keys -----------------------------------------------------------------------------------------------------------------

/// Nothing when OpenSSL refuses the algorithm.
bool is_proven(const AhProof&, ByteView key);
bool is_proven(const TrailerProof&, ByteView key);

/// The whole IPv4 packet, header included. `message` is encode()'s, with AuthType::ah.
std::optional<Bytes> wrap_in_ah(ByteView message, const IpAddress& source, const IpAddress& destination,
                                std::uint32_t sequence, ByteView key);

struct SigningKey {
    std::uint8_t id{};
    ByteView secret;
};
/// `message` (encode()'s) with its trailer. The digest leaves destination and IP header out, so one signature serves all
/// copies; over IPv6 the message's checksum covers the trailer too.
std::optional<Bytes> with_trailer(ByteView message, const IpAddress& source, const IpAddress& destination,
                                  SigningKey key, Sequence sequence);

} // namespace holdfast::wire
