// A director that is its own real server has to know it (decision 0021): where the file does not say so, the view and the journal do.

#include "web_node.hpp"

namespace holdfast::engine::testing {
namespace {

AddressChanged own(const char* prefix) {
    return {{.link = eth0, .prefix = *parse_prefix(prefix)}};
}

class UnnamedHost : public ::testing::Test {
  protected:
    void start() {
        node_.lists_kernel = false;
        node_.load();
        start_on(node_);
    }
    std::string warning() { return node_.view("http").warning; }
    model::RealServer& first() { return node_.config_.virtual_servers.front().real_servers.front(); }

    Node node_{follower("")};
};

TEST_F(UnnamedHost, IsToldWhenItsAddressComesAndForgottenWhenItGoes) {
    start();
    EXPECT_EQ(warning(), "");
    node_.deliver(own("10.0.0.1/24"));
    EXPECT_EQ(warning(),
              "real server 's1' is this host (10.0.0.1), and the file does not say so: two directors may send "
              "its connections to and fro; add host: lb1 to it");
    EXPECT_EQ(std::ranges::count(node_.notes, "http: " + warning()), 1);
    node_.deliver(AddressRemoved{eth0, *parse_prefix("10.0.0.1/24")});
    EXPECT_EQ(warning(), "");
}

TEST_F(UnnamedHost, IsNoneWithItsName) {
    first().host = "lb1";
    start();
    node_.deliver(own("10.0.0.1/24"));
    EXPECT_EQ(warning(), "");
}

TEST_F(UnnamedHost, IsNoneWhoseAnswersComeBackThroughTheDirector) {
    first().forwarding.method = model::Forwarding::Method::nat;
    start();
    node_.deliver(own("10.0.0.1/24"));
    EXPECT_EQ(warning(), "");
}

TEST_F(UnnamedHost, IsNoneOnAHostThatDirectsAlone) {
    node_.config_.virtual_servers.front().while_master.clear();
    node_.config_.virtual_servers.front().services = {service(77)};
    start();
    node_.deliver(own("10.0.0.1/24"));
    EXPECT_EQ(warning(), "");
}

TEST_F(UnnamedHost, IsGoneWhenAReloadNamesIt) {
    start();
    node_.deliver(own("10.0.0.1/24"));
    ASSERT_NE(warning(), "");
    first().host = "lb1";
    node_.load();
    EXPECT_EQ(warning(), "");
}

} // namespace
} // namespace holdfast::engine::testing
