// Adverts as whole Ethernet frames, byte by byte: what a virtual MAC sends must be what a raw socket would have sent.

#include "wire/frame.hpp"
#include "wire/ip.hpp"
#include "wire/vrrp.hpp"

#include <gtest/gtest.h>

namespace holdfast::wire {
namespace {

const MacAddress mac4{{0x00, 0x00, 0x5e, 0x00, 0x01, 51}}, mac6{{0x00, 0x00, 0x5e, 0x00, 0x02, 51}};
const IpAddress source = IpAddress::v4(192, 0, 2, 1);
const IpAddress source6{Family::ipv6, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

TEST(Frame, OverIpv4GoesToTheGroupFromTheVirtualMac) {
    const Bytes expected{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x01, 51,
                         0x08, 0x00, 0x45, 0xc0, 0x00, 0x20, 0x00, 0x00, 0x40, 0x00, 255,  112,
                         0xd8, 0x99, 192,  0,    2,    1,    224,  0,    0,    18};
    EXPECT_EQ(encode_frame_header(mac4, source, vrrp_group(Family::ipv4), 255, 12), expected);
}

TEST(Frame, OverIpv4IsReadBackByOurOwnStrictParser) {
    auto packet = encode_frame_header(mac4, source, vrrp_group(Family::ipv4), 255, 12);
    packet.erase(packet.begin(), packet.begin() + 14);
    packet.resize(packet.size() + 12);
    const auto parsed = parse_ipv4(packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->source, source);
    EXPECT_EQ(parsed->hop_limit, 255);
    EXPECT_EQ(parsed->payload.size(), 12U);
}

TEST(Frame, OverIpv6HasTheTrafficClassAndTheGroupsEthernetAddress) {
    const Bytes expected{0x33, 0x33, 0, 0, 0, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x02, 51,   0x86, 0xdd,
                         0x6c, 0,    0, 0, 0, 24,   112,  255,  0xfe, 0x80, 0,    0,    0,    0,
                         0,    0,    0, 0, 0, 0,    0,    0,    0,    1,    0xff, 0x02, 0,    0,
                         0,    0,    0, 0, 0, 0,    0,    0,    0,    0,    0,    0x12};
    EXPECT_EQ(encode_frame_header(mac6, source6, vrrp_group(Family::ipv6), 255, 24), expected);
}

TEST(Frame, OfAWholePacketIsTheEthernetHeaderAlone) {
    const Bytes expected{0x01, 0x00, 0x5e, 0x7f, 0x01, 0x02, 0x00, 0x00, 0x5e, 0x00, 0x01, 51, 0x08, 0x00};
    EXPECT_EQ(encode_ethernet_header(mac4, IpAddress::v4(239, 255, 1, 2)), expected) << "the group's low 23 bits";
}

} // namespace
} // namespace holdfast::wire
