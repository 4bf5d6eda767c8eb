#include "base/ip.hpp"

#include <gtest/gtest.h>
#include <unordered_set>

namespace holdfast {
namespace {

IpAddress ip(std::string_view text) {
    const auto result = parse_ip(text);
    EXPECT_TRUE(result) << text;
    return result.value_or(IpAddress{});
}
Prefix prefix(std::string_view text) {
    const auto result = parse_prefix(text);
    EXPECT_TRUE(result) << text;
    return result.value_or(Prefix{});
}

TEST(Ip, IsReadBackAsItWasWritten) {
    for (const std::string text :
         {"0.0.0.0", "192.0.2.10", "255.255.255.255", "::", "::1", "2001:db8::10", "fe80::1", "::ffff:10.0.0.1"})
        EXPECT_EQ(to_string(ip(text)), text);
    EXPECT_EQ(to_string(ip("2001:0DB8:0:0:0:0:0:1")), "2001:db8::1");
}

TEST(Ip, RefusesWhatIsNoAddress) {
    for (const std::string bad :
         {"", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ", " 1.2.3.4", "01.2.3.4", "1.2.3.4/24", ":::", "g::1",
          "fe80::1%eth0", "[::1]", "localhost", "1:2:3:4:5:6:7:8:9"})
        EXPECT_EQ(parse_ip(bad), std::nullopt) << bad;
    EXPECT_EQ(parse_ip(std::string_view{"1.2.3.4\0", 8}), std::nullopt);
}

TEST(Ip, IsOrderedAsABigEndianNumberWithinItsFamily) {
    EXPECT_LT(ip("9.0.0.0"), ip("10.0.0.0"));
    EXPECT_LT(ip("192.0.2.9"), ip("192.0.2.10"));
    EXPECT_LT(ip("127.255.255.255"), ip("128.0.0.0")) << "bytes are unsigned";
    EXPECT_LT(ip("fe80::1"), ip("fe80::2"));
    EXPECT_LT(ip("255.255.255.255"), ip("::")) << "IPv4 comes first";
    EXPECT_NE(ip("0.0.0.0"), ip("::"));
}

TEST(Ip, KnowsItsKinds) {
    for (const auto* text : {"224.0.0.18", "239.255.255.255", "ff02::12"})
        EXPECT_TRUE(ip(text).is_multicast()) << text;
    for (const auto* text : {"223.255.255.255", "240.0.0.1", "fe80::1"})
        EXPECT_FALSE(ip(text).is_multicast()) << text;
    for (const auto* text : {"169.254.0.1", "fe80::1", "febf::1"})
        EXPECT_TRUE(ip(text).is_link_local()) << text;
    for (const auto* text : {"169.253.0.1", "fec0::1", "2001:db8::1"})
        EXPECT_FALSE(ip(text).is_link_local()) << text;
    for (const auto* text : {"0.0.0.0", "::"})
        EXPECT_TRUE(ip(text).is_unspecified()) << text;
    EXPECT_FALSE(ip("::1").is_unspecified());
    EXPECT_EQ(vrrp_group(Family::ipv4), ip("224.0.0.18"));
    EXPECT_EQ(vrrp_group(Family::ipv6), ip("ff02::12"));
}

TEST(Ip, ComesFromAndGoesToItsBytes) {
    for (const auto* text : {"192.0.2.10", "2001:db8::10"}) {
        const auto address = ip(text);
        EXPECT_EQ(address.span().size(), address_size(address.family));
        EXPECT_EQ(IpAddress::from(address.family, address.span()), address);
    }
    EXPECT_EQ(IpAddress::v4(192, 0, 2, 10), ip("192.0.2.10"));
}

TEST(Ip, HashesLikeItCompares) {
    const std::unordered_set<IpAddress> set{ip("10.0.0.1"), ip("10.0.0.2"), ip("::1"), ip("10.0.0.1")};
    EXPECT_EQ(set.size(), 3U);
    EXPECT_TRUE(set.contains(ip("::1")));
}

TEST(Prefix, IsFullWhenItsLengthIsLeftOut) {
    EXPECT_EQ(prefix("192.0.2.10"), (Prefix{ip("192.0.2.10"), 32}));
    EXPECT_EQ(prefix("2001:db8::1"), (Prefix{ip("2001:db8::1"), 128}));
    EXPECT_EQ(to_string(prefix("192.0.2.10")), "192.0.2.10/32");
    EXPECT_EQ(to_string(prefix("2001:db8::1/64")), "2001:db8::1/64");
}

TEST(Prefix, RefusesALengthThatTheFamilyDoesNotHave) {
    for (const std::string bad :
         {"192.0.2.1/", "192.0.2.1/33", "192.0.2.1/256", "192.0.2.1/-1", "192.0.2.1/+1", "192.0.2.1/ 24",
          "192.0.2.1/24 ", "192.0.2.1/2a", "2001:db8::1/129", "/24", "192.0.2.1/24/24", "192.0.2.1/255.255.255.0"})
        EXPECT_EQ(parse_prefix(bad), std::nullopt) << bad;
    EXPECT_EQ(prefix("192.0.2.1/0").length, 0);
    EXPECT_EQ(prefix("2001:db8::1/128").length, 128);
}

TEST(Prefix, ContainsTheAddressesOfItsNetwork) {
    EXPECT_TRUE(prefix("192.0.2.10/24").contains(ip("192.0.2.255")));
    EXPECT_FALSE(prefix("192.0.2.10/24").contains(ip("192.0.3.10")));
    EXPECT_TRUE(prefix("192.0.2.10/23").contains(ip("192.0.3.10")));
    EXPECT_TRUE(prefix("10.0.0.1/9").contains(ip("10.127.0.1")));
    EXPECT_FALSE(prefix("10.0.0.1/9").contains(ip("10.128.0.1")));
    EXPECT_TRUE(prefix("10.0.0.1/0").contains(ip("255.0.0.1")));
    EXPECT_FALSE(prefix("10.0.0.1/0").contains(ip("::1"))) << "another family";
    EXPECT_TRUE(prefix("10.0.0.1").contains(ip("10.0.0.1")));
    EXPECT_FALSE(prefix("10.0.0.1").contains(ip("10.0.0.2")));
    EXPECT_TRUE(prefix("2001:db8::1/64").contains(ip("2001:db8::ffff")));
    EXPECT_FALSE(prefix("2001:db8::1/64").contains(ip("2001:db8:0:1::1")));
}

TEST(Mac, IsReadBackAsItWasWritten) {
    for (const std::string text : {"00:00:5e:00:01:33", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"}) {
        const auto mac = parse_mac(text);
        ASSERT_TRUE(mac) << text;
        EXPECT_EQ(to_string(*mac), text);
    }
    EXPECT_EQ(parse_mac("00:00:5E:00:01:33"), parse_mac("00:00:5e:00:01:33"));
    for (const std::string bad : {"", "00:00:5e:00:01", "00-00-5e-00-01-33", "00:00:5e:00:01:3g",
                                  "00:00:5e:00:01:33:", "0:00:5e:00:01:333", "-1:00:5e:00:01:33"})
        EXPECT_EQ(parse_mac(bad), std::nullopt) << bad;
}

} // namespace
} // namespace holdfast
