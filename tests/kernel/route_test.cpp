// rtnetlink messages about routes and rules: golden bytes out, and a rule is read back as it was written.

#include "bytes.hpp"

#include "kernel/rtnl.hpp"
#include "kernel/rtnl_route.hpp"

#include <gtest/gtest.h>

namespace holdfast::kernel::testing {
namespace {

using engine::PutRoute;
using model::Route;

Bytes put(Route route, std::vector<LinkIndex> links = {}, bool replace = false) {
    return encode(PutRoute{std::make_shared<const Route>(std::move(route)), std::move(links), replace}, 7);
}

TEST(RouteMessage, OfAPlainRoute) {
    EXPECT_EQ(hex(put({.to = *parse_prefix("10.1.0.0/16"), .via = IpAddress::v4(192, 0, 2, 1)}, {LinkIndex{3}})),
              R"(3c000000 18000506 07000000 00000000 02100000 fe700001 00000000 08000100
0a010000 08000f00 fe000000 08000500 c0000201 08000400 03000000 )");
}

TEST(RouteMessage, HasMetricsAndALock) {
    Route route{.to = *parse_prefix("0.0.0.0/0"), .table = 1000, .metric = 5, .interface = "eth0"};
    route.source = IpAddress::v4(192, 0, 2, 10);
    route.mtu = 1400;
    route.mtu_lock = true;
    route.rtt = 30ms;
    route.quickack = true;
    route.congestion_control = "cubic";
    EXPECT_EQ(hex(put(route, {LinkIndex{3}}, true)),
              R"(6c000000 18000505 07000000 00000000 02000000 0070fd01 00000000 08000f00
e8030000 08000600 05000000 08000700 c000020a 08000400 03000000 30000880
08000100 04000000 08000200 78050000 08000400 f0000000 08000f00 01000000
0a001000 63756269 63000000 )");
}

TEST(RouteMessage, HasNextHopsAndAGatewayOfTheOtherFamily) {
    Route route{.to = *parse_prefix("10.1.0.0/16")};
    route.nexthops = {{.via = IpAddress::v4(192, 0, 2, 1), .weight = 2},
                      {.via = parse_ip("fe80::1"), .interface = "eth1", .onlink = true}};
    EXPECT_EQ(hex(put(route, {LinkIndex{0}, LinkIndex{4}})),
              R"(60000000 18000506 07000000 00000000 02100000 fe700001 00000000 08000100
0a010000 08000f00 fe000000 34000980 10000001 00000000 08000500 c0000201
20000400 04000000 16001200 0a00fe80 00000000 00000000 00000000 00010000
)");
}

TEST(RouteMessage, WrapsPackets) {
    Route mpls{.to = *parse_prefix("10.1.0.0/16"), .via = IpAddress::v4(192, 0, 2, 1)};
    mpls.encap = model::Encap{.kind = model::Encap::Kind::mpls, .labels = {100, 200}};
    EXPECT_EQ(hex(put(mpls)), R"(4c000000 18000506 07000000 00000000 02100000 fe700001 00000000 08000100
0a010000 08000f00 fe000000 08000500 c0000201 06001500 01000000 10001680
0c000100 00064000 000c8100 )");
    Route ip{.to = *parse_prefix("10.1.0.0/16"), .interface = "eth0"};
    ip.encap =
        model::Encap{.kind = model::Encap::Kind::ip, .destination = IpAddress::v4(198, 51, 100, 1), .id = 7, .ttl = 64};
    EXPECT_EQ(hex(put(ip, {LinkIndex{3}})), R"(5c000000 18000506 07000000 00000000 02100000 fe70fd01 00000000 08000100
0a010000 08000f00 fe000000 08000400 03000000 06001500 02000000 20001680
0c000100 00000000 00000007 08000200 c6336401 05000400 40000000 )");
}

TEST(RouteMessage, HasARealmForEachNextHop) {
    Route route{.to = *parse_prefix("10.1.0.0/16")};
    route.nexthops = {{.via = IpAddress::v4(192, 0, 2, 1), .realm = 0x30005U},
                      {.via = IpAddress::v4(192, 0, 2, 2), .realm = 7U}};
    EXPECT_EQ(hex(put(route, {LinkIndex{0}, LinkIndex{0}})),
              R"(60000000 18000506 07000000 00000000 02100000 fe700001 00000000 08000100
0a010000 08000f00 fe000000 34000980 18000000 00000000 08000500 c0000201
08000b00 05000300 18000000 00000000 08000500 c0000202 08000b00 07000000
)");
}

TEST(RouteMessage, SaysItsPlaceInTheFlagsOfTheMessage) {
    Route route{.to = *parse_prefix("10.1.0.0/16"), .interface = "eth0"};
    const auto flags = [&](model::RoutePlace place) {
        route.place = place;
        const auto bytes = put(route, {LinkIndex{3}});
        return reinterpret_cast<const nlmsghdr*>(bytes.data())->nlmsg_flags;
    };
    constexpr unsigned always = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    EXPECT_EQ(flags(model::RoutePlace::alone), always | NLM_F_EXCL);
    EXPECT_EQ(flags(model::RoutePlace::first), always);
    EXPECT_EQ(flags(model::RoutePlace::last), always | NLM_F_APPEND);
}

TEST(RouteMessage, WrapsIntoAnotherLocator) {
    Route route{.to = *parse_prefix("2001:db8:0:1:2000::1/128"), .interface = "eth0"};
    route.encap = model::Encap{.kind = model::Encap::Kind::ila,
                               .locator = 0x20010db800000002U,
                               .checksum = model::Encap::Checksum::neutral_map};
    EXPECT_EQ(hex(put(route, {LinkIndex{3}})),
              R"(68000000 18000506 07000000 00000000 0a800000 fe700001 00000000 14000100
20010db8 00000001 20000000 00000001 08000f00 fe000000 08000600 00040000
08000400 03000000 06001500 03000000 18001680 0c000100 20010db8 00000002
05000700 01000000 )");
}

TEST(RouteMessage, OfAnIpv6Route) {
    Route route{
        .to = *parse_prefix("2001:db8::/32"), .from = parse_prefix("2001:db8:1::/48"), .via = parse_ip("fe80::1")};
    route.expires = 60s;
    route.preference = model::RoutePreference::high;
    EXPECT_EQ(hex(put(route, {LinkIndex{3}})),
              R"(80000000 18000506 07000000 00000000 0a203000 fe700001 00000000 14000100
20010db8 00000000 00000000 00000000 14000200 20010db8 00010000 00000000
00000000 08000f00 fe000000 08000600 00040000 14000500 fe800000 00000000
00000000 00000001 08000400 03000000 08001700 3c000000 05001400 01000000
)");
}

TEST(RouteMessage, OfARemovalNamesNothingButTheIdentityAndTheTag) {
    EXPECT_EQ(hex(encode(engine::RemoveRoute{{.to = *parse_prefix("10.1.0.0/16"), .table = 100, .metric = 5}}, 7)),
              R"(34000000 19000500 07000000 00000000 02100000 6470ff00 00000000 08000100
0a010000 08000f00 64000000 08000600 05000000 )");
}

TEST(RouteMessage, IsReadBackAsItsIdentity) {
    const auto bytes =
        put({.to = *parse_prefix("10.1.0.0/16"), .table = 1000, .metric = 5, .via = IpAddress::v4(192, 0, 2, 1)},
            {LinkIndex{3}}, true);
    const auto event = decode(*reinterpret_cast<const nlmsghdr*>(bytes.data()));
    ASSERT_TRUE(event);
    const auto& changed = std::get<engine::RouteChanged>(*event);
    EXPECT_TRUE(changed.replaces && changed.route.ours);
    EXPECT_EQ(to_string(changed.route.id), "10.1.0.0/16 table 1000 metric 5");
    EXPECT_EQ(changed.route.link, LinkIndex{3});
    EXPECT_EQ(changed.route.via, IpAddress::v4(192, 0, 2, 1));
}

model::Rule with_everything() {
    model::Rule rule{.family = Family::ipv4, .priority = 1000, .table = 100, .invert = true};
    rule.from = parse_prefix("192.0.2.0/24");
    rule.to = parse_prefix("10.0.0.0/8");
    rule.iif = "eth0";
    rule.oif = "eth1";
    rule.tos = 16;
    rule.fwmark = std::pair{0x10U, 0xffU};
    rule.suppress_prefixlength = 0;
    rule.suppress_ifgroup = 3;
    rule.tun_id = 7;
    rule.uidrange = model::Range{1000, 2000};
    rule.ipproto = 6;
    rule.sport = model::Range{1, 2};
    rule.dport = model::Range{80, 80};
    rule.realm = 9;
    return rule;
}

TEST(RuleMessage, HasEverySelector) {
    EXPECT_EQ(hex(encode(engine::PutRule{std::make_shared<const model::Rule>(with_everything())}, 7)),
              R"(b4000000 20000506 07000000 00000000 02081810 00000001 02000000 08000600
e8030000 05001500 70000000 08000f00 64000000 08000200 c0000200 08000100
0a000000 09000300 65746830 00000000 09001100 65746831 00000000 08000a00
10000000 08001000 ff000000 0c000c00 00000000 00000007 0c001400 e8030000
d0070000 05001600 06000000 08001700 01000200 08001800 50005000 08000e00
00000000 08000d00 03000000 08000b00 09000000 )");
}

TEST(RuleMessage, IsReadBackAsItWasWritten) {
    model::Rule jump{.family = Family::ipv6, .priority = 5, .action = model::RuleAction::jump, .target = 50};
    model::Rule vrf{.priority = 6, .l3mdev = true};
    model::Rule refuse{.priority = 7, .action = model::RuleAction::unreachable};
    for (const auto& rule : {with_everything(), jump, vrf, refuse}) {
        const auto bytes = encode(engine::PutRule{std::make_shared<const model::Rule>(rule)}, 7);
        const auto event = decode(*reinterpret_cast<const nlmsghdr*>(bytes.data()));
        ASSERT_TRUE(event) << to_string(rule);
        EXPECT_EQ(*std::get<engine::RuleChanged>(*event).rule, rule) << to_string(rule);
    }
}

} // namespace
} // namespace holdfast::kernel::testing
