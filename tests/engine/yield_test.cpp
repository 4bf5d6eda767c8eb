// A host that directs and serves, and hears a higher master: its table must not outlive its claim, or the two hosts send each
// other's packets to and fro (decision 0021). A host that only directs keeps it until its addresses have gone: who comes before
// that would be refused.

#include "web_node.hpp"

namespace holdfast::engine::testing {
namespace {

const auto peer = IpAddress::v4(192, 0, 2, 202);

/// lb1 is master of `web`, with its address and its table.
Node master_of_web(const std::string& lb1_is) {
    auto node = follower(lb1_is);
    node.load();
    start_on(node);
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
