// Routes and rules, of instances and of the daemon.

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

std::string routes(const std::string& list) {
    return instance_with("    routes: " + list + "\n");
}
std::string rules(const std::string& list) {
    return instance_with("    rules: " + list + "\n");
}

TEST(Routes, HaveTheWordsOfIpRoute) {
    const auto config = good(routes(
        "[{to: default, via: 192.0.2.1, metric: 5},\n"
        "      {to: 10.1.0.0/16, via: 192.0.2.254, interface: eth0, onlink: on, source: 192.0.2.10, table: 100, tos: "
        "16, scope: global, realm: 3,\n"
        "       mtu: 1400, mtu_lock: on, advmss: 1360, hoplimit: 64, rtt: 30ms, rttvar: 10ms, rto_min: 50ms, window: "
        "65535, cwnd: 10, ssthresh: 20,\n"
        "       initcwnd: 10, initrwnd: 20, reordering: 3, quickack: on, ecn: on, fastopen_no_cookie: off, "
        "congestion_control: cubic, track: off},\n"
        "      {to: \"2001:db8:1::/48\", via: \"fe80::1\", interface: eth0, from: \"2001:db8:2::/48\", expires: 60s, "
        "preference: high},\n"
        "      {to: 10.2.0.0/16, type: blackhole},\n"
        "      {to: 10.3.0.0/16, nexthops: [{via: 192.0.2.1, weight: 2}, {via: \"fe80::1\", interface: eth1, onlink: "
        "on}]},\n"
        "      {to: 10.4.0.0/16, via: 192.0.2.1, encap: {type: mpls, labels: [100, 200], ttl: 5}, ttl_propagate: on},\n"
        "      {to: 10.5.0.0/16, interface: eth0, encap: {type: ip, destination: 198.51.100.1, id: 7, tos: 4}}]"));
    const auto& all = config.instances.at(0).routes;
    ASSERT_EQ(all.size(), 7U);
    EXPECT_EQ(to_string(all[0]), "default via 192.0.2.1 metric 5");
    EXPECT_EQ(to_string(all[1]), "10.1.0.0/16 via 192.0.2.254 dev eth0 src 192.0.2.10 tos 0x10 table 100");
    EXPECT_EQ(all[1].rtt, 30ms);
    EXPECT_EQ(all[1].fastopen_no_cookie, false);
    EXPECT_FALSE(all[1].track);
    EXPECT_EQ(all[2].preference, model::RoutePreference::high);
    EXPECT_EQ(all[2].id().metric, 1024U);
    EXPECT_EQ(to_string(all[3]), "blackhole 10.2.0.0/16");
    EXPECT_EQ(all[4].nexthops.at(0).weight, 2U);
    EXPECT_TRUE(all[4].nexthops.at(1).onlink);
    EXPECT_EQ(all[5].encap->labels, (std::vector<std::uint32_t>{100, 200}));
    EXPECT_EQ(all[6].encap->id, 7U);
    EXPECT_EQ(good(dump(config)).instances, config.instances) << dump(config);
}

TEST(Routes, SayWhatIsWrong) {
    EXPECT_EQ(errors(routes("[{to: 10.1.0.1/16, via: 192.0.2.1}, {via: 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: "
                            "nat, mtu: 5, gw: 1}, default]")),
              R"(holdfast.yaml:6:19: error: to must be a network, without bits behind its length, not '10.1.0.1/16'
    routes: [{to: 10.1.0.1/16, via: 192.0.2.1}, {via: 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1},...
                  ^
  hint: write 10.1.0.0/16, or 10.1.0.1/32 for the one address
holdfast.yaml:6:49: error: a route has no to
    routes: [{to: 10.1.0.1/16, via: 192.0.2.1}, {via: 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1},...
                                                ^
  hint: add to: PREFIX/LENGTH or default
holdfast.yaml:6:92: error: table must be main, local, default or 1 to 4294967295, not '0'
...via: 192.0.2.1}, {via: 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1}, default]
                                                               ^
holdfast.yaml:6:101: error: type must be unicast, local, blackhole, unreachable, prohibit or throw, not 'nat'
...0.2.1}, {via: 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1}, default]
                                                               ^
holdfast.yaml:6:111: error: mtu must be a number from 68 to 65535, not '5'
...ia: 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1}, default]
                                                               ^
holdfast.yaml:6:114: error: 'gw' is not a directive of a route
... 192.0.2.1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1}, default]
                                                               ^
  hint: write via
holdfast.yaml:6:122: error: a route must be a map, not 'default'
....1}, {to: 10.1.0.0/16, table: 0, type: nat, mtu: 5, gw: 1}, default]
                                                               ^
  hint: write {to: 10.1.0.0/16, via: 192.0.2.1}
)");
}

TEST(Routes, SayWhatDoesNotGoTogether) {
    EXPECT_EQ(
        errors(routes(
            "[{to: 10.1.0.0/16, type: blackhole, via: 192.0.2.1}, {to: 10.2.0.0/16}, {to: default, interface: eth0},\n"
            "      {to: 10.3.0.0/16, via: 192.0.2.1, nexthops: [{via: 192.0.2.2}]}, {to: 10.4.0.0/16, nexthops: "
            "[{weight: 2}]},\n"
            "      {to: \"2001:db8::/32\", via: 192.0.2.1}, {to: \"2001:db8::/32\", via: \"fe80::1\"}, {to: "
            "10.5.0.0/16, via: 192.0.2.1, onlink: on, mtu_lock: on},\n"
            "      {to: 10.6.0.0/16, via: 192.0.2.1, expires: 5s, source: \"2001:db8::1\"}]")),
        R"(holdfast.yaml:6:54: error: a route of type blackhole leads nowhere, so it has no via
    routes: [{to: 10.1.0.0/16, type: blackhole, via: 192.0.2.1}, {to: 10.2.0.0/16}, {to: default, interface: eth0},
                                                     ^
  hint: remove it
holdfast.yaml:6:71: error: the route leads nowhere
    routes: [{to: 10.1.0.0/16, type: blackhole, via: 192.0.2.1}, {to: 10.2.0.0/16}, {to: default, interface: eth0},
                                                                      ^
  hint: add via: ADDRESS or interface: NAME, or write type: blackhole
holdfast.yaml:6:90: error: default is of IPv4 or of IPv6, and nothing here says which
    routes: [{to: 10.1.0.0/16, type: blackhole, via: 192.0.2.1}, {to: 10.2.0.0/16}, {to: default, interface: eth0},
                                                                                         ^
  hint: write 0.0.0.0/0 or "::/0"
holdfast.yaml:7:30: error: via and nexthops are two ways to say the same
      {to: 10.3.0.0/16, via: 192.0.2.1, nexthops: [{via: 192.0.2.2}]}, {to: 10.4.0.0/16, nexthops: [{weight: 2}]},
                             ^
  hint: give each next hop its own
holdfast.yaml:7:101: error: a next hop leads nowhere
      {to: 10.3.0.0/16, via: 192.0.2.1, nexthops: [{via: 192.0.2.2}]}, {to: 10.4.0.0/16, nexthops: [{weight: 2}]},
                                                                                                    ^
  hint: add via: ADDRESS or interface: NAME
holdfast.yaml:8:34: error: an IPv6 route can't have the IPv4 gateway 192.0.2.1
      {to: "2001:db8::/32", via: 192.0.2.1}, {to: "2001:db8::/32", via: "fe80::1"}, {to: 10.5.0.0/16, via: 192.0.2.1, on...
                                 ^
  hint: give an IPv6 gateway
holdfast.yaml:8:73: error: fe80::1 is on every link
...2001:db8::/32", via: 192.0.2.1}, {to: "2001:db8::/32", via: "fe80::1"}, {to: 10.5.0.0/16, via: 192.0.2.1, onlink: on, mt...
                                                               ^
  hint: add interface: NAME
holdfast.yaml:8:127: error: onlink needs via and interface
... via: "fe80::1"}, {to: 10.5.0.0/16, via: 192.0.2.1, onlink: on, mtu_lock: on},
                                                               ^
  hint: add both
holdfast.yaml:8:141: error: mtu_lock needs an mtu
..."}, {to: 10.5.0.0/16, via: 192.0.2.1, onlink: on, mtu_lock: on},
                                                               ^
  hint: add mtu: 1400
holdfast.yaml:9:50: error: expires is for ipv6 routes
      {to: 10.6.0.0/16, via: 192.0.2.1, expires: 5s, source: "2001:db8::1"}]
                                                 ^
  hint: remove it
holdfast.yaml:9:62: error: source 2001:db8::1 is not ipv4, as the route is
      {to: 10.6.0.0/16, via: 192.0.2.1, expires: 5s, source: "2001:db8::1"}]
                                                             ^
  hint: give an address of the route's family
)");
}

TEST(Routes, OfAnEncapsulationThatCannotBe) {
    EXPECT_EQ(errors(routes("[{to: 10.1.0.0/16, via: 192.0.2.1, encap: {type: mpls, id: 3}}, {to: 10.2.0.0/16, via: "
                            "192.0.2.1, encap: {type: ip6, destination: 10.0.0.1}},\n"
                            "      {to: 10.3.0.0/16, via: 192.0.2.1, encap: mpls}, {to: 10.4.0.0/16, via: 192.0.2.1, "
                            "encap: {type: mpls, labels: [1048576]}}]")),
              R"(holdfast.yaml:6:55: error: encap of type mpls has no labels
    routes: [{to: 10.1.0.0/16, via: 192.0.2.1, encap: {type: mpls, id: 3}}, {to: 10.2.0.0/16, via: 192.0.2.1, encap: {ty...
                                                      ^
  hint: add labels: [100]
holdfast.yaml:6:55: error: encap of type mpls has labels and ttl only
    routes: [{to: 10.1.0.0/16, via: 192.0.2.1, encap: {type: mpls, id: 3}}, {to: 10.2.0.0/16, via: 192.0.2.1, encap: {ty...
                                                      ^
  hint: remove destination, source, id and tos
holdfast.yaml:6:118: error: encap of type ip6 is between ipv6 addresses, and 10.0.0.1 is none
...pe: mpls, id: 3}}, {to: 10.2.0.0/16, via: 192.0.2.1, encap: {type: ip6, destination: 10.0.0.1}},
                                                               ^
  hint: write type: ip
holdfast.yaml:7:48: error: encap must be a map, not 'mpls'
      {to: 10.3.0.0/16, via: 192.0.2.1, encap: mpls}, {to: 10.4.0.0/16, via: 192.0.2.1, encap: {type: mpls, labels: [104...
                                               ^
  hint: write {type: mpls, labels: [100]}
holdfast.yaml:7:118: error: labels must be a label, 0 to 1048575, not '1048576'
...: 10.4.0.0/16, via: 192.0.2.1, encap: {type: mpls, labels: [1048576]}}]
                                                               ^
)");
}

TEST(Routes, HaveRealmsForEachNextHopAndAPlaceBesideOthers) {
    const auto config = good(routes(
        "[{to: 10.1.0.0/16, nexthops: [{via: 192.0.2.1, realm: 3/5}, {via: 192.0.2.2, realm: 7}]},\n"
        "      {to: 10.2.0.0/16, via: 192.0.2.1, realm: 1/0, place: first},\n"
        "      {to: 10.3.0.0/16, via: 192.0.2.1, place: last},\n"
        "      {to: \"2001:db8:0:1:2000::1/128\", interface: eth0, encap: {type: ila, locator: \"2001:db8:0:2\", "
        "checksum: neutral-map}}]"));
    const auto& all = config.instances.at(0).routes;
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[0].nexthops.at(0).realm, 0x30005U);
    EXPECT_EQ(all[0].nexthops.at(1).realm, 7U);
    EXPECT_EQ(all[1].realm, 0x10000U);
    EXPECT_EQ(all[0].place, model::RoutePlace::alone);
    EXPECT_EQ(all[1].place, model::RoutePlace::first);
    EXPECT_EQ(all[2].place, model::RoutePlace::last);
    EXPECT_EQ(all[3].encap->locator, 0x20010db800000002U);
    EXPECT_EQ(all[3].encap->checksum, model::Encap::Checksum::neutral_map);
    EXPECT_EQ(good(dump(config)).instances, config.instances) << dump(config);
    EXPECT_EQ(good(rules("[{priority: 5, family: ipv4, table: 7, realm: 2/9}]")).instances.at(0).rules.at(0).realm,
              0x20009U);
}

TEST(Routes, RefuseRealmsPlacesAndLocatorsThatCannotBe) {
    struct Case {
        std::string text, message, hint;
    };
    const std::string realm = "realm must be 1 to 4294967295, or FROM/TO of 0 to 65535 each";
    const Case cases[]{
        {"{to: 10.1.0.0/16, via: 192.0.2.1, realm: 1/65536}", realm + ", not '1/65536'", ""},
        {"{to: 10.1.0.0/16, via: 192.0.2.1, realm: 0/0}", realm + ", not '0/0'", ""},
        {"{to: 10.1.0.0/16, via: 192.0.2.1, realm: 1/2/3}", realm + ", not '1/2/3'", ""},
        {"{to: 10.1.0.0/16, nexthops: [{via: 192.0.2.1}], realm: 3}", "realm and nexthops are two ways to say the same",
         "give each next hop its own"},
        {"{to: \"2001:db8::/32\", nexthops: [{via: \"2001:db8::1\", realm: 3}]}", "realm is for ipv4 routes",
         "remove it from the next hops"},
        {"{to: 10.1.0.0/16, via: 192.0.2.1, place: before}", "place must be alone, first or last, not 'before'", ""},
        {"{to: \"2001:db8::/32\", via: \"2001:db8::1\", place: last}", "place is for ipv4 routes", "remove it"},
        {"{to: 10.1.0.0/16, via: 192.0.2.1, append: true}", "'append' is not a directive of a route",
         "write place: last"},
        {"{to: \"2001:db8:0:1:2000::1/128\", interface: eth0, encap: {type: ila}}", "encap of type ila has no locator",
         "add locator: \"2001:db8:0:2\""},
        {"{to: \"2001:db8:0:1:2000::1/128\", interface: eth0, encap: {type: ila, locator: \"2001:db8::2\"}}",
         "locator must be the first half of an IPv6 address, like 2001:db8:0:2, not '2001:db8::2'", ""},
        {"{to: \"2001:db8:0:1:2000::1/128\", interface: eth0, encap: {type: ila, locator: \"2001:db8:0:2\", ttl: 3}}",
         "encap of type ila has locator and checksum only", "remove the rest"},
        {"{to: 10.1.0.0/16, via: 192.0.2.1, encap: {type: mpls, labels: [5], checksum: adj-transport}}",
         "encap of type mpls has no locator and no checksum", "write type: ila"},
        {"{to: \"2001:db8:0:1::/64\", interface: eth0, encap: {type: ila, locator: \"2001:db8:0:2\"}}",
         "encap of type ila needs an IPv6 destination of 67 bits or more: a locator and the type of the identifier",
         "write to: \"2001:db8:0:1:2000::1/128\""},
        {"{to: 10.1.0.0/16, via: 192.0.2.1, track_group: edge}",
         "route 10.1.0.0/16 of instance 'web' has a track_group", "its own instance tracks it: remove track_group"},
    };
    for (const auto& one : cases)
        expect_refused(routes("[" + one.text + "]"), one.message, one.hint);
}

TEST(StaticRoutes, AreTrackedByASyncGroup) {
    const std::string group = "sync_groups: {edge: {instances: [web]}}\n";
    const auto text = instance_with("") + group +
                      "static_routes: [{to: 10.1.0.0/16, via: 192.0.2.1, track_group: edge}]\n"
                      "static_rules: [{priority: 5, family: ipv4, table: 7, track_group: edge}]\n";
    const auto config = good(text);
    EXPECT_EQ(config.static_routes.at(0).track_group, "edge");
    EXPECT_EQ(config.static_rules.at(0).track_group, "edge");
    EXPECT_EQ(config.static_rules.at(0).id().track_group, "") << "the kernel knows nothing of it";
    EXPECT_EQ(good(dump(config)).static_routes, config.static_routes);
    EXPECT_EQ(good(dump(config)).static_rules, config.static_rules);
    expect_refused(instance_with("") + group + "static_routes: [{to: 10.1.0.0/16, via: 192.0.2.1, track_group: edg}]\n",
                   "route 10.1.0.0/16 has track_group 'edg', and there is no such sync group", "did you mean 'edge'?");
    expect_refused(instance_with("") + "static_rules: [{priority: 5, family: ipv4, table: 7, track_group: edge}]\n",
                   "rule from all lookup 7 priority 5 has track_group 'edge', and there is no such sync group",
                   "describe it under 'sync_groups:'");
    expect_refused(instance_with("") + group +
                       "static_routes: [{to: 10.1.0.0/16, via: 192.0.2.1, track_group: [edge]}]\n",
                   "track_group must be the name of a sync group, not a list", "");
}

TEST(Rules, HaveTheWordsOfIpRule) {
    const auto config = good(rules("[{priority: 1000, from: 192.0.2.0/24, table: 100, suppress_prefixlength: 0},\n"
                                   "      {priority: 1001, to: 10.0.0.0/8, not: on, fwmark: 0x10/0xff, iif: eth0, oif: "
                                   "eth1, tos: 16, goto: 2000},\n"
                                   "      {priority: 1002, family: ipv6, uidrange: 1000-2000, ipproto: tcp, sport: "
                                   "1000-2000, dport: 80, type: prohibit},\n"
                                   "      {priority: 1003, family: ipv4, l3mdev: on, tun_id: 7, track: off},\n"
                                   "      {priority: 1004, family: ipv4, fwmark: 5, type: nop}]"));
    const auto& all = config.instances.at(0).rules;
    ASSERT_EQ(all.size(), 5U);
    EXPECT_EQ(to_string(all[0]), "from 192.0.2.0/24 lookup 100 suppress_prefixlength 0 priority 1000");
    EXPECT_EQ(to_string(all[1]),
              "not from all to 10.0.0.0/8 iif eth0 oif eth1 tos 0x10 fwmark 0x10/0xff goto 2000 priority 1001");
    EXPECT_EQ(to_string(all[2]),
              "from all uidrange 1000-2000 ipproto 6 sport 1000-2000 dport 80 prohibit priority 1002 (IPv6)");
    EXPECT_EQ(to_string(all[3]), "from all tun_id 7 lookup [l3mdev-table] priority 1003");
    EXPECT_EQ(to_string(all[4]), "from all fwmark 0x5/0xffffffff nop priority 1004");
    EXPECT_EQ(good(dump(config)).instances, config.instances) << dump(config);
}

TEST(Rules, SayWhatIsWrong) {
    EXPECT_EQ(
        errors(rules(
            "[{from: 192.0.2.0/24, table: 100}, {priority: 1000, from: 192.0.2.0/24}, {priority: 1000, table: 5},\n"
            "      {priority: 1000, family: ipv4, table: 5, goto: 900}, {priority: 1000, family: ipv6, from: "
            "10.0.0.0/8, table: 5},\n"
            "      {priority: 1000, family: ipv4, table: 5, fwmark: 0x10/0x1}, {priority: 1000, family: ipv4, table: "
            "5, dport: 80},\n"
            "      {priority: 1000, family: ipv4, table: 5, dport: 90-80}, {priority: 1000, family: ipv4, type: nop, "
            "suppress_ifgroup: 1}, {lookup: 5, priority: 40000}]")),
        R"(holdfast.yaml:6:13: error: a rule has no priority
    rules: [{from: 192.0.2.0/24, table: 100}, {priority: 1000, from: 192.0.2.0/24}, {priority: 1000, table: 5},
            ^
  hint: add priority: 1 to 32765
holdfast.yaml:6:58: error: the rule does nothing
    rules: [{from: 192.0.2.0/24, table: 100}, {priority: 1000, from: 192.0.2.0/24}, {priority: 1000, table: 5},
                                                         ^
  hint: add table, goto, type or l3mdev
holdfast.yaml:6:85: error: nothing says whether the rule is of IPv4 or of IPv6
    rules: [{from: 192.0.2.0/24, table: 100}, {priority: 1000, from: 192.0.2.0/24}, {priority: 1000, table: 5},
                                                                                    ^
  hint: add family: ipv4 or family: ipv6
holdfast.yaml:7:54: error: the rule has table already, and goto would be a second thing to do
      {priority: 1000, family: ipv4, table: 5, goto: 900}, {priority: 1000, family: ipv6, from: 10.0.0.0/8, table: 5},
                                                     ^
  hint: keep one of them
holdfast.yaml:7:54: error: goto 900 leads back: this rule is at 1000
      {priority: 1000, family: ipv4, table: 5, goto: 900}, {priority: 1000, family: ipv6, from: 10.0.0.0/8, table: 5},
                                                     ^
  hint: name a rule with a higher number
holdfast.yaml:7:97: error: from 10.0.0.0/8 is not ipv6, as the rule is
      {priority: 1000, family: ipv4, table: 5, goto: 900}, {priority: 1000, family: ipv6, from: 10.0.0.0/8, table: 5},
                                                                                                ^
  hint: make a rule for each family
holdfast.yaml:8:56: error: fwmark 0x10/0x1 has bits outside its mask: it could never match
      {priority: 1000, family: ipv4, table: 5, fwmark: 0x10/0x1}, {priority: 1000, family: ipv4, table: 5, dport: 80},
                                                       ^
holdfast.yaml:8:115: error: a port needs a protocol
      {priority: 1000, family: ipv4, table: 5, fwmark: 0x10/0x1}, {priority: 1000, family: ipv4, table: 5, dport: 80},
                                                                                                                  ^
  hint: add ipproto: tcp
holdfast.yaml:9:55: error: dport must be NUMBER or FIRST-LAST, 1 to 65534, not '90-80'
      {priority: 1000, family: ipv4, table: 5, dport: 90-80}, {priority: 1000, family: ipv4, type: nop, suppress_ifgroup...
                                                      ^
holdfast.yaml:9:123: error: suppress_ifgroup goes with table
...{priority: 1000, family: ipv4, type: nop, suppress_ifgroup: 1}, {lookup: 5, priority: 40000}]
                                                               ^
  hint: remove it
holdfast.yaml:9:128: error: 'lookup' is not a directive of a rule
...rity: 1000, family: ipv4, type: nop, suppress_ifgroup: 1}, {lookup: 5, priority: 40000}]
                                                               ^
  hint: write table
holdfast.yaml:9:149: error: priority must be a number from 1 to 32765, not '40000'
...pv4, type: nop, suppress_ifgroup: 1}, {lookup: 5, priority: 40000}]
                                                               ^
)");
}

TEST(Routes, AndRulesOfTheDaemonAreStatic) {
    const std::string text = "instances: {}\nstatic_routes: [{to: 10.1.0.0/16, type: unreachable}]\n"
                             "static_rules: [{priority: 1000, family: ipv6, table: 100}]\n";
    const auto config = good(text);
    EXPECT_EQ(config.static_routes.size(), 1U);
    EXPECT_EQ(config.static_rules.size(), 1U);
    EXPECT_EQ(good(dump(config)), config) << dump(config);
}

TEST(Routes, HaveOneOwner) {
    EXPECT_EQ(errors(routes("[{to: 10.1.0.0/16, via: 192.0.2.1}, {to: 10.1.0.0/16, via: 192.0.2.2}]")),
              R"(holdfast.yaml:6:49: error: route 10.1.0.0/16 is given twice
    routes: [{to: 10.1.0.0/16, via: 192.0.2.1}, {to: 10.1.0.0/16, via: 192.0.2.2}]
                                                ^
  hint: first given at holdfast.yaml:6:14; give one of them another metric or table
)");
    EXPECT_EQ(
        errors(routes("[{to: 10.1.0.0/16, via: 192.0.2.1}]") + "static_routes: [{to: 10.1.0.0/16, type: blackhole}]\n"),
        R"(holdfast.yaml:7:1: error: route 10.1.0.0/16 is one of instance 'web' already
static_routes: [{to: 10.1.0.0/16, type: blackhole}]
^
  hint: it has one owner: remove it from one
)");
}

TEST(Routes, OfAPairGoWithTheirFamily) {
    const auto config =
        good("instances:\n  web: {interface: eth0, vrid: 1, addresses: [192.0.2.10/24, \"2001:db8::1/64\"],\n"
             "    routes: [{to: 10.1.0.0/16, via: 192.0.2.1}, {to: \"2001:db8:1::/48\", interface: eth0}],\n"
             "    rules: [{priority: 5, family: ipv4, table: 7}]}\n");
    EXPECT_EQ(config.instances.at(0).routes.size(), 1U);
    EXPECT_EQ(config.instances.at(1).routes.size(), 1U);
    EXPECT_EQ(config.instances.at(0).rules.size(), 1U);
    EXPECT_TRUE(config.instances.at(1).rules.empty());
}

TEST(RouteTracker, NamesARouteAndWhatItHasToBe) {
    const auto config = good(tracker_with("route: 0.0.0.0/0, table: 100, interface: eth1, via: 192.0.2.1"));
    const auto& kind = std::get<model::RouteTracker>(config.trackers.at(0).kind);
    EXPECT_EQ(to_string(kind.route), "0.0.0.0/0");
    EXPECT_EQ(kind.table, 100U);
    EXPECT_EQ(kind.interface, "eth1");
    EXPECT_EQ(kind.via, IpAddress::v4(192, 0, 2, 1));
    EXPECT_EQ(good(dump(config)).trackers, config.trackers) << dump(config);
    EXPECT_EQ(errors(tracker_with("interface: eth0, via: 192.0.2.1")),
              R"(holdfast.yaml:3:24: error: via goes with route, not with interface
  t: {interface: eth0, via: 192.0.2.1}
                       ^
  hint: remove it
)");
    EXPECT_EQ(errors(tracker_with("route: 192.0.2.1/24")),
              R"(holdfast.yaml:3:14: error: route must be a network, without bits behind its length, not '192.0.2.1/24'
  t: {route: 192.0.2.1/24}
             ^
  hint: write 192.0.2.0/24, or 192.0.2.1/32 for the one address
)");
}

} // namespace
} // namespace holdfast::config::testing
