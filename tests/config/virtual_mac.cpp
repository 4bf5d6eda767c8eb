// `virtual_mac:` in all its forms, what each family makes of it, and every message about it.

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

using model::AdvertsFrom;
using model::VirtualMac;

std::string with(const std::string& value) {
    return instance_with("    virtual_mac: " + value + "\n");
}

TEST(VirtualMac, IsOffUnlessAskedFor) {
    EXPECT_FALSE(good(instance_with("")).instances[0].virtual_mac);
    EXPECT_FALSE(good(with("off")).instances[0].virtual_mac);
    EXPECT_FALSE(good("defaults: {virtual_mac: on}\n" + with("off")).instances[0].virtual_mac);
    EXPECT_TRUE(good("defaults: {virtual_mac: on}\n" + instance_with("")).instances[0].virtual_mac);
}

TEST(VirtualMac, HasTheRfcsAddressAndTheUsualNameForEachFamily) {
    const auto config =
        good("instances:\n  web: {interface: eth0, vrid: 51, virtual_mac: on, addresses: [192.0.2.10/24, "
             "2001:db8::10/64]}\n");
    ASSERT_EQ(config.instances.size(), 2U);
    EXPECT_EQ(config.instances[0].address_interface(), "vrrp.51");
    EXPECT_EQ(to_string(*config.instances[0].address_mac()), "00:00:5e:00:01:33");
    EXPECT_EQ(config.instances[1].address_interface(), "vrrp6.51");
    EXPECT_EQ(to_string(*config.instances[1].address_mac()), "00:00:5e:00:02:33");
    EXPECT_EQ(good(instance_with("")).instances[0].address_interface(), "eth0");
}

TEST(VirtualMac, TakesANameAnAddressAndWhereAdvertsComeFrom) {
    const auto text = with("{interface: vmac0, adverts_from: parent, address: 02:00:00:00:00:51}");
    const auto config = good(text);
    EXPECT_EQ(config.instances[0].virtual_mac,
              (VirtualMac{"vmac0", AdvertsFrom::parent, MacAddress{{2, 0, 0, 0, 0, 0x51}}}));
    EXPECT_FALSE(config.instances[0].advert_mac());
    EXPECT_EQ(good(dump(config)), config);
    EXPECT_EQ(good(dump(good(with("on")))), good(with("on")));
    EXPECT_EQ(good(with("on")).instances[0].advert_mac(), good(with("{}")).instances[0].address_mac());
}

TEST(VirtualMac, LetsUnicastAdvertsLeaveFromTheInterface) {
    const auto config = good(with("on") + "    unicast: {peers: [10.0.0.1]}\n");
    EXPECT_TRUE(config.instances[0].address_mac());
    EXPECT_FALSE(config.instances[0].advert_mac());
}

TEST(VirtualMac, IsPartOfWhatTheRouterIs) {
    const auto before = good(with("on")).instances[0], other = good(with("{address: 02:00:00:00:00:51}")).instances[0],
               none = good(instance_with("")).instances[0], parent = good(with("{adverts_from: parent}")).instances[0];
    EXPECT_EQ(how_to_change(before, other), model::Reload::restart);
    EXPECT_EQ(how_to_change(before, none), model::Reload::restart);
    EXPECT_EQ(how_to_change(before, parent), model::Reload::live);
}

TEST(VirtualMac, SaysWhatIsWrong) {
    struct Case {
        std::string text, message, hint;
    };
    const Case cases[]{
        {with("maybe"),
         "virtual_mac must be on, off or {interface: NAME, adverts_from: virtual or parent, address: MAC}, not 'maybe'",
         ""},
        {with("[on]"),
         "virtual_mac must be on, off or {interface: NAME, adverts_from: virtual or parent, address: MAC}, not a list",
         ""},
        {with("{adress: 02:00:00:00:00:51}"), "'adress' is not a directive of virtual_mac", "did you mean 'address'?"},
        {with("{adverts_from: macvlan}"), "adverts_from must be virtual or parent, not 'macvlan'", ""},
        {with("{interface: vrrp.virtual.mac}"),
         "interface must be the name of a network interface, and 'vrrp.virtual.mac' has more than 15 bytes", ""},
        {with("{interface: eth0}"), "eth0 is the interface of the instance; virtual_mac makes another one on it",
         "choose a name that no interface has, or leave it out"},
        {with("{address: 1}"), "address must be a MAC address, like 02:00:5e:00:00:01, not '1'", ""},
        {with("{address: 01:00:5e:00:00:12}"),
         "01:00:5e:00:00:12 is the address of a group, so no host can send from it",
         "begin with 02, or leave address out: RFC 9568 has one for every vrid"},
        {with("{address: 00:00:00:00:00:00}"), "00:00:00:00:00:00 is the address of nobody",
         "begin with 02, or leave address out: RFC 9568 has one for every vrid"},
        {with("{address: 00:00:5e:00:01:34}"),
         "00:00:5e:00:01:34 belongs to the ipv4 router with vrid 52 (RFC 9568 7.3)",
         "leave address out: 'web' then has 00:00:5e:00:01:33"},
        {with("{address: 00:00:5e:00:02:33}"),
         "00:00:5e:00:02:33 belongs to the ipv6 router with vrid 51 (RFC 9568 7.3)",
         "leave address out: 'web' then has 00:00:5e:00:01:33"},
        {with("on") + "    priority: 255\n",
         "'web' has priority 255, so its addresses are the interface's own and stay at its MAC address",
         "give it a priority below 255, or remove virtual_mac"},
        {with("{adverts_from: virtual}") + "    unicast: {peers: [10.0.0.1]}\n",
         "unicast adverts leave from the MAC address of the interface: it is what peers know",
         "write adverts_from: parent, or remove unicast"},
        {"instances:\n  web: {interface: eth0, vrid: 51, virtual_mac: {interface: vmac0}, addresses: [192.0.2.10/24, "
         "2001:db8::10/64]}\n",
         "'web' has addresses of both families, which are two virtual routers with a MAC address each: one interface "
         "is "
         "not enough",
         "leave interface out, or make an instance for each family"},
        {"defaults: {virtual_mac: on}\ninstances:\n  inside: {interface: eth1, vrid: 51, addresses: [10.0.0.1]}\n  "
         "web: "
         "{interface: eth0, vrid: 51, addresses: [192.0.2.10]}\n",
         "instances 'inside' and 'web' both make the interface vrrp.51",
         "give 'web' a name of its own: virtual_mac: {interface: vrrp.51b}"},
        {"instances:\n  inside: {interface: vrrp.51, vrid: 1, addresses: [10.0.0.1]}\n  web: {interface: eth0, vrid: "
         "51, "
         "virtual_mac: on, addresses: [192.0.2.10]}\n",
         "vrrp.51 is the interface of instance 'inside' already",
         "give 'web' a name of its own: virtual_mac: {interface: vrrp.51b}"},
        {instance_with("    use_vmac: true\n"), "'use_vmac' is not a directive of an instance",
         "write virtual_mac: on"},
    };
    for (const auto& one : cases)
        expect_refused(one.text, one.message, one.hint);
}

TEST(VirtualMac, PointsAtTheWordThatIsWrong) {
    EXPECT_EQ(errors(with("{interface: vmac0, address: 00:00:5e:00:01:01}")),
              R"(holdfast.yaml:6:46: error: 00:00:5e:00:01:01 belongs to the ipv4 router with vrid 1 (RFC 9568 7.3)
    virtual_mac: {interface: vmac0, address: 00:00:5e:00:01:01}
                                             ^
  hint: leave address out: 'web' then has 00:00:5e:00:01:33
)");
}

} // namespace
} // namespace holdfast::config::testing
