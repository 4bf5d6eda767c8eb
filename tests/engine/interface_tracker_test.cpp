// A tracker of a link whose driver is asked too (`poll`): both the kernel and the driver have to see a carrier.

#include "engine/engine.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

class InterfaceTracker : public testing::Test {
  protected:
    Actions give(const Event& event) {
        Actions actions;
        engine.on(event, now, actions);
        return actions;
    }
    void driver_says(Observation observation, const std::string& detail) {
        give(TrackerObserved{.tracker = "uplink", .observation = observation, .detail = detail});
    }
    void link_is(bool up) { give(LinkChanged{{.index = LinkIndex{3}, .name = "eth1", .up = up}}); }
    TrackerView shown() { return *engine.snapshot()->trackers.front(); }
    std::shared_ptr<const model::Config> with_poll(Duration poll) {
        auto config = std::make_shared<model::Config>();
        config->trackers.push_back(
            {.name = "uplink", .kind = model::InterfaceTracker{.interface = "eth1", .poll = poll}});
        return config;
    }
    void SetUp() override {
        started = give(ConfigLoaded{with_poll(1s)});
        give(KernelListed{.links = {{.index = LinkIndex{3}, .name = "eth1", .up = true}}, .addresses = {}});
    }

    Engine engine;
    Time now{1h};
    Actions started;
};

TEST_F(InterfaceTracker, IsDownWhenItsDriverSeesNoCarrierThoughTheKernelDoes) {
    EXPECT_EQ(shown().verdict, Verdict::up) << "the kernel's word, until the driver has answered";
    driver_says(Observation::down, "its driver sees no carrier");
    EXPECT_EQ(shown().verdict, Verdict::down);
    EXPECT_EQ(shown().detail, "its driver sees no carrier");
    driver_says(Observation::up, "its driver sees a carrier");
    EXPECT_EQ(shown().verdict, Verdict::up);
    EXPECT_EQ(shown().detail, "up; its driver sees a carrier");
}

TEST_F(InterfaceTracker, IsDownWhenTheKernelSeesNoCarrierWhateverItsDriverSays) {
    driver_says(Observation::up, "its driver sees a carrier");
    link_is(false);
    EXPECT_EQ(shown().verdict, Verdict::down);
    driver_says(Observation::up, "its driver sees a carrier");
    EXPECT_EQ(shown().verdict, Verdict::down);
    EXPECT_EQ(shown().detail, "down or without carrier");
    link_is(true);
    EXPECT_EQ(shown().verdict, Verdict::up);
}

TEST_F(InterfaceTracker, TakesTheKernelsWordWhenItsDriverCannotBeAsked) {
    driver_says(Observation::down, "its driver sees no carrier");
    driver_says(Observation::unknown, "the driver can't be asked: Operation not supported");
    EXPECT_EQ(shown().verdict, Verdict::up);
    EXPECT_EQ(shown().detail, "up; the driver can't be asked: Operation not supported");
}

TEST_F(InterfaceTracker, IsWatchedOutsideOnlyWhileItPolls) {
    const auto has = [](const Actions& actions, auto type) {
        return std::ranges::any_of(actions,
                                   [](const auto& each) { return std::holds_alternative<decltype(type)>(each); });
    };
    EXPECT_TRUE(has(started, StartTracker{}));
    driver_says(Observation::down, "its driver sees no carrier");
    const auto without = give(ConfigLoaded{with_poll(0s)});
    EXPECT_TRUE(has(without, StopTracker{}));
    EXPECT_FALSE(has(without, StartTracker{}));
    EXPECT_EQ(shown().verdict, Verdict::up) << "what its driver said is forgotten";
}

} // namespace
} // namespace holdfast::engine
