// Authenticated adverts byte by byte. The golden packets were computed by another implementation (Python's hmac) from the
// text of the specification, so that a mistake made twice in the same way would show.

#include "wire/checksum.hpp"
#include "wire/digest.hpp"
#include "wire/proof.hpp"

#include <gtest/gtest.h>

namespace holdfast::wire {
namespace {

const IpAddress source = IpAddress::v4(192, 0, 2, 1);
const IpAddress peer = IpAddress::v4(192, 0, 2, 2);
const IpAddress source6{Family::ipv6, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr std::array<std::uint8_t, 8> password{'s', '3', 'c', 'r', 'e', 't', 0, 0};
constexpr std::uint32_t number = 0x01020304;
constexpr Sequence sequence = 0x6500000080000003;

Bytes from_hex(std::string_view text) {
    Bytes result;
    for (std::size_t at = 0; at < text.size(); at += 2)
        put8(result, static_cast<unsigned>(std::stoul(std::string{text.substr(at, 2)}, nullptr, 16)));
    return result;
}

/// 0, 1, 2, ... 31.
Bytes secret() {
    Bytes result;
    for (unsigned i = 0; i < 32; ++i)
        put8(result, i);
    return result;
}

Advert advert(std::uint8_t version, const IpAddress& address = IpAddress::v4(192, 0, 2, 10)) {
    return {.version = version, .vrid = Vrid{51}, .priority = Priority{100}, .interval = 1s, .addresses = {address}};
}

Bytes ah_packet(const IpAddress& destination) {
    auto inner = advert(2);
    inner.auth_type = AuthType::ah;
    return *wrap_in_ah(encode(inner, source, destination), source, destination, number, password);
}

Bytes signed_message(std::uint8_t version, const IpAddress& from = source, std::uint8_t key_id = 7) {
    const auto ours = from.family == Family::ipv4 ? advert(version) : advert(version, *parse_ip("2001:db8::10"));
    const auto key = secret();
    return *with_trailer(encode(ours, from, vrrp_group(from.family)), from, vrrp_group(from.family), {key_id, key},
                         sequence);
}

Packet packet(const Bytes& bytes, const IpAddress& from = source) {
    return {from, vrrp_group(from.family), 255, bytes};
}

// ---- golden bytes -------------------------------------------------------------------------------------------------------

TEST(AuthenticationHeader, OfMulticastCountsTheTimeToLive) {
    EXPECT_EQ(
        ah_packet(vrrp_group(Family::ipv4)),
        from_hex(
            "45c0004004070000ff330000c0000201e000001270040000c000020101020304617165b7d475414373597fa3213364010201b6"
            "bfc000020a0000000000000000"));
}

TEST(AuthenticationHeader, OfUnicastDoesNot) {
    EXPECT_EQ(
        ah_packet(peer),
        from_hex(
            "45c0004004070000ff330000c0000201c000020270040000c00002010102030418950472285ba7a66fd3a638213364010201b6"
            "bfc000020a0000000000000000"));
}

TEST(Trailer, StandsBehindEachVersionAndFamily) {
    EXPECT_EQ(signed_message(3),
              from_hex("31336401006405ccc000020a0107000065000000800000038d38c7653250c9f304efab4676b30a63"));
    EXPECT_EQ(signed_message(2),
              from_hex("213364010001b8bfc000020a0000000000000000010700006500000080000003a9b6396fb7f76131"
                       "4770fa979b9e8659"));
    EXPECT_EQ(
        signed_message(3, source6),
        from_hex("313364010064184620010db8000000000000000000000010010700006500000080000003998029f28875a50b48f3a04d54ae1"
                 "12f"));
}

TEST(Digest, IsTheOneOfTheRfcs) {
    const Bytes key(16, 0x0b), data{'H', 'i', ' ', 'T', 'h', 'e', 'r', 'e'}; // RFC 2202 2, test case 1
    const auto md5 = from_hex("9294727a3638bb1c13f48ef8158bfc9d");
    EXPECT_TRUE(equal_digests(*hmac_md5(key, data), md5));
    const Bytes longer(20, 0x0b); // RFC 4231 4.2
    const auto sha = from_hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_TRUE(equal_digests(*hmac_sha256(longer, data), sha));
    EXPECT_FALSE(equal_digests(md5, sha));
}

// ---- there and back -----------------------------------------------------------------------------------------------------

TEST(AuthenticationHeader, IsReadBackAndProven) {
    for (const auto& destination : {vrrp_group(Family::ipv4), peer}) {
        const auto bytes = ah_packet(destination);
        const auto parsed = parse_ah(bytes);
        ASSERT_TRUE(parsed) << name(parsed.error());
        EXPECT_EQ(parsed->proof.sequence, number);
        EXPECT_TRUE(is_proven(parsed->proof, password));
        EXPECT_EQ(decode(parsed->packet)->auth_type, AuthType::ah);
        EXPECT_EQ(peek_ah_vrid(bytes), Vrid{51});
    }
}

TEST(AuthenticationHeader, HoldsThroughWhatRoutersAndTheKernelMayChange) {
    auto bytes = ah_packet(vrrp_group(Family::ipv4));
    bytes[1] = 0x10;                   // type of service
    bytes[10] = 0xab;                  // header checksum
    bytes.resize(bytes.size() + 4, 0); // link padding
    EXPECT_TRUE(is_proven(parse_ah(bytes)->proof, password));
}

TEST(Trailer, IsReadBackAndProven) {
    for (const auto& from : {source, source6})
        for (const std::uint8_t version : {std::uint8_t{2}, std::uint8_t{3}}) {
            if (from.family == Family::ipv6 && version == 2) continue;
            const auto bytes = signed_message(version, from);
            const auto decoded = decode_signed(packet(bytes, from));
            ASSERT_TRUE(decoded) << name(decoded.error());
            EXPECT_EQ(decoded->advert.priority, Priority{100});
            const auto& proof = std::get<TrailerProof>(decoded->proof);
            EXPECT_EQ(proof.key_id, 7);
            EXPECT_EQ(proof.sequence, sequence);
            EXPECT_TRUE(is_proven(proof, secret()));
            EXPECT_FALSE(decode(packet(bytes, from))) << "a trailer is no part of a plain message";
        }
}

TEST(Trailer, IsNotThereWhenNothingIsBehindTheMessage) {
    const auto bytes = encode(advert(3), source, vrrp_group(Family::ipv4));
    const auto decoded = decode_signed(packet(bytes));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->proof, Proof{});
}

// ---- every bit counts ---------------------------------------------------------------------------------------------------

TEST(AuthenticationHeader, ProvesEveryBitButThoseThatMayChangeOnTheWay) {
    const auto good = ah_packet(vrrp_group(Family::ipv4));
    for (std::size_t at = 0; at < good.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            auto bytes = good;
            bytes[at] ^= static_cast<std::uint8_t>(1 << bit);
            const auto parsed = parse_ah(bytes);
            const bool mutable_field = at == 1 || at == 10 || at == 11 || (at == 6 && bit >= 6);
            EXPECT_EQ(parsed && is_proven(parsed->proof, password), mutable_field) << "byte " << at << " bit " << bit;
        }
    EXPECT_FALSE(is_proven(parse_ah(good)->proof, std::array<std::uint8_t, 8>{'o', 't', 'h', 'e', 'r'}));
}

TEST(Trailer, ProvesEveryBitOfMessageAndTrailer) {
    const auto good = signed_message(3);
    for (std::size_t at = 0; at < good.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            auto bytes = good;
            bytes[at] ^= static_cast<std::uint8_t>(1 << bit);
            const auto decoded = decode_signed(packet(bytes));
            const auto* proof = decoded ? std::get_if<TrailerProof>(&decoded->proof) : nullptr;
            EXPECT_FALSE(proof && is_proven(*proof, secret())) << "byte " << at << " bit " << bit;
        }
    EXPECT_FALSE(is_proven(std::get<TrailerProof>(decode_signed(packet(good))->proof), Bytes(32, 1)));
}

TEST(Trailer, ProvesTheSourceAndNotTheDestination) {
    const auto key = secret();
    const auto bytes = signed_message(2); // its checksum has no pseudo-header
    auto other = packet(bytes);
    other.destination = peer;
    EXPECT_TRUE(is_proven(std::get<TrailerProof>(decode_signed(other)->proof), key));
    EXPECT_FALSE(is_proven(std::get<TrailerProof>(decode_signed(packet(bytes, peer))->proof), key));
}

// ---- rejected by name ---------------------------------------------------------------------------------------------------

TEST(AuthenticationHeader, IsRejectedWhenItsFormIsNotOurs) {
    const auto good = ah_packet(vrrp_group(Family::ipv4));
    const auto reason = [&](std::size_t at, std::uint8_t value) {
        auto bytes = good;
        bytes[at] = value;
        const auto parsed = parse_ah(bytes);
        return parsed ? "none" : name(parsed.error());
    };
    EXPECT_EQ(reason(9, 112), "ip_header");
    EXPECT_EQ(reason(20, 6), "signature_malformed");  // next header
    EXPECT_EQ(reason(21, 5), "signature_malformed");  // length
    EXPECT_EQ(reason(22, 1), "signature_malformed");  // reserved
    EXPECT_EQ(reason(27, 99), "signature_malformed"); // index that is not the source
    EXPECT_EQ(reason(3, 43), "truncated");
    for (std::size_t length = 0; length < good.size(); ++length)
        EXPECT_FALSE(parse_ah(ByteView{good}.first(length))) << length;
}

TEST(Trailer, IsRejectedWhenItsFormIsNotOurs) {
    const auto good = signed_message(3);
    for (const std::size_t at : {12U, 14U, 15U}) { // type, reserved
        auto bytes = good;
        bytes[at] = 9;
        EXPECT_EQ(decode_signed(packet(bytes)).error(), Reject::signature_malformed) << at;
    }
    for (std::size_t length = 0; length < good.size(); ++length) {
        if (length == 12) continue; // the message alone is whole
        const auto cut = Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_FALSE(decode_signed(packet(cut))) << length;
    }
}

TEST(Trailer, IsUnderTheChecksumOverIpv6Alone) {
    auto six = signed_message(3, source6), four = signed_message(3);
    six.back() ^= 1;
    four.back() ^= 1;
    EXPECT_EQ(decode_signed(packet(six, source6)).error(), Reject::checksum);
    EXPECT_TRUE(decode_signed(packet(four)));
}

} // namespace
} // namespace holdfast::wire
