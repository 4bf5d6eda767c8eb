// `static_addresses:`, and the two ways in which a service that is directed and served by the same hosts may be written.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

std::string statics(const std::string& items, const std::string& more = "instances: {}\n") {
    return more + "static_addresses: " + items + "\n";
}

TEST(StaticAddresses, AreReadAndWritten) {
    const auto config = good(statics("[{address: 192.0.2.50/24, interface: eth0, label: \"eth0:x\"}, {address: "
                                     "\"2001:db8::50\", interface: lo}, {address: 10.0.0.1, interface: lo, scope: "
                                     "host}]"));
    ASSERT_EQ(config.static_addresses.size(), 3U);
    EXPECT_EQ(config.static_addresses[0].interface, "eth0");
    EXPECT_EQ(config.static_addresses[1].length, 128);
    EXPECT_EQ(config.static_addresses[2].scope, model::scope_host);
    EXPECT_EQ(good(dump(config)).static_addresses, config.static_addresses);
}

TEST(StaticAddresses, AreTrackedByASyncGroup) {
    const auto file = instance_with("") + "sync_groups: {edge: {instances: [web]}}\n";
    const std::string item = "[{address: 192.0.2.50/24, interface: eth1, track_group: ";
    const auto config = good(statics(item + "edge}]", file));
    EXPECT_EQ(config.static_addresses.at(0).track_group, "edge");
    EXPECT_EQ(good(dump(config)).static_addresses, config.static_addresses);
    expect_refused(statics(item + "edg}]", file), "there is no sync group 'edg'", "did you mean 'edge'?");
    expect_refused(statics(item + "edge}]"), "there is no sync group 'edge'", "describe it under 'sync_groups:'");
}

TEST(StaticAddresses, AreRefusedWithTheCure) {
    expect_refused(statics("192.0.2.50/24"),
                   "static_addresses must be a list of at most 10000 addresses, not '192.0.2.50/24'",
                   "write [{address: 192.0.2.10/32, interface: lo}]");
    expect_refused(statics("[192.0.2.50/24]"), "an entry of static_addresses must be a map, not '192.0.2.50/24'",
                   "write {address: 192.0.2.10/32, interface: lo}");
    expect_refused(statics("[{address: 192.0.2.50/24}]"), "an entry of static_addresses has no interface",
                   "add interface: the name of a network interface");
    expect_refused(statics("[{interface: eth0}]"), "an entry of static_addresses has no address",
                   "add address: ADDRESS/LENGTH");
    expect_refused(statics("[{address: 192.0.2.0/24, interface: eth0}]"), "192.0.2.0/24 is the network's own address",
                   "is the prefix length /24 meant?");
    expect_refused(statics("[{address: 192.0.2.50, interface: eth0, dev: eth1}]"),
                   "'dev' is not a directive of an entry of static_addresses", "write interface");
    expect_refused(statics("[{address: 192.0.2.50, interface: eth0, track: false}]"),
                   "'track' is not a directive of an entry of static_addresses", "docs/directives.md has all of them");
    expect_refused(statics("[{address: 192.0.2.50, interface: lo}, {address: 192.0.2.50, interface: lo}]"),
                   "192.0.2.50 is given twice", "first given at holdfast.yaml:2:20");
    expect_refused(statics("[{address: \"2001:db8::1\", interface: lo, scope: host}]"),
                   "scope is for ipv4 addresses, and 2001:db8::1 is ipv6", "remove it");
}

TEST(StaticAddresses, AreNoInstancesToo) {
    expect_refused(statics("[{address: 192.0.2.10/24, interface: eth0}]", instance_with("")),
                   "192.0.2.10 on eth0 is an address of instance 'web', too",
                   "keep it in one place: on the master alone, or here always");
    EXPECT_EQ(errors(statics("[{address: 192.0.2.10/32, interface: lo}]", instance_with(""))), "");
}

// ---- who directs -------------------------------------------------------------------------------------------------------

/// This node is lb1.
std::string balanced(const std::string& words,
                     const std::string& hosts = "host: lb1}, b: {address: 10.0.0.2, host: lb2",
                     const std::string& where = "address: 192.0.2.10:80") {
    return instance_with("") + "virtual_servers:\n  v: {" + where + ", protocol: tcp, forwarding: dr, " + words +
           "real_servers: {a: {address: 10.0.0.1, " + hosts + "}}}\n";
}

constexpr auto to_and_fro =
    "virtual server 'v' is directed by this node (lb1) and by another one, and both serve it: what one "
    "sends to the other is scheduled again there, and some connections hang";
constexpr auto one_at_a_time = "add while_master: INSTANCE, so that only the master directs, or guard: on";

TEST(Directors, ThatServeEachOthersPacketsAreRefused) {
    const auto said = expect_refused(balanced(""), to_and_fro, one_at_a_time);
    EXPECT_EQ(said.line, 7U);
    expect_refused(balanced("directors: [lb1, lb2], "), to_and_fro, one_at_a_time);
    expect_refused(balanced("directors: [lb1, lb9], ", "host: lb1"), to_and_fro, one_at_a_time);
}

TEST(Directors, AreFineWhereOneDirectsAtATime) {
    for (const std::string words : {"while_master: web, ", "guard: true, ", "directors: [lb1], ", "directors: [lb2], "})
        EXPECT_EQ(errors(balanced(words)), "") << words;
    EXPECT_EQ(errors(balanced("", "host: lb1")), "") << "nobody else is known to direct";
    EXPECT_EQ(errors(balanced("", "host: lb2}, b: {address: 10.0.0.3, host: lb3")), "") << "this node does not serve";
    EXPECT_EQ(errors(balanced("", "host: lb1, forwarding: nat}, b: {address: 10.0.0.2, host: lb2")), "");
}

TEST(Directors, AreNodes) {
    const auto config = good(balanced("directors: [lb2, lb3], "));
    EXPECT_EQ(config.virtual_servers.at(0).directors, (model::Words{"lb2", "lb3"}));
    EXPECT_FALSE(is_directed_by(config.virtual_servers[0], "lb1"));
    EXPECT_EQ(good(dump(config)), config);
    expect_refused(balanced("directors: lb1, "), "directors must be a list of words, not 'lb1'",
                   "write [lb1]: no shell reads it");
    EXPECT_NE(errors(balanced("directors: [\"l b\"], ")), "");
    EXPECT_EQ(errors(balanced("directors: [lb2], while_master: elsewhere, ")), "")
        << "an instance that this node does not have";
}

TEST(Guard, GivesItsServicesMarksThatAreTheSameOnEveryNode) {
    const auto text =
        "instances: {a: {interface: eth0, vrid: 1, addresses: [192.0.2.10/24]}, b: {interface: eth0, vrid: 2, "
        "addresses: [192.0.2.11/24]}}\nvirtual_servers:\n  v: {addresses: [192.0.2.11:80, 192.0.2.10:80], protocol: "
        "tcp, forwarding: dr, guard: true, real_servers: {a: {address: 10.0.0.1, host: lb1}, b: {address: "
        "10.0.0.2, host: lb2}}}\n";
    const auto config = good(text);
    const auto& services = config.virtual_servers.at(0).services;
    ASSERT_EQ(services.size(), 2U);
    EXPECT_EQ(services[0].mark, 0x48460000U);
    EXPECT_EQ(services[0].address, IpAddress::v4(192, 0, 2, 10));
    EXPECT_EQ(services[1].mark, 0x48460001U);
    EXPECT_EQ(services[1].port, 80);
    EXPECT_EQ(good(dump(config)).virtual_servers, config.virtual_servers);
    auto other = request(text);
    other.node_name = "lb2";
    EXPECT_EQ(good(other).virtual_servers, config.virtual_servers);
}

TEST(Guard, IsRefusedWhereItGuardsNothing) {
    EXPECT_EQ(errors(balanced("guard: true, while_master: web, ")), "") << "it outlives the daemon of a former master";
    expect_refused(balanced("guard: true, ", "host: lb1", "mark: 7"),
                   "virtual server 'v' has guard and mark: the guard marks packets by itself",
                   "give its addresses, or remove guard");
    expect_refused(balanced("guard: true, ", "host: lb1, forwarding: nat"),
                   "virtual server 'v' has guard, and forwarding: nat: no packet comes back as it went",
                   "remove guard");
    expect_refused(balanced("guard: true, ", "host: lb1", "address: 192.0.2.99:80"),
                   "virtual server 'v' has guard, and 192.0.2.99 is no address of an instance",
                   "the guard follows the master: add the address to an instance");
    expect_refused(balanced("guard: [1], "), "guard must be true or false (on, off, yes, no), not a list", "");
}

TEST(RoleAtStop, IsKeepOrEnd) {
    EXPECT_EQ(good("instances: {}\n").ipvs.role_at_stop, model::AtStop::keep);
    const auto config = good("instances: {}\nipvs: {role_at_stop: end}\n");
    EXPECT_EQ(config.ipvs.role_at_stop, model::AtStop::end);
    EXPECT_EQ(good(dump(config)).ipvs, config.ipvs);
    expect_refused("instances: {}\nipvs: {role_at_stop: stay}\n", "role_at_stop must be keep or end, not 'stay'", "");
}

} // namespace
} // namespace holdfast::config::testing
