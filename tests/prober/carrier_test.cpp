// The carrier as a driver sees it. Every driver of a virtual link says what the kernel says, so the ones that differ, that hang
// and that fail are made up here; the real ioctl is asked for the loopback link.
#include "prober/carrier.hpp"

#include <condition_variable>
#include <gtest/gtest.h>
#include <mutex>
#include <poll.h>
#include <vector>

namespace holdfast::prober {
namespace {

class Drivers : public testing::Test {
  protected:
    /// The answers so far, when there are `count` of them or nothing came for two seconds.
    const std::vector<std::string>& after(std::size_t count) {
        while (heard.size() < count) {
            pollfd wait{probes.fd(), POLLIN, 0};
            if (::poll(&wait, 1, 2000) != 1) break;
            probes.on_readable();
        }
        return heard;
    }
    Outcome ask(const std::string& interface) {
        if (interface == "hangs0") {
            std::unique_lock lock{mutex};
            released.wait(lock, [&] { return is_released; });
        }
        return {.ok = interface != "dark0", .detail = interface};
    }
    void release() {
        const std::lock_guard lock{mutex};
        is_released = true;
        released.notify_all();
    }
    void TearDown() override { release(); }

    std::mutex mutex;
    std::condition_variable released;
    bool is_released{false};
    std::vector<std::string> heard;
    CarrierProbes probes{[this](ipc::WatchId id, const Outcome& outcome) {
                             heard.push_back(std::to_string(id.value) + (outcome.ok ? " up " : " down ") +
                                             outcome.detail);
                         },
                         [this](const std::string& interface) { return ask(interface); }};
};

TEST_F(Drivers, AreAskedOneAfterTheOther) {
    probes.start(ipc::WatchId{1}, "eth0");
    probes.start(ipc::WatchId{2}, "dark0");
    EXPECT_TRUE(probes.busy(ipc::WatchId{2}));
    EXPECT_EQ(after(2), (std::vector<std::string>{"1 up eth0", "2 down dark0"}));
    EXPECT_FALSE(probes.busy(ipc::WatchId{2}));
}

TEST_F(Drivers, ThatHangHoldUpNobodyWhoAsks) {
    probes.start(ipc::WatchId{1}, "hangs0");
    probes.start(ipc::WatchId{2}, "eth0");
    EXPECT_TRUE(after(0).empty());
    probes.cancel(ipc::WatchId{1});
    release();
    EXPECT_EQ(after(1), (std::vector<std::string>{"2 up eth0"})) << "nobody waits for the other answer any more";
}

TEST(Driver, OfARealLinkIsAsked) {
    const auto loopback = ask_driver("lo");
    EXPECT_TRUE(loopback.ok) << loopback.detail;
    EXPECT_EQ(loopback.detail, "its driver sees a carrier");
    const auto missing = ask_driver("no-such-link");
    EXPECT_TRUE(missing.our_fault);
    EXPECT_EQ(missing.detail, "the driver can't be asked: No such device");
}

} // namespace
} // namespace holdfast::prober
