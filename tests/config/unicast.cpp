// Unicast, source and the rest of the transport.

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

TEST(Unicast, IsSplitByFamily) {
    const auto config = good(
        "instances:\n  web: {interface: eth0, vrid: 1, addresses: [192.0.2.10/24, 2001:db8::10/64], source: 10.0.0.1,\n"
        "    unicast: {peers: [10.0.0.1, {address: 10.0.0.2, min_ttl: 254}, fd00::2], ttl: 64, check_source: off}}\n");
    ASSERT_EQ(config.instances.size(), 2U);
    const auto& v4 = config.instances[0];
    EXPECT_EQ(v4.unicast->peers,
              (std::vector<model::UnicastPeer>{{.address = IpAddress::v4(10, 0, 0, 1)},
                                               {.address = IpAddress::v4(10, 0, 0, 2), .min_ttl = 254}}));
    EXPECT_EQ(v4.unicast->ttl, 64);
    EXPECT_FALSE(v4.unicast->check_source);
    EXPECT_EQ(v4.source, IpAddress::v4(10, 0, 0, 1));
    EXPECT_EQ(config.instances[1].unicast->peers.size(), 1U);
    EXPECT_FALSE(config.instances[1].source);
}

TEST(Unicast, SaysWhatIsWrong) {
    EXPECT_EQ(errors(instance_with("    unicast: [10.0.0.1]\n")),
              R"(holdfast.yaml:6:14: error: unicast must be a map, not a list
    unicast: [10.0.0.1]
             ^
  hint: write {peers: [10.0.0.11, 10.0.0.12]}
)");
    EXPECT_EQ(errors(instance_with("    unicast: {}\n")), R"(holdfast.yaml:6:14: error: unicast names no peers
    unicast: {}
             ^
  hint: write {peers: [10.0.0.11, 10.0.0.12]}; this host's own address is ignored
)");
    EXPECT_EQ(errors(instance_with("    unicast: {peers: []}\n")),
              R"(holdfast.yaml:6:22: error: unicast needs 1 to 255 peers, not 0
    unicast: {peers: []}
                     ^
  hint: name the addresses of all hosts; this host's own is ignored
)");
    EXPECT_EQ(errors(instance_with("    unicast: {peers: [10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, "
                                   "{address: 10.0.0.3, min_ttl: 9, max_ttl: 8}], tll: 5}\n")),
              R"(holdfast.yaml:6:23: error: a peer must be an IP address, not '10.0.0.1/24'
    unicast: {peers: [10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl...
                      ^
  hint: write it without the prefix length
holdfast.yaml:6:36: error: a peer must be an address that a host has, not '224.0.0.18'
    unicast: {peers: [10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl...
                                   ^
holdfast.yaml:6:58: error: peer 10.0.0.2 is named twice
    unicast: {peers: [10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl...
                                                         ^
  hint: keep one of them
holdfast.yaml:6:68: error: a peer has no address
...cast: {peers: [10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl: 8}], ...
                                                               ^
  hint: write {address: 10.0.0.12, min_ttl: 254}
holdfast.yaml:6:78: error: min_ttl must be a number from 1 to 255, not '0'
...rs: [10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl: 8}], tll: 5}
                                                               ^
holdfast.yaml:6:82: error: min_ttl 9 is above max_ttl 8: nothing could be accepted
...[10.0.0.1/24, 224.0.0.18, 10.0.0.2, 10.0.0.2, {min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl: 8}], tll: 5}
                                                               ^
  hint: exchange them
holdfast.yaml:6:128: error: 'tll' is not a directive of unicast
...{min_ttl: 0}, {address: 10.0.0.3, min_ttl: 9, max_ttl: 8}], tll: 5}
                                                               ^
  hint: did you mean 'ttl'?
)");
    EXPECT_EQ(errors(instance_with("    unicast: {peers: [fd00::2]}\n    source: 192.0.2.10\n")),
              R"(holdfast.yaml:6:14: error: unicast has no ipv4 peers, but addresses has ipv4 addresses
    unicast: {peers: [fd00::2]}
             ^
  hint: name the addresses of all hosts in each family
holdfast.yaml:7:13: error: 192.0.2.10 is a virtual address: adverts come from the host's own
    source: 192.0.2.10
            ^
  hint: give the address that this host has anyway
)");
    EXPECT_EQ(errors(instance_with("    source: fe80::1\n    checksum: none\n    down_adverts: 0\n")),
              R"(holdfast.yaml:6:13: error: source is ipv6, but no address is
    source: fe80::1
            ^
  hint: give an address of the family that adverts are sent in
holdfast.yaml:7:15: error: checksum must be pseudo_header or message, not 'none'
    checksum: none
              ^
holdfast.yaml:8:19: error: down_adverts must be a number from 1 to 100, not '0'
    down_adverts: 0
                  ^
)");
}

TEST(Unicast, OneVridMayServeDisjointPeers) {
    const auto two = [](const std::string& a, const std::string& b) {
        return "instances:\n  a: {interface: eth0, vrid: 1, addresses: [192.0.2.10/24], unicast: {peers: [" + a +
               "]}}\n  b: {interface: eth0, vrid: 1, addresses: [192.0.2.11/24], unicast: {peers: [" + b + "]}}\n";
    };
    EXPECT_EQ(errors(two("10.0.0.1, 10.0.0.2", "10.0.0.3, 10.0.0.4")), "");
    EXPECT_NE(errors(two("10.0.0.1, 10.0.0.2", "10.0.0.2, 10.0.0.3")), "");
}

TEST(MulticastGroup, IsOfItsFamilyAndTellsRoutersApart) {
    const auto config =
        good("defaults: {multicast_group4: 224.0.0.77, multicast_group6: \"ff02::77\"}\n"
             "instances:\n  web: {interface: eth0, vrid: 1, addresses: [192.0.2.10/24, 2001:db8::10/64]}\n");
    ASSERT_EQ(config.instances.size(), 2U);
    EXPECT_EQ(to_string(config.instances[0].group()), "224.0.0.77");
    EXPECT_EQ(to_string(config.instances[1].group()), "ff02::77");
    const auto two = [](const std::string& a, const std::string& b) {
        return "instances:\n  a: {interface: eth0, vrid: 1, addresses: [192.0.2.10/24], multicast_group4: " + a +
               "}\n  b: {interface: eth0, vrid: 1, addresses: [192.0.2.11/24], multicast_group4: " + b + "}\n";
    };
    EXPECT_EQ(errors(two("224.0.0.77", "224.0.0.78")), "");
    EXPECT_NE(errors(two("224.0.0.77", "224.0.0.77")).find("are the same virtual router: vrid 1 on eth0"),
              std::string::npos);
}

TEST(MulticastGroup, SaysWhatIsWrong) {
    EXPECT_EQ(
        errors(instance_with("    multicast_group4: 192.0.2.1\n    multicast_group6: \"ff05::12\"\n")),
        R"(holdfast.yaml:6:23: error: multicast_group4 must be an IPv4 multicast address (224.0.0.0/4), not '192.0.2.1'
    multicast_group4: 192.0.2.1
                      ^
holdfast.yaml:7:23: error: multicast_group6 must be an IPv6 multicast address of the link (ff02::/16), not 'ff05::12'
    multicast_group6: "ff05::12"
                      ^
)");
    std::string many = "instances:\n";
    for (int i = 1; i <= 20; ++i)
        many += "  i" + std::to_string(i) + ": {interface: eth0, vrid: " + std::to_string(i) +
                ", addresses: [192.0.2." + std::to_string(i) + "/24], multicast_group4: 224.0.1." + std::to_string(i) +
                "}\n";
    EXPECT_NE(errors(many).find("224.0.1.20 would be the 21th multicast group on eth0"), std::string::npos)
        << errors(many);
}

} // namespace
} // namespace holdfast::config::testing
