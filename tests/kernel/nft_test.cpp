// What nft(8) is told, byte by byte: one transaction that replaces one table.

#include "kernel/nft.hpp"

#include <gtest/gtest.h>

namespace holdfast::kernel {
namespace {

TEST(FilterTable, WithoutAddressesIsOnlyRemoved) {
    EXPECT_EQ(filter_table({}), R"({"nftables":[{"add":{"table":{"family":"inet","name":"holdfast"}}},)"
                                R"({"delete":{"table":{"family":"inet","name":"holdfast"}}}]})");
}

TEST(FilterTable, DropsWhatComesToTheAddressesButNotNeighborDiscovery) {
    EXPECT_EQ(
        filter_table({IpAddress::v4(192, 0, 2, 1), IpAddress::v4(192, 0, 2, 2)}),
        R"({"nftables":[{"add":{"table":{"family":"inet","name":"holdfast"}}},)"
        R"({"delete":{"table":{"family":"inet","name":"holdfast"}}},)"
        R"({"add":{"table":{"family":"inet","name":"holdfast"}}},)"
        R"({"add":{"set":{"family":"inet","table":"holdfast","name":"refused4","type":"ipv4_addr","elem":["192.0.2.1","192.0.2.2"]}}},)"
        R"({"add":{"set":{"family":"inet","table":"holdfast","name":"refused6","type":"ipv6_addr"}}},)"
        R"({"add":{"chain":{"family":"inet","table":"holdfast","name":"input","type":"filter","hook":"input","prio":-1,"policy":"accept"}}},)"
        R"({"add":{"rule":{"family":"inet","table":"holdfast","chain":"input","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"icmpv6","field":"type"}},"right":{"set":["nd-neighbor-solicit","nd-neighbor-advert"]}}},{"accept":null}]}}},)"
        R"({"add":{"rule":{"family":"inet","table":"holdfast","chain":"input","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"@refused4"}},{"drop":null}]}}},)"
        R"({"add":{"rule":{"family":"inet","table":"holdfast","chain":"input","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"daddr"}},"right":"@refused6"}},{"drop":null}]}}}]})");
}

engine::Guard guard() {
    engine::Guard result;
    result.vrids = {Vrid{51}, Vrid{52}};
    result.peers = {IpAddress::v4(10, 0, 0, 2)};
    result.services = {{0x48460000, model::Protocol::tcp, IpAddress::v4(192, 0, 2, 10), 80}};
    return result;
}

constexpr std::string_view rules =
    R"({"flush":{"chain":{"family":"inet","table":"holdfast-guard","name":"mark"}}},)"
    R"({"add":{"rule":{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{"match":{"op":"!=","left":{"meta":{"key":"iiftype"}},"right":"ether"}},{"accept":null}]}}},)"
    R"({"add":{"rule":{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"protocol"}},"right":112}},{"match":{"op":"==","left":{"payload":{"base":"nh","offset":168,"len":8}},"right":{"set":[51,52]}}},{"set":{"op":"update","elem":{"payload":{"protocol":"ether","field":"saddr"}},"set":"@directors"}}]}}},)"
    R"({"add":{"rule":{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"nexthdr"}},"right":112}},{"match":{"op":"==","left":{"payload":{"base":"nh","offset":328,"len":8}},"right":{"set":[51,52]}}},{"set":{"op":"update","elem":{"payload":{"protocol":"ether","field":"saddr"}},"set":"@directors"}}]}}},)"
    R"({"add":{"rule":{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"set":["10.0.0.2"]}}},{"set":{"op":"update","elem":{"payload":{"protocol":"ether","field":"saddr"}},"set":"@directors"}}]}}},)"
    R"({"add":{"rule":{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ether","field":"saddr"}},"right":"@directors"}},{"accept":null}]}}},)"
    R"({"add":{"rule":{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"192.0.2.10"}},{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}},{"mangle":{"key":{"meta":{"key":"mark"}},"value":1212547072}}]}}})";

TEST(GuardTable, IsOnlyRemovedWithoutAGuard) {
    constexpr auto removed = R"({"nftables":[{"add":{"table":{"family":"inet","name":"holdfast-guard"}}},)"
                             R"({"delete":{"table":{"family":"inet","name":"holdfast-guard"}}}]})";
    EXPECT_EQ(guard_table({}, false), removed);
    EXPECT_EQ(guard_table({}, true), removed);
}

TEST(GuardTable, KeepsWhatItHasLearntWhenOnlyItsRulesChange) {
    EXPECT_EQ(guard_table(guard(), true), "{\"nftables\":[" + std::string{rules} + "]}");
}

TEST(GuardTable, LearnsOfDirectorsBeforeItMarks) {
    EXPECT_EQ(
        guard_table(guard(), false),
        R"({"nftables":[{"add":{"table":{"family":"inet","name":"holdfast-guard"}}},)"
        R"({"delete":{"table":{"family":"inet","name":"holdfast-guard"}}},)"
        R"({"add":{"table":{"family":"inet","name":"holdfast-guard"}}},)"
        R"({"add":{"set":{"family":"inet","table":"holdfast-guard","name":"directors","type":"ether_addr","flags":["timeout"],"timeout":3600,"size":1024}}},)"
        R"({"add":{"chain":{"family":"inet","table":"holdfast-guard","name":"mark","type":"filter","hook":"prerouting","prio":-150,"policy":"accept"}}},)" +
            std::string{rules} + "]}");
}

} // namespace
} // namespace holdfast::kernel
