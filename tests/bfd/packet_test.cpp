// BFD control packets byte by byte (RFC 5880 4.1), and every reason to drop one (6.8.6).

#include "wire/bfd.hpp"

#include <gtest/gtest.h>

namespace holdfast::wire {
namespace {

using std::chrono::microseconds;

const BfdControl up{.diagnostic = BfdDiagnostic::neighbor_signaled_down,
                    .state = BfdState::up,
                    .poll = true,
                    .multiplier = 3,
                    .my_discriminator = 0x01020304,
                    .your_discriminator = 0xa0b0c0d0,
                    .desired_min_tx = microseconds{100'000},
                    .required_min_rx = microseconds{50'000}};
const Bytes golden{0x23, 0xe0, 3,    24,   1, 2, 3,    4,    0xa0, 0xb0, 0xc0, 0xd0,
                   0,    1,    0x86, 0xa0, 0, 0, 0xc3, 0x50, 0,    0,    0,    0};

TEST(BfdPacket, IsTheOneOfTheRfc) {
    EXPECT_EQ(encode(up), golden);
    const auto decoded = decode_bfd(golden);
    ASSERT_TRUE(decoded) << name(decoded.error());
    EXPECT_EQ(*decoded, up);
}

TEST(BfdPacket, FlagsAreOneBitEach) {
    auto packet = up;
    packet.poll = false;
    EXPECT_EQ(encode(packet)[1], 0xc0);
    packet.final = true;
    EXPECT_EQ(encode(packet)[1], 0xd0);
    packet.control_plane_independent = true;
    EXPECT_EQ(encode(packet)[1], 0xd8);
    packet.demand = true;
    EXPECT_EQ(encode(packet)[1], 0xda);
    packet.state = BfdState::init;
    EXPECT_EQ(encode(packet)[1], 0x9a);
    EXPECT_EQ(*decode_bfd(encode(packet)), packet);
}

TEST(BfdPacket, IsDroppedByName) {
    const auto reason = [](std::size_t at, std::uint8_t value) {
        auto bytes = golden;
        bytes[at] = value;
        const auto decoded = decode_bfd(bytes);
        return decoded ? "none" : name(decoded.error());
    };
    EXPECT_EQ(reason(0, 0x43), "version");
    EXPECT_EQ(reason(1, 0xe4), "authentication");
    EXPECT_EQ(reason(1, 0xe1), "multipoint");
    EXPECT_EQ(reason(2, 0), "multiplier");
    EXPECT_EQ(reason(3, 23), "length");
    EXPECT_EQ(reason(3, 25), "truncated");
    for (std::size_t length = 0; length < golden.size(); ++length)
        EXPECT_EQ(decode_bfd(ByteView{golden}.first(length)).error(), BfdReject::truncated);
}

TEST(BfdPacket, MayNotKnowUsOnlyWhileItsSessionIsDown) {
    auto packet = up;
    packet.your_discriminator = 0;
    for (const auto state : {BfdState::admin_down, BfdState::down, BfdState::init, BfdState::up}) {
        packet.state = state;
        const bool fine = state == BfdState::admin_down || state == BfdState::down;
        EXPECT_EQ(decode_bfd(encode(packet)).has_value(), fine);
    }
    packet = up;
    packet.my_discriminator = 0;
    EXPECT_EQ(decode_bfd(encode(packet)).error(), BfdReject::discriminator);
}

TEST(BfdPacket, AnyBytesAreAPacketThatComesBackOrAreDropped) {
    std::uint32_t seed = 1;
    for (int i = 0; i < 100'000; ++i) {
        Bytes bytes(20 + static_cast<std::size_t>(i) % 10);
        for (auto& byte : bytes) {
            seed = seed * 1'664'525 + 1'013'904'223;
            byte = static_cast<std::uint8_t>(seed >> 24);
        }
        bytes[0] = static_cast<std::uint8_t>(0x20 | (bytes[0] & 0x1f));
        bytes[1] &= 0xfa;
        bytes[3] = 24;
        const auto decoded = decode_bfd(bytes);
        if (!decoded) continue;
        bytes.resize(24);
        ASSERT_EQ(encode(*decoded), bytes);
    }
}

} // namespace
} // namespace holdfast::wire
