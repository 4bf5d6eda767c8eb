// A daemon that is back finds the table of the one before it, whatever it hears of first: what is to be adopted stays in it.

#include "web_node.hpp"

namespace holdfast::engine::testing {
namespace {

constexpr BootTime dead_at{1000s};

Node director(const std::string& lb1_is) {
    auto node = follower(lb1_is);
    node.lists_kernel = false;
    return node;
}

class Restart : public ::testing::TestWithParam<const char*> {
  protected:
    /// What a master leaves when it is killed: its table, and its record.
    void SetUp() override {
        before_.load();
        start_on(before_);
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

    Node before_{director(GetParam())}, after_{director(GetParam())};
    Record record_;
};

TEST_P(Restart, TheTableIsReadBeforeTheKernelsAddresses) {
    after_.load();
    after_.run(100ms);
    EXPECT_EQ(after_.lists, 1);
    start_on(after_, true);
    after_.run(100ms);
    EXPECT_TRUE(after_.steps.empty()) << after_.steps.front();
    EXPECT_EQ(after_.shown(), before_.shown());
}

TEST_P(Restart, TheTableIsReadBehindTheKernelsAddresses) {
    after_.answers = false;
    after_.load();
    start_on(after_, true);
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
    after_.deliver(kernel_of_web(true));
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
