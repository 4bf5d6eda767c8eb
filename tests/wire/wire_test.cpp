// Packets byte by byte: what leaves is what the RFCs draw, what arrives is believed only when every field is right.

#include "wire/arp.hpp"
#include "wire/checksum.hpp"
#include "wire/ndisc.hpp"
#include "wire/vrrp.hpp"

#include <gtest/gtest.h>

namespace holdfast::wire {
namespace {

const IpAddress source = IpAddress::v4(192, 0, 2, 1);
const IpAddress source6{Family::ipv6, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
const IpAddress vip = IpAddress::v4(192, 0, 2, 10);

Advert version_3() {
    return {.version = 3, .vrid = Vrid{51}, .priority = Priority{100}, .interval = 1s, .addresses = {vip}};
}
Advert version_2() {
    Advert advert = version_3();
    advert.version = 2;
    advert.auth_type = AuthType::pass;
    advert.auth_data = {'s', '3', 'c', 'r', 'e', 't', 0, 0};
    return advert;
}
Packet packet(const Bytes& bytes, const IpAddress& from = source, std::uint8_t hop_limit = 255) {
    return {from, vrrp_group(from.family), hop_limit, bytes};
}

// ---- golden bytes -------------------------------------------------------------------------------------------------------

TEST(Encode, Version3OverIpv4IsRfc9568WithThePseudoHeaderThatKeepalivedWants) {
    const Bytes expected{0x31, 51, 100, 1, 0x00, 0x64, 0x05, 0xcc, 192, 0, 2, 10};
    EXPECT_EQ(encode(version_3(), source, vrrp_group(Family::ipv4)), expected);
}

TEST(Encode, Version3OverIpv4WithoutPseudoHeader) {
    const Bytes expected{0x31, 51, 100, 1, 0x00, 0x64, 0xa8, 0x5c, 192, 0, 2, 10};
    EXPECT_EQ(encode(version_3(), source, vrrp_group(Family::ipv4), Ipv4Checksum::message_only), expected);
}

TEST(Encode, Version2CarriesItsIntervalInSecondsAndThePassword) {
    const auto bytes = encode(version_2(), source, vrrp_group(Family::ipv4));
    const Bytes head{0x21, 51, 100, 1, 1, 1};
    ASSERT_EQ(bytes.size(), 20U);
    EXPECT_TRUE(std::equal(head.begin(), head.end(), bytes.begin()));
    EXPECT_EQ(Bytes(bytes.end() - 8, bytes.end()), (Bytes{'s', '3', 'c', 'r', 'e', 't', 0, 0}));
    Checksum sum;
    sum.add(bytes);
    EXPECT_EQ(sum.finish(), 0);
}

TEST(Encode, Version3OverIpv6SumsThePseudoHeader) {
    auto advert = version_3();
    advert.addresses = {*parse_ip("2001:db8::10")};
    const auto bytes = encode(advert, source6, vrrp_group(Family::ipv6));
    EXPECT_EQ(bytes.size(), 24U);
    Checksum sum;
    sum.add_pseudo_header(source6, vrrp_group(Family::ipv6), 112, bytes.size());
    sum.add(bytes);
    EXPECT_EQ(sum.finish(), 0);
}

TEST(Encode, GratuitousArpIsARequestForOurselves) {
    const Bytes expected{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,    0,    0,    0,    0,   1, 8, 6,
                         0,    1,    8,    0,    6,    4,    0,    1,    2,    0,    0,   0, 0, 1,
                         192,  0,    2,    10,   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192, 0, 2, 10};
    EXPECT_EQ(encode_gratuitous_arp({vip, {{2, 0, 0, 0, 0, 1}}}), expected);
}

TEST(Encode, UnsolicitedAdvertisementOverridesAndNamesItsLinkLayerAddress) {
    const auto frame = encode_unsolicited_na({*parse_ip("2001:db8::10"), {{2, 0, 0, 0, 0, 1}}});
    ASSERT_EQ(frame.size(), 86U);
    EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6), (Bytes{0x33, 0x33, 0, 0, 0, 1}));
    EXPECT_EQ(frame[21], 255); // hop limit
    EXPECT_EQ(frame[54], 136);
    EXPECT_EQ(frame[58], 0x20);
    EXPECT_EQ(Bytes(frame.end() - 8, frame.end()), (Bytes{2, 1, 2, 0, 0, 0, 0, 1}));
}

// ---- there and back -----------------------------------------------------------------------------------------------------

TEST(Decode, GivesBackWhatWasEncoded) {
    for (auto advert : {version_3(), version_2()})
        for (const unsigned count : {1U, 2U, 255U}) {
            advert.addresses.clear();
            for (unsigned i = 0; i < count; ++i)
                advert.addresses.push_back(IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(i)));
            const auto bytes = encode(advert, source, vrrp_group(Family::ipv4));
            const auto decoded = decode(packet(bytes));
            ASSERT_TRUE(decoded) << name(decoded.error());
            EXPECT_EQ(*decoded, advert);
        }
}

TEST(Decode, TakesVersion3WithAndWithoutThePseudoHeader) {
    for (const auto style : {Ipv4Checksum::with_pseudo_header, Ipv4Checksum::message_only})
        EXPECT_TRUE(decode(packet(encode(version_3(), source, vrrp_group(Family::ipv4), style))));
}

TEST(Decode, TakesTheShortestAndTheLongestInterval) {
    for (const Duration interval : {Duration{10ms}, Duration{40950ms}}) {
        auto advert = version_3();
        advert.interval = interval;
        EXPECT_EQ(decode(packet(encode(advert, source, vrrp_group(Family::ipv4))))->interval, interval);
    }
}

TEST(Decode, IgnoresTheReservedBitsAsTheRfcSays) {
    auto bytes = encode(version_3(), source, vrrp_group(Family::ipv4), Ipv4Checksum::message_only);
    bytes[4] |= 0xf0;
    bytes[6] = bytes[7] = 0;
    Checksum sum;
    sum.add(bytes);
    bytes[6] = static_cast<std::uint8_t>(sum.finish() >> 8);
    bytes[7] = static_cast<std::uint8_t>(sum.finish());
    ASSERT_TRUE(decode(packet(bytes)));
    EXPECT_EQ(decode(packet(bytes))->interval, 1s);
}

// ---- every reason to reject -----------------------------------------------------------------------------------------------

struct Case {
    const char* what;
    Reject reason;
    void (*damage)(Bytes&, Packet&);
};

TEST(Decode, RejectsWithTheReasonOfTheFirstThingThatIsWrong) {
    const Case cases[] = {
        {"seven bytes", Reject::truncated, [](Bytes& b, Packet&) { b.resize(7); }},
        {"nothing", Reject::truncated, [](Bytes& b, Packet&) { b.clear(); }},
        {"a router between", Reject::hop_limit, [](Bytes&, Packet& p) { p.hop_limit = 254; }},
        {"version 1", Reject::version, [](Bytes& b, Packet&) { b[0] = 0x11; }},
        {"version 4", Reject::version, [](Bytes& b, Packet&) { b[0] = 0x41; }},
        {"type 2", Reject::type, [](Bytes& b, Packet&) { b[0] = 0x32; }},
        {"VRID 0", Reject::vrid, [](Bytes& b, Packet&) { b[1] = 0; }},
        {"no address", Reject::address_count, [](Bytes& b, Packet&) { b[3] = 0; }},
        {"one address too few", Reject::length, [](Bytes& b, Packet&) { b[3] = 2; }},
        {"a trailing byte", Reject::length, [](Bytes& b, Packet&) { b.push_back(0); }},
        {"one bit", Reject::checksum, [](Bytes& b, Packet&) { b[11] ^= 1; }},
        {"another source", Reject::checksum, [](Bytes&, Packet& p) { p.source = IpAddress::v4(192, 0, 2, 2); }},
    };
    for (const auto& each : cases) {
        auto bytes = encode(version_3(), source, vrrp_group(Family::ipv4));
        auto damaged = packet(bytes);
        each.damage(bytes, damaged);
        damaged.payload = bytes;
        const auto decoded = decode(damaged);
        ASSERT_FALSE(decoded) << each.what;
        EXPECT_EQ(name(decoded.error()), name(each.reason)) << each.what;
    }
}

TEST(Decode, RejectsAnIntervalOfZero) {
    auto advert = version_3();
    advert.interval = 0s;
    EXPECT_EQ(decode(packet(encode(advert, source, vrrp_group(Family::ipv4)))).error(), Reject::interval);
}

TEST(Ipv4Header, MustBeWholeAndOurs) {
    Bytes bytes(20, 0);
    bytes[0] = 0x45;
    bytes[3] = 20;
    bytes[8] = 255;
    bytes[9] = 112;
    ASSERT_TRUE(parse_ipv4(bytes));
    const auto refuses = [&](std::size_t at, std::uint8_t value, Reject reason) {
        auto damaged = bytes;
        damaged[at] = value;
        const auto parsed = parse_ipv4(damaged);
        return !parsed && parsed.error() == reason;
    };
    EXPECT_TRUE(refuses(0, 0x65, Reject::ip_header));
    EXPECT_TRUE(refuses(0, 0x44, Reject::ip_header));
    EXPECT_TRUE(refuses(3, 21, Reject::truncated));
    EXPECT_TRUE(refuses(3, 19, Reject::ip_header));
    EXPECT_TRUE(refuses(6, 0x20, Reject::ip_header)); // a first fragment
    EXPECT_TRUE(refuses(7, 1, Reject::ip_header));
    EXPECT_TRUE(refuses(9, 6, Reject::ip_header));
    EXPECT_EQ(parse_ipv4(ByteView{bytes}.first(19)).error(), Reject::truncated);
}

TEST(Ipv4Header, CutsLinkPaddingOff) {
    Bytes bytes(46, 0xee);
    const Bytes header{0x45, 0, 0, 24, 0, 0, 0, 0, 255, 112, 0, 0, 192, 0, 2, 1, 224, 0, 0, 18};
    std::copy(header.begin(), header.end(), bytes.begin());
    EXPECT_EQ(parse_ipv4(bytes)->payload.size(), 4U);
}

// ---- announcements --------------------------------------------------------------------------------------------------------

TEST(Announcements, AreReadBackAndNothingElseIs) {
    const Announcement four{vip, {{2, 0, 0, 0, 0, 7}}}, six{*parse_ip("2001:db8::10"), {{2, 0, 0, 0, 0, 7}}};
    EXPECT_EQ(decode_arp(encode_gratuitous_arp(four)), four);
    EXPECT_EQ(decode_na(encode_unsolicited_na(six)), six);
    auto arp = encode_gratuitous_arp(four);
    auto na = encode_unsolicited_na(six);
    for (std::size_t length = 0; length < arp.size(); ++length)
        EXPECT_FALSE(decode_arp(ByteView{arp}.first(length)));
    for (std::size_t length = 0; length < na.size(); ++length)
        EXPECT_FALSE(decode_na(ByteView{na}.first(length)));
    na[60] ^= 1; // the checksum
    EXPECT_FALSE(decode_na(na));
    arp[21] = 3; // an operation that is neither request nor reply
    EXPECT_FALSE(decode_arp(arp));
}

TEST(Announcements, AnOptionOfLengthZeroEndsTheSearch) {
    auto na = encode_unsolicited_na({*parse_ip("2001:db8::10"), {{2, 0, 0, 0, 0, 7}}});
    na[79] = 0;
    EXPECT_FALSE(decode_na(na));
}

} // namespace
} // namespace holdfast::wire
