#include "config/dump.hpp"

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

TEST(Dump, WritesEveryValueOut) {
    EXPECT_EQ(dump(good(R"(
instances:
  web: {interface: eth0, vrid: 51, addresses: [2001:db8::10/64, 192.0.2.10/24], track: [p, {tracker: q, weight: 5}]}
trackers:
  q: {http: "http://localhost/"}
  p: {process: nginx, interval: 1500ms}
)")),
              R"(node_name: lb1
instances:
  web:
    interface: eth0
    vrid: 51
    version: 3
    priority: 100
    advert_interval: 1s
    preempt: true
    preempt_delay: 0s
    prompt: true
    accept: true
    track_link: true
    startup_delay: 0s
    boot_delay: 0s
    handover_timeout: 3s
    announce_refresh: 30s
    announce_refresh_repeat: 1
    announce_delay: 0s
    announce_repeat: 1
    announce_lower_delay: 0s
    announce_lower_repeat: 1
    announce_interval: 0s
    announce_other_links: 0s
    lease: auto
    down_adverts: 3
    checksum: pseudo_header
    multicast_group4: "224.0.0.18"
    multicast_group6: "ff02::12"
    addresses: ["192.0.2.10/24", "2001:db8::10/64"]
    track: [p, {tracker: q, weight: 5}]
trackers:
  p:
    process: nginx
    quorum: 1
    match: exact
    fork_delay: 0s
    terminate_delay: 0s
    interval: 1.5s
    timeout: 1.5s
    rise: 1
    fall: 1
    init_fail: false
  q:
    http: "http://localhost/"
    interval: 1s
    timeout: 1s
    rise: 1
    fall: 1
    init_fail: false
)");
    EXPECT_EQ(dump(good("instances: {}\n")), "node_name: lb1\ninstances: {}\n");
}

TEST(Dump, IsReadBackToTheSameConfig) {
    const std::string texts[]{
        "instances: {}\n",
        instance_with("    priority: 255\n    preempt: off\n    prompt: off\n    accept: off\n    lease: off\n    "
                      "preempt_delay: 1.25s\n"
                      "    advert_interval: 40.95s\n    startup_delay: 90s\n    track_link: off\n    boot_delay: "
                      "2min\n    handover_timeout: 0s\n    "
                      "announce_refresh: 90min\n"),
        instance_with(
            "    announce_delay: 5s\n    announce_repeat: 5\n    announce_refresh_repeat: 255\n    "
            "announce_lower_delay: 1s\n    announce_lower_repeat: 2\n    announce_interval: 1us\n    "
            "announce_other_links: all 1d\nannounce_groups:\n  b: {interfaces: [\"1\", eth1], interval: 5ms}\n"
            "  a: {interfaces: [eth0], interval: 1min}\n"),
        instance_with("    version: 2\n    authentication: {type: pass, password: \"a\\\"\\\\ '#:\"}\n"),
        instance_with("    version: 2\n    authentication: {type: pass, password: \"null\"}\n"),
        instance_with("    unicast: {peers: [10.0.0.1, {address: 10.0.0.2, min_ttl: 250}], ttl: 9}\n"
                      "    source: 10.0.0.1\n    checksum: message\n    down_adverts: 5\n"),
        instance_with("    track: [t]\ntrackers: {t: {process: nginx}, u: {unit: a.service}}\n"
                      "sync_groups: {edge: {instances: [web], track: [u]}}\n"),
        instance_with("    version: 2\n    authentication: {type: pass, password: gr\xc3\xbcn}\n"),
        "node_name: \"null\"\ninstances:\n  \"null\": {interface: \"~\", vrid: 1, addresses: [192.0.2.1]}\n"
        "  \"1\": {interface: \"true\", vrid: 2, addresses: [192.0.2.2], track: [\"on\", \"-\"]}\n"
        "  \"-\": {interface: \"#x\", vrid: 3, addresses: [\"fe80::1/64\"]}\n"
        "trackers:\n  \"on\": {process: \"a: b\"}\n  \"-\": {process: \"\xc3\xbc [x]\", quorum: 7}\n",
    };
    for (const auto& text : texts) {
        const auto config = good(text);
        auto again = request(dump(config));
        again.node_name = "someone-else";
        EXPECT_EQ(good(again), config) << dump(config);
        EXPECT_EQ(dump(good(again)), dump(config));
    }
}

TEST(Hash, DependsOnMeaningAndNotOnForm) {
    const auto one =
        good("instances: {web: {interface: eth0, vrid: 1, priority: {lb1: 5, lb2: 6}, addresses: [192.0.2.1/32]}}\n");
    const auto same =
        good("# other words\ndefaults: {interface: eth0}\ninstances:\n  web:\n    addresses: [192.0.2.1]\n    vrid: 1\n"
             "    priority: 5\n    advert_interval: 1000ms\n");
    const auto other = good("instances: {web: {interface: eth0, vrid: 1, priority: 6, addresses: [192.0.2.1/32]}}\n");
    EXPECT_EQ(hash(one), hash(same));
    EXPECT_NE(hash(one), hash(other));
}

TEST(Hash, IsFnv1aAndDoesNotChangeBetweenReleases) {
    Hash empty;
    EXPECT_EQ(empty.value(), 0xcbf29ce484222325U);
    Hash parts;
    parts.add("foo");
    parts.add("bar");
    EXPECT_EQ(parts.value(), 0x85944171f73967e8U);
}

} // namespace
} // namespace holdfast::config::testing
