// Addresses with options, and those that are not advertised.

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

std::string addresses(const std::string& list, const std::string& more = "") {
    return "instances:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: " + list + "\n" + more;
}

TEST(AddressOptions, AreTheWordsOfIpAddress) {
    const auto config = good(addresses(
        "[{address: 192.0.2.10/24, label: \"eth0:web\", scope: site, broadcast: auto, prefix_route: off, track: no},\n"
        "      {address: 192.0.2.11/24, peer: 192.0.2.1, interface: eth1, scope: 10, broadcast: 192.0.2.99},\n"
        "      192.0.2.12/24, {address: 192.0.2.13/24, preferred: 60s}]"));
    const auto& all = config.instances.at(0).addresses;
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(to_string(all[0].prefix()), "192.0.2.10/24");
    EXPECT_EQ(all[0].label, "eth0:web");
    EXPECT_EQ(all[0].scope, model::scope_site);
    EXPECT_EQ(all[0].broadcast, IpAddress::v4(192, 0, 2, 255));
    EXPECT_EQ(all[0].prefix_route, false);
    EXPECT_FALSE(all[0].track);
    EXPECT_EQ(all[1].peer, IpAddress::v4(192, 0, 2, 1));
    EXPECT_EQ(all[1].interface, "eth1");
    EXPECT_EQ(all[1].scope, 10);
    EXPECT_EQ(all[2], model::VirtualAddress(IpAddress::v4(192, 0, 2, 12), 24));
    EXPECT_EQ(all[3].preferred, 60s);
}

TEST(AddressOptions, OfIpv6) {
    const auto config =
        good(addresses("[{address: \"2001:db8::1/64\", home: on, dad: on, preferred: forever, manage_temporary: on}]"));
    const auto& address = config.instances.at(0).addresses.at(0);
    EXPECT_TRUE(address.home && address.dad && address.manage_temporary);
    EXPECT_EQ(address.preferred, Duration::max());
}

TEST(AddressOptions, AreReadBackAsTheyAreDumped) {
    const auto text = addresses(
        "[192.0.2.10/24, {address: 192.0.2.11/24, label: \"eth0:a\", scope: link, peer: 192.0.2.1, track: off},\n"
        "      {address: \"2001:db8::1/64\", dad: on, preferred: 10s, interface: eth1}]",
        "    excluded_addresses: [{address: 239.1.1.1, autojoin: on}, \"2001:db8::2\"]\n");
    const auto config = good(text);
    const auto again = good(dump(config));
    EXPECT_EQ(config.instances, again.instances);
    EXPECT_NE(dump(config).find("{address: \"192.0.2.11/24\", label: \"eth0:a\", scope: link, peer: \"192.0.2.1\", "
                                "track: false}"),
              std::string::npos)
        << dump(config);
}

TEST(AddressOptions, SayWhatIsWrong) {
    EXPECT_EQ(errors(addresses(
                  "[{address: 192.0.2.10/24, label: eth0}, {address: 192.0.2.11/24, label: \"eth0:toolonglabel\"},\n"
                  "      {address: 192.0.2.12/24, scope: nearby, broadcast: \"fe80::1\", preferred: 60}]")),
              R"(holdfast.yaml:5:49: error: label must be a label like eth0:web, not 'eth0'
    addresses: [{address: 192.0.2.10/24, label: eth0}, {address: 192.0.2.11/24, label: "eth0:toolonglabel"},
                                                ^
holdfast.yaml:5:88: error: label eth0:toolonglabel has more than 15 bytes, which is all that the kernel keeps
    addresses: [{address: 192.0.2.10/24, label: eth0}, {address: 192.0.2.11/24, label: "eth0:toolonglabel"},
                                                                                       ^
holdfast.yaml:6:39: error: scope must be global, site, link, host or 0 to 255, not 'nearby'
      {address: 192.0.2.12/24, scope: nearby, broadcast: "fe80::1", preferred: 60}]
                                      ^
holdfast.yaml:6:58: error: broadcast must be auto, none or an IPv4 address, not 'fe80::1'
      {address: 192.0.2.12/24, scope: nearby, broadcast: "fe80::1", preferred: 60}]
                                                         ^
holdfast.yaml:6:80: error: preferred needs a unit: '60' of what?
      {address: 192.0.2.12/24, scope: nearby, broadcast: "fe80::1", preferred: 60}]
                                                                               ^
  hint: write 60s for seconds or 60ms for milliseconds
)");
}

TEST(AddressOptions, BelongToAFamily) {
    EXPECT_EQ(errors(addresses("[{address: 192.0.2.10/24, dad: on}, {address: \"2001:db8::1\", label: \"eth0:a\"},\n"
                               "      {address: 192.0.2.11/24, peer: \"2001:db8::1\"},\n"
                               "      {address: \"2001:db8::3/48\", manage_temporary: on},\n"
                               "      {address: 192.0.2.14, autojoin: on}, {address: 239.1.1.1, autojoin: on},\n"
                               "      {address: 192.0.2.15, broadcast: auto}]")),
              R"(holdfast.yaml:5:47: error: dad is for ipv6 addresses, and 192.0.2.10 is ipv4
    addresses: [{address: 192.0.2.10/24, dad: on}, {address: "2001:db8::1", label: "eth0:a"},
                                              ^
  hint: remove it
holdfast.yaml:5:84: error: label is for ipv4 addresses, and 2001:db8::1 is ipv6
    addresses: [{address: 192.0.2.10/24, dad: on}, {address: "2001:db8::1", label: "eth0:a"},
                                                                                   ^
  hint: remove it
holdfast.yaml:6:38: error: peer 2001:db8::1 and address 192.0.2.11 are of two families
      {address: 192.0.2.11/24, peer: "2001:db8::1"},
                                     ^
  hint: give both in the same
holdfast.yaml:7:53: error: manage_temporary needs a prefix length of 64, not 48
      {address: "2001:db8::3/48", manage_temporary: on},
                                                    ^
  hint: write /64
holdfast.yaml:8:39: error: 192.0.2.14 is no multicast address: there is no group to join
      {address: 192.0.2.14, autojoin: on}, {address: 239.1.1.1, autojoin: on},
                                      ^
  hint: remove autojoin
holdfast.yaml:8:54: error: '239.1.1.1' is a multicast address
      {address: 192.0.2.14, autojoin: on}, {address: 239.1.1.1, autojoin: on},
                                                     ^
  hint: it can be one of excluded_addresses
holdfast.yaml:9:40: error: a /32 has no broadcast address
      {address: 192.0.2.15, broadcast: auto}]
                                       ^
  hint: remove broadcast
)");
}

TEST(AddressOptions, LabelsNameTheLinkThatTheAddressIsOn) {
    EXPECT_EQ(
        errors(addresses("[{address: 192.0.2.10/24, label: \"eth1:a\"}, {address: 192.0.2.11/24, interface: eth1, "
                         "label: \"eth1:b\"}]")),
        R"(holdfast.yaml:5:17: error: label 'eth1:a' is of another link than eth0, where 192.0.2.10 is
    addresses: [{address: 192.0.2.10/24, label: "eth1:a"}, {address: 192.0.2.11/24, interface: eth1, label: "eth1:b"}]
                ^
  hint: write eth0:a
)");
}

TEST(ExcludedAddresses, AreOfAnyFamilyAndGoWithTheirPair) {
    const auto one =
        good(addresses("[192.0.2.10/24]", "    excluded_addresses: [192.0.2.11/24, \"2001:db8::1/64\"]\n"));
    ASSERT_EQ(one.instances.size(), 1U);
    EXPECT_EQ(one.instances[0].excluded_addresses.size(), 2U);
    const auto both = good(addresses("[192.0.2.10/24, \"2001:db8::10/64\"]",
                                     "    excluded_addresses: [192.0.2.11/24, \"2001:db8::1/64\", 192.0.2.12/24]\n"));
    ASSERT_EQ(both.instances.size(), 2U);
    EXPECT_EQ(both.instances[0].excluded_addresses.size(), 2U);
    EXPECT_EQ(both.instances[1].excluded_addresses.size(), 1U);
}

TEST(ExcludedAddresses, AreNotTheOnlyOnesAndNotAdvertisedToo) {
    EXPECT_EQ(errors("instances:\n  web: {interface: eth0, vrid: 51, excluded_addresses: [192.0.2.11/24]}\n"),
              R"(holdfast.yaml:2:3: error: instance 'web' has no addresses
  web: {interface: eth0, vrid: 51, excluded_addresses: [192.0.2.11/24]}
  ^
  hint: add addresses: a list of IP addresses, each with its prefix length (/32 or /128 without), at most 255 of a family
)");
    EXPECT_EQ(errors(addresses("[192.0.2.10/24]", "    excluded_addresses: [192.0.2.10/24, 192.0.2.11, 192.0.2.11]\n")),
              R"(holdfast.yaml:6:53: error: 192.0.2.11 is given twice
    excluded_addresses: [192.0.2.10/24, 192.0.2.11, 192.0.2.11]
                                                    ^
  hint: first given at holdfast.yaml:6:41
)");
    EXPECT_EQ(errors(addresses("[192.0.2.10/24]", "    excluded_addresses: [192.0.2.10/24]\n")),
              R"(holdfast.yaml:6:26: error: 192.0.2.10 on eth0 is an address of instance 'web' already
    excluded_addresses: [192.0.2.10/24]
                         ^
  hint: an address has one instance, and is advertised or excluded: remove it from one
)");
    EXPECT_EQ(
        errors(addresses("[192.0.2.10/24]", "    excluded_addresses: [{address: 192.0.2.10/24, interface: eth1}]\n")),
        "");
}

TEST(ExcludedAddresses, AreTenThousandAtMost) {
    std::string list;
    for (int i = 0; i < 10'000; ++i)
        list += "    - 10." + std::to_string(i / 10'000 + 1) + "." + std::to_string(i / 100 % 100) + "." +
                std::to_string(i % 100 + 1) + "\n";
    EXPECT_EQ(errors(addresses("[192.0.2.10/24]", "    excluded_addresses:\n" + list)), "");
    EXPECT_EQ(errors(addresses("[192.0.2.10/24]", "    excluded_addresses:\n" + list + "    - 10.9.9.9\n")),
              R"(holdfast.yaml:10007:7: error: an instance has at most 10000 excluded addresses
    - 10.9.9.9
      ^
  hint: put the rest into another instance with a vrid of its own
)");
}

TEST(Addresses, Ipv6LinkLocalOnesComeFirst) {
    const auto config = good(addresses("[\"2001:db8::1/64\", \"fe80::1/64\", \"2001:db8::2/64\"]"));
    const auto& all = config.instances.at(0).addresses;
    EXPECT_EQ(to_string(all[0].prefix()), "fe80::1/64");
    EXPECT_EQ(to_string(all[1].prefix()), "2001:db8::1/64");
}

} // namespace
} // namespace holdfast::config::testing
