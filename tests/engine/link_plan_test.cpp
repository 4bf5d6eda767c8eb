// The macvlan of a virtual MAC: each step from what the kernel says to what the router wants, and what is never touched.

#include "engine/link_plan.hpp"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

const LinkIndex parent{2}, macvlan{7};
const MacAddress mac{{0, 0, 0x5e, 0, 1, 51}};

DesiredLink wish(bool up) {
    return {.name = "vrrp.51", .parent = parent, .mac = mac, .alias = "holdfast", .up = up};
}
Link ours(bool up) {
    return {.index = macvlan,
            .name = "vrrp.51",
            .mac = mac,
            .admin_up = up,
            .ours = true,
            .parent = parent,
            .alias = "holdfast",
            .ipv4 = macvlan_settings,
            .makes_ipv6_addresses = false};
}
template <typename Operation>
bool is(const std::optional<OperationBody>& body) {
    return body && std::holds_alternative<Operation>(*body);
}
bool raises(const std::optional<OperationBody>& body) {
    return is<SetLinkUp>(body) && std::get<SetLinkUp>(*body).up;
}
bool lowers(const std::optional<OperationBody>& body) {
    return is<SetLinkUp>(body) && !std::get<SetLinkUp>(*body).up;
}

TEST(LinkPlan, MakesSetsUpAndRaises) {
    auto fresh = ours(false);
    fresh.ipv4 = {};
    fresh.makes_ipv6_addresses = true;
    EXPECT_TRUE(is<AddLink>(plan(nullptr, wish(true))));
    EXPECT_TRUE(is<ConfigureLink>(plan(&fresh, wish(true)))) << "before it is up, or it would speak";
    const auto down = ours(false), up = ours(true);
    EXPECT_TRUE(raises(plan(&down, wish(true))));
    EXPECT_FALSE(plan(&up, wish(true)));
    EXPECT_FALSE(plan(&down, wish(false)));
}

TEST(LinkPlan, MakesAnewAnIpvlanOfAnotherModeAndLooksAtNoMacAddressOfIt) {
    auto desired = wish(true);
    desired.mac = {};
    desired.ipvlan = model::IpvlanMode::bridge;
    auto there = ours(true), other = ours(true);
    there.ipvlan = model::IpvlanMode::bridge;
    other.ipvlan = model::IpvlanMode::vepa;
    const auto macvlan_there = ours(true);
    EXPECT_FALSE(plan(&there, desired));
    EXPECT_TRUE(is<RemoveLink>(plan(&other, desired)));
    EXPECT_TRUE(is<RemoveLink>(plan(&macvlan_there, desired)));
    EXPECT_TRUE(is<RemoveLink>(plan(&there, wish(true))));
    EXPECT_EQ(std::get<AddLink>(*plan(nullptr, desired)).ipvlan, model::IpvlanMode::bridge);
}

TEST(LinkPlan, LowersBeforeEverythingElse) {
    auto drifted = ours(true);
    drifted.ipv4.rp_filter = 1;
    EXPECT_TRUE(lowers(plan(&drifted, wish(false))));
    EXPECT_TRUE(is<ConfigureLink>(plan(&drifted, wish(true))));
}

TEST(LinkPlan, MakesAnewWhatIsOnAnotherInterfaceOrHasAnotherAddress) {
    auto elsewhere = ours(true), other = ours(true);
    elsewhere.parent = LinkIndex{3};
    other.mac.bytes[5] = 52;
    EXPECT_TRUE(is<RemoveLink>(plan(&elsewhere, wish(true))));
    EXPECT_TRUE(is<RemoveLink>(plan(&other, wish(true))));
}

TEST(LinkPlan, NeverTouchesWhatIsNotOurs) {
    auto foreign = ours(true);
    foreign.ours = false;
    EXPECT_FALSE(plan(&foreign, wish(false)));
    EXPECT_FALSE(plan(&foreign, wish(true)));
    EXPECT_FALSE(plan(&foreign, std::nullopt));
    const auto left_behind = ours(false);
    EXPECT_TRUE(is<RemoveLink>(plan(&left_behind, std::nullopt)));
    EXPECT_FALSE(plan(nullptr, std::nullopt));
}

TEST(LinkPlan, AsksForNoIpv6WhereThereIsNone) {
    auto fresh = ours(false);
    fresh.alias.clear();
    fresh.makes_ipv6_addresses.reset();
    const auto body = plan(&fresh, wish(true));
    ASSERT_TRUE(is<ConfigureLink>(body));
    EXPECT_FALSE(std::get<ConfigureLink>(*body).has_ipv6);
}

TEST(ParentSettings, AnswerNoMoreThanBefore) {
    EXPECT_EQ(parent_settings({0, 0, 0}), (ArpSettings{1, 1, 2}));
    EXPECT_EQ(parent_settings({2, 0, 1}), (ArpSettings{2, 1, 2}));
    EXPECT_EQ(parent_settings({3, 1, 0}), (ArpSettings{1, 1, 2})) << "3 leaves out only addresses of host scope";
    EXPECT_EQ(parent_settings({8, 0, 0}), (ArpSettings{8, 1, 2}));
}

TEST(Alias, KeepsWhatTheParentHad) {
    const ArpSettings before{.arp_ignore = 2, .arp_filter = 0, .arp_announce = 1};
    EXPECT_EQ(to_alias("eth0", before), "holdfast: eth0 had arp_ignore=2 arp_filter=0 arp_announce=1");
    EXPECT_EQ(read_alias(to_alias("eth0", before)), before);
    for (const auto* text :
         {"", "holdfast", "uplink arp_ignore=1 arp_filter=1 arp_announce=1",
          "holdfast: eth0 had arp_ignore=1 arp_filter=", "holdfast: arp_ignore=1x arp_filter=0 arp_announce=0",
          "holdfast: eth0 had arp_ignore=300 arp_filter=0 arp_announce=0"})
        EXPECT_FALSE(read_alias(text)) << text;
}

} // namespace
} // namespace holdfast::engine
