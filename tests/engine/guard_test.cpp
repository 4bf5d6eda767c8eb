// Of two directors that serve too, each marks what clients send to the address that it holds, but not before its packet filter
// knows the other one: what both have scheduled runs in circles.

#include "web_node.hpp"

namespace holdfast::engine::testing {
namespace {

class Guarded : public ::testing::Test {
  protected:
    void SetUp() override {
        node.lists_kernel = false;
        add_web(node).advert_interval = 1s;
        auto here = real("s1", 1, false), there = real("s2", 1, false);
        here.host = "lb1";
        there.host = "lb2";
        here.forwarding.method = there.forwarding.method = model::Forwarding::Method::dr;
        auto& server = node.add("http", {here, there});
        server.guard = true;
        server.services.front().address = vip.address;
        server.services.front().mark = 7;
        node.load();
        start_on(node);
    }
    /// What was asked of the packet filter and not answered yet.
    std::optional<SetFilter> asked() { return std::exchange(node.filter, std::nullopt); }
    void answer(bool is_new = false) {
        const auto wish = asked();
        ASSERT_TRUE(wish);
        in_force = wish->guard;
        node.deliver(FilterDone{wish->id, "", is_new});
    }
    void hear(Priority priority) {
        node.deliver(AdvertReceived{
            .link = eth0,
            .source = IpAddress::v4(192, 0, 2, 202),
            .destination = IpAddress::v4(224, 0, 0, 18),

            .advert = {
                .version = 3, .vrid = Vrid{51}, .priority = priority, .interval = 1s, .addresses = {vip.address}}});
    }
    bool marks() {
        if (node.filter) answer();
        return !in_force.services.empty();
    }

    Node node;
    Guard in_force;
};

TEST_F(Guarded, LearnsWhoElseDirectsBeforeItMarks) {
    answer();
    EXPECT_EQ(in_force.vrids, std::vector{Vrid{51}});
    node.run(100ms);
    hear(Priority{50});
    node.run(5s);
    EXPECT_TRUE(marks()) << "it became master behind an advert that the table has seen";
}

TEST_F(Guarded, TheServiceIsInTheTableOfWhoHoldsItsAddressAlone) {
    node.run(100ms);
    EXPECT_EQ(node.shown(), "");
    EXPECT_EQ(node.state("http"), "standby");
    node.run(5s);
    EXPECT_EQ(node.table.size(), 1U);
    EXPECT_EQ(node.state("http"), "serving");
    hear(Priority{250}); // it yields
    node.run(100ms);
    EXPECT_EQ(node.shown(), "") << "what it remembers of its connections goes with the service";
}

TEST_F(Guarded, AMasterWhoseTableIsNewWaitsForAnAdvert) {
    node.run(5s); // master before the packet filter has answered
    answer();
    EXPECT_FALSE(marks());
    node.run(500ms);
    EXPECT_FALSE(marks());
    hear(Priority{50});
    EXPECT_TRUE(marks());
}

TEST_F(Guarded, WaitsNoLongerThanADeadOneWouldTake) {
    node.run(5s);
    answer();
    node.run(3s);
    EXPECT_FALSE(marks());
    node.run(1s);
    EXPECT_TRUE(marks()) << "3 intervals and the skew are over: nobody else directs";
}

TEST_F(Guarded, ATableThatSomebodyTookAwayHasForgottenEverybody) {
    node.run(5s);
    answer();
    node.run(1ms);
    hear(Priority{50});
    ASSERT_TRUE(marks());
    node.config_.virtual_servers[0].real_servers[1].address = IpAddress::v4(10, 0, 0, 9); // another peer: another table
    node.load();
    answer(true);
    EXPECT_FALSE(marks());
    node.run(4s);
    EXPECT_TRUE(marks());
}

} // namespace
} // namespace holdfast::engine::testing
