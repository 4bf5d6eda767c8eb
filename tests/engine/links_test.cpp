// The interface of a virtual MAC address is set up step by step, each as soon as the kernel has told of the one before.

#include "web_node.hpp"

namespace holdfast::engine::testing {
namespace {

constexpr LinkIndex vrrp51{7};
const MacAddress mac{{0, 0, 0x5e, 0, 1, 51}};

class VirtualMac : public ::testing::Test {
  protected:
    void SetUp() override {
        add_web(node_).virtual_mac = model::VirtualMac{};
        node_.load();
        start_on(node_);
        ASSERT_TRUE(asks_for<AddLink>());
    }
    template <typename Body>
    bool asks_for() const {
        return !node_.operations.empty() && std::holds_alternative<Body>(node_.operations.back().what);
    }
    void answer() { node_.deliver(OperationDone{node_.operations.back().id, 0}); }
    void tell_of_it() {
        node_.deliver(LinkChanged{{.index = vrrp51, .name = "vrrp.51", .mac = mac, .ours = true, .parent = eth0}});
    }

    Node node_;
};

TEST_F(VirtualMac, TheNewsComesBeforeTheAnswer) {
    tell_of_it();
    answer();
    EXPECT_TRUE(asks_for<ConfigureLink>());
}

/// Under load the socket of news is read behind the one of answers. A second was lost then, and with it the election.
TEST_F(VirtualMac, TheNewsComesBehindTheAnswer) {
    answer();
    EXPECT_TRUE(asks_for<AddLink>()) << "not asked for twice";
    EXPECT_EQ(node_.operations.size(), 1U);
    tell_of_it();
    EXPECT_TRUE(asks_for<ConfigureLink>());
}

} // namespace
} // namespace holdfast::engine::testing
