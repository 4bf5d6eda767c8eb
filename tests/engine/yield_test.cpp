// A host that directs and serves, and hears a higher master: its table must not outlive its claim, or the two hosts send each
// other's packets to and fro (decision 0021). A host that only directs keeps it until its addresses have gone: who comes before
// that would be refused.

#include "servers_node.hpp"

namespace holdfast::engine::testing {
namespace {

constexpr LinkIndex eth0{2};
const auto peer = IpAddress::v4(192, 0, 2, 202);
const auto vip = *parse_prefix("192.0.2.10/24");

/// lb1 is master of `web`, with its address and its table.
Node master_of_web(const std::string& lb1_is) {
    Node node;
    auto& instance = node.config_.instances.emplace_back();
    instance.name = "web";
    instance.interface = "eth0";
    instance.vrid = Vrid{51};
    instance.addresses = {vip};
    auto here = real("s1", 1, false), there = real("s2", 1, false);
    here.host = lb1_is;
    here.forwarding.method = there.forwarding.method = model::Forwarding::Method::dr;
    auto& server = node.add("http", {here, there});
    server.while_master = "web";
    node.load();
    node.deliver(KernelListed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                              .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}});
    node.deliver(ListenDone{eth0, Family::ipv4, 0});
    node.run(5s); // before the kernel is listed again, which this Node knows nothing of
    node.deliver(AddressChanged{{.link = eth0, .prefix = vip, .ours = true}});
    return node;
}

void hear_a_higher_one(Node& node) {
    wire::Advert advert{.vrid = Vrid{51}, .priority = Priority{200}, .interval = 1s, .addresses = {vip.address}};
    node.deliver(AdvertReceived{eth0, peer, IpAddress::v4(224, 0, 0, 18), std::move(advert)});
    node.run(1ms);
}

TEST(Yielding, TheTableOfAHostThatServesTooGoesWithTheClaim) {
    auto node = master_of_web("lb1");
    ASSERT_EQ(node.table.size(), 1U);
    hear_a_higher_one(node);
    EXPECT_TRUE(node.table.empty());
}

TEST(Yielding, TheTableOfAHostThatOnlyDirectsGoesBehindItsAddresses) {
    auto node = master_of_web("");
    ASSERT_EQ(node.table.size(), 1U);
    hear_a_higher_one(node);
    EXPECT_EQ(node.table.size(), 1U);
    node.deliver(AddressRemoved{eth0, vip});
    node.run(1ms);
    EXPECT_TRUE(node.table.empty());
}

} // namespace
} // namespace holdfast::engine::testing
