// What the next process, or whoever clears up, finds in the record: it has to name what may be in the kernel at any moment of a
// kill, and it is written when a state changes, before the kernel has answered.

#include "web_node.hpp"

namespace holdfast::engine::testing {
namespace {

Node backup_of_web() {
    Node node;
    add_web(node);
    node.load();
    start_on(node);
    return node;
}

std::vector<Prefix> recorded(Node& node) {
    auto record = node.engine.record();
    EXPECT_EQ(record.routers.size(), 1U);
    return record.routers.empty() ? std::vector<Prefix>{} : record.routers.front().addresses;
}

TEST(Recorded, ABackupHasNoAddress) {
    auto node = backup_of_web();
    EXPECT_TRUE(recorded(node).empty());
}

TEST(Recorded, OfATakeoverNamesTheAddressBeforeTheKernelHasIt) {
    auto node = backup_of_web();
    node.run(5s);
    EXPECT_EQ(recorded(node), std::vector{vip});
}

TEST(Recorded, OfAStopNamesTheAddressUntilTheKernelHasRemovedIt) {
    auto node = backup_of_web();
    node.run(5s);
    node.deliver(AddressChanged{{.link = eth0, .prefix = vip, .ours = true}});
    node.deliver(StopRequested{});
    EXPECT_EQ(recorded(node), std::vector{vip});
}

} // namespace
} // namespace holdfast::engine::testing
