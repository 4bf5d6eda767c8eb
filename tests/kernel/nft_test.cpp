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

} // namespace
} // namespace holdfast::kernel
