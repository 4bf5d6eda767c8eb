// `ipvlan:` in all its forms, what each family makes of it, and every message about it.

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

using model::Ipvlan;
using model::IpvlanMode;

std::string with(const std::string& value) {
    return instance_with("    ipvlan: " + value + "\n");
}
std::string two(const std::string& first, const std::string& second) {
    return "instances:\n  a: {interface: eth0, vrid: 51, " + first +
           ", addresses: [192.0.2.10]}\n  b: {interface: eth0, vrid: 52, " + second + ", addresses: [192.0.2.20]}\n";
}

TEST(Ipvlan, IsOffUnlessAskedFor) {
    EXPECT_FALSE(good(instance_with("")).instances[0].ipvlan);
    EXPECT_FALSE(good("defaults: {ipvlan: on}\n" + with("off")).instances[0].ipvlan);
    EXPECT_EQ(good("defaults: {ipvlan: on}\n" + instance_with("")).instances[0].ipvlan, Ipvlan{});
}

TEST(Ipvlan, HasANameForEachFamilyAndNoMacAddressOfItsOwn) {
    const auto config = good(
        "instances:\n  web: {interface: eth0, vrid: 51, ipvlan: on, addresses: [192.0.2.10/24, 2001:db8::10/64]}\n");
    ASSERT_EQ(config.instances.size(), 2U);
    EXPECT_EQ(config.instances[0].address_interface(), "vrrp.51");
    EXPECT_EQ(config.instances[1].address_interface(), "vrrp6.51");
    EXPECT_FALSE(config.instances[0].address_mac());
    EXPECT_FALSE(config.instances[0].advert_mac());
}

TEST(Ipvlan, TakesANameAndAMode) {
    const auto config = good(with("{interface: ipv0, mode: private}"));
    EXPECT_EQ(config.instances[0].ipvlan, (Ipvlan{"ipv0", IpvlanMode::private_}));
    EXPECT_EQ(good(with("{mode: vepa}")).instances[0].ipvlan, (Ipvlan{"", IpvlanMode::vepa}));
    EXPECT_EQ(good(with("{mode: bridge}")), good(with("on")));
    EXPECT_EQ(good(dump(config)), config);
    EXPECT_EQ(good(dump(good(with("on")))), good(with("on")));
}

TEST(Ipvlan, IsPartOfWhatTheRouterIs) {
    const auto before = good(with("on")).instances[0], other = good(with("{mode: vepa}")).instances[0],
               none = good(instance_with("")).instances[0];
    EXPECT_EQ(how_to_change(before, other), model::Reload::restart);
    EXPECT_EQ(how_to_change(before, none), model::Reload::restart);
}

TEST(Ipvlan, SharesAnInterfaceWithOthersOfItsMode) {
    EXPECT_EQ(good(two("ipvlan: on", "ipvlan: on")).instances.size(), 2U);
    EXPECT_EQ(good(two("ipvlan: on", "priority: 100")).instances.size(), 2U);
}

TEST(Ipvlan, SaysWhatIsWrong) {
    struct Case {
        std::string text, message, hint;
    };
    const Case cases[]{
        {with("maybe"), "ipvlan must be on, off or {interface: NAME, mode: bridge, private or vepa}, not 'maybe'", ""},
        {with("{mode: l3}"), "mode must be bridge, private or vepa, not 'l3'", ""},
        {with("{mod: bridge}"), "'mod' is not a directive of ipvlan", "did you mean 'mode'?"},
        {with("{address: 192.0.2.9}"), "'address' is not a directive of ipvlan",
         "adverts come from the interface under it, which has one: remove it, or choose one with source"},
        {with("{interface: vrrp.ipvlan.fifty}"),
         "interface must be the name of a network interface, and 'vrrp.ipvlan.fifty' has more than 15 bytes", ""},
        {with("{interface: eth0}"), "eth0 is the interface of the instance; ipvlan makes another one on it",
         "choose a name that no interface has, or leave it out"},
        {with("on") + "    virtual_mac: on\n",
         "'web' has virtual_mac and ipvlan, and its addresses are on one interface",
         "an ipvlan has the MAC address of the interface under it: remove one of the two"},
        {"defaults: {virtual_mac: on}\n" + with("on"),
         "'web' has virtual_mac and ipvlan, and its addresses are on one interface",
         "an ipvlan has the MAC address of the interface under it: remove one of the two"},
        {with("on") + "    priority: 255\n",
         "'web' has priority 255, so its addresses are the interface's own and stay at its MAC address",
         "give it a priority below 255, or remove ipvlan"},
        {"instances:\n  web: {interface: eth0, vrid: 51, ipvlan: {interface: ipv0}, addresses: [192.0.2.10/24, "
         "2001:db8::10/64]}\n",
         "'web' has addresses of both families, which are two virtual routers: one interface is not enough",
         "leave interface out, or make an instance for each family"},
        {two("ipvlan: {interface: x}", "ipvlan: {interface: x}"), "instances 'a' and 'b' both make the interface x",
         "give 'b' a name of its own: ipvlan: {interface: xb}"},
        {two("virtual_mac: on", "ipvlan: on"),
         "eth0 can't carry both an ipvlan and the macvlan of a virtual_mac: instance 'a' has virtual_mac",
         "write virtual_mac for both"},
        {two("ipvlan: on", "ipvlan: {mode: vepa}"), "all ipvlans on eth0 have one mode, and instance 'a' has another",
         "give both the same"},
        {instance_with("    use_ipvlan: true\n"), "'use_ipvlan' is not a directive of an instance", "write ipvlan: on"},
    };
    for (const auto& one : cases)
        expect_refused(one.text, one.message, one.hint);
}

} // namespace
} // namespace holdfast::config::testing
