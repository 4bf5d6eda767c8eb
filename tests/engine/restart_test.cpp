// A daemon that is back finds the table of the one before it, whatever it hears of first: what is to be adopted stays in it.

#include "servers_node.hpp"

namespace holdfast::engine::testing {
namespace {

constexpr LinkIndex eth0{2};
constexpr BootTime dead_at{1000s};
const auto vip = *parse_prefix("192.0.2.10/24");

/// `web` on lb1, and a virtual server that follows it; lb1_is: the real server that is this host itself, if any.
Node follower(const std::string& lb1_is) {
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
    node.lists_kernel = false;
    return node;
}
void list_kernel(Node& node, bool has_address) {
    KernelListed listed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                        .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}};
    if (has_address) listed.addresses.push_back({.link = eth0, .prefix = vip, .ours = true});
    node.deliver(listed);
    node.deliver(ListenDone{eth0, Family::ipv4, 0});
}

class Restart : public ::testing::TestWithParam<const char*> {
  protected:
    /// What a master leaves when it is killed: its table, and its record.
    void SetUp() override {
        before_.load();
        list_kernel(before_, false);
        before_.run(5s);
        before_.deliver(AddressChanged{{.link = eth0, .prefix = vip, .ours = true}});
        before_.run(1s);
        record_ = before_.engine.record();
        ASSERT_EQ(before_.table.size(), 1U);
        ASSERT_TRUE(record_.routers.at(0).master);
        record_.routers.at(0).last_advert = dead_at;
        after_.table = before_.table;
        after_.deliver(Recovered{record_, dead_at + 100ms});
    }

    Node before_{follower(GetParam())}, after_{follower(GetParam())};
    Record record_;
};

TEST_P(Restart, TheTableIsReadBeforeTheKernelsAddresses) {
    after_.load();
    after_.run(100ms);
    EXPECT_EQ(after_.lists, 1);
    list_kernel(after_, true);
    after_.run(100ms);
    EXPECT_TRUE(after_.steps.empty()) << after_.steps.front();
    EXPECT_EQ(after_.shown(), before_.shown());
}

TEST_P(Restart, TheTableIsReadBehindTheKernelsAddresses) {
    after_.answers = false;
    after_.load();
    list_kernel(after_, true);
    after_.run(100ms);
    ASSERT_TRUE(after_.held);
    after_.answers = true;
    after_.deliver(*std::exchange(after_.held, std::nullopt));
    after_.run(100ms);
    EXPECT_TRUE(after_.steps.empty()) << after_.steps.front();
    EXPECT_EQ(after_.shown(), before_.shown());
}

/// Nobody may hear adverts for a moment: the address is there, and so is the table.
TEST_P(Restart, TheTableStaysWhileTheAdoptionIsUndecided) {
    after_.load();
    after_.deliver(KernelListed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                                .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")},
                                              {.link = eth0, .prefix = vip, .ours = true}}});
    after_.run(200ms);
    EXPECT_TRUE(after_.steps.empty()) << after_.steps.front();
    after_.deliver(ListenDone{eth0, Family::ipv4, 0});
    after_.run(100ms);
    EXPECT_TRUE(after_.steps.empty()) << after_.steps.front();
}

INSTANTIATE_TEST_SUITE_P(Of, Restart, ::testing::Values("", "lb1"),
                         [](const auto& each) { return *each.param == 0 ? "ADirector" : "ADirectorThatServesToo"; });

} // namespace
} // namespace holdfast::engine::testing
