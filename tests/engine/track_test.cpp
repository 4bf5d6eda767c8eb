// What trackers decide: the weight algebra row by row, files, delays, one restart of a unit.
#include "engine/track.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

const Time now{100s};

struct Row {
    std::optional<int> weight;
    bool reverse;
    int up, down, unseen;
    bool fault_up, fault_down;
};

TEST(Weights, EveryRowOfTheAlgebra) { // keepalived.md 3.7
    const Row rows[] = {
        {20, false, 20, 0, 20, false, false},        {-20, false, 0, -20, 0, false, false},
        {20, true, -20, 0, 0, false, false},         {-20, true, 0, 20, 20, false, false},
        {std::nullopt, false, 0, 0, 0, false, true}, {std::nullopt, true, 0, 0, 0, true, false},
    };
    for (const auto& row : rows) {
        const model::TrackUse use{"page", row.weight, row.reverse};
        SCOPED_TRACE(fmt::format("weight {} reverse {}", row.weight.value_or(0), row.reverse));
        EXPECT_EQ(contribution(use, Verdict::up), row.up);
        EXPECT_EQ(contribution(use, Verdict::down), row.down);
        EXPECT_EQ(contribution(use, Verdict::pending), row.unseen);
        EXPECT_EQ(contribution(use, Verdict::unknown), row.unseen);
        EXPECT_EQ(is_fault(use, Verdict::up), row.fault_up);
        EXPECT_EQ(is_fault(use, Verdict::down), row.fault_down);
        EXPECT_FALSE(is_fault(use, Verdict::pending));
        EXPECT_FALSE(is_fault(use, Verdict::unknown));
    }
}

struct FileCase {
    std::int64_t value;
    std::optional<int> weight;
    bool reverse;
    int contribution;
    bool fault;
};

TEST(Weights, AFileIsItsNumberTimesTheWeight) {
    const FileCase cases[] = {
        {0, 5, false, 0, false},
        {3, 5, false, 15, false},
        {3, 5, true, -15, false},
        {-3, 5, false, -15, false},
        {-3, -5, false, 15, false},
        {100, 5, false, 253, false},
        {-253, 1, false, -253, false},
        {-254, 1, false, -253, true},
        {254, 1, true, -253, true},
        {-1'000'000, -253, false, 253, false},
        {1'000'000, -253, false, -253, true},
        {1, std::nullopt, false, 0, true},
        {0, std::nullopt, false, 0, false},
        {0, std::nullopt, true, 0, true},
        {-7, std::nullopt, true, 0, false},
    };
    for (const auto& c : cases) {
        TrackerState state{.model = {.name = "load", .kind = model::FileTracker{"/run/load"}}};
        const model::TrackUse use{"load", c.weight, c.reverse};
        EXPECT_EQ(contribution(use, state), 0) << "nothing seen yet";
        EXPECT_FALSE(is_fault(use, state));
        const auto observation = c.value == 0 ? Observation::up : Observation::down;
        observe(state, {.tracker = "load", .observation = observation, .value = c.value}, now);
        EXPECT_EQ(contribution(use, state), c.contribution) << c.value << " * " << c.weight.value_or(0);
        EXPECT_EQ(is_fault(use, state), c.fault) << c.value << " * " << c.weight.value_or(0);
    }
}

TEST(Weights, AFileThatCannotBeReadHasNoEffect) {
    TrackerState state{.model = {.name = "load", .kind = model::FileTracker{"/run/load"}}};
    observe(state, {.tracker = "load", .observation = Observation::down, .value = 7}, now);
    observe(state, {.tracker = "load", .observation = Observation::unknown, .detail = "no number"}, now);
    EXPECT_EQ(contribution({"load", -5}, state), 0);
    EXPECT_FALSE(is_fault({"load"}, state));
}

TEST(InitFail, IsDownUntilItHasRisen) {
    TrackerState state{
        .model = {.name = "s", .kind = model::ScriptTracker{{"/bin/s"}, ""}, .rise = 2, .init_fail = true}};
    reset(state, now);
    EXPECT_EQ(state.verdict, Verdict::down);
    observe(state, Observation::up, "", false, now);
    EXPECT_EQ(state.verdict, Verdict::down);
    observe(state, Observation::up, "", false, now);
    EXPECT_EQ(state.verdict, Verdict::up);
}

TEST(Delay, AChangeCountsOnlyWhenItLasts) {
    TrackerState state{.model = {.name = "up", .kind = model::InterfaceTracker{"eth0", 3s, 1s}}};
    observe(state, Observation::up, "", false, now);
    EXPECT_EQ(state.verdict, Verdict::up) << "the first observation counts at once";
    observe(state, Observation::down, "", false, now);
    EXPECT_EQ(state.deadline(), now + 1s);
    observe(state, Observation::up, "", false, now + 500ms);
    EXPECT_EQ(state.deadline(), never) << "it did not last";
    observe(state, Observation::down, "", false, now + 2s);
    observe(state, Observation::down, "", false, now + 2500ms);
    EXPECT_EQ(state.deadline(), now + 3s) << "said again, it does not begin again";
    EXPECT_FALSE(elapsed(state, now + 2900ms));
    EXPECT_TRUE(elapsed(state, now + 3s));
    EXPECT_EQ(state.verdict, Verdict::down);
    observe(state, Observation::up, "", false, now + 4s);
    EXPECT_EQ(state.deadline(), now + 7s);
    EXPECT_TRUE(elapsed(state, now + 7s));
    EXPECT_EQ(state.verdict, Verdict::up);
}

TEST(Delay, OfAProcessIsForkAndTerminate) {
    TrackerState state{
        .model = {.name = "p", .kind = model::ProcessTracker{.process = "p", .fork_delay = 2s, .terminate_delay = 1s}}};
    observe(state, Observation::up, "", false, now);
    observe(state, Observation::down, "", false, now);
    EXPECT_EQ(state.deadline(), now + 1s);
    EXPECT_TRUE(elapsed(state, now + 1s));
    observe(state, Observation::up, "", false, now + 2s);
    EXPECT_EQ(state.deadline(), now + 4s);
}

struct ARestartedUnit : testing::Test {
    TrackerState state{.model = {.name = "nginx", .kind = model::UnitTracker{"nginx.service", 2s}}};
    void see(Observation observation, Repair repair, Time at) {
        observe(state, {.tracker = "nginx", .observation = observation, .repair = repair}, at);
    }
    bool take_restart() { return std::exchange(state.restart_wanted, false); }
    void SetUp() override { see(Observation::up, Repair::none, now); }
};

TEST_F(ARestartedUnit, StaysUpWhenItIsBackInTime) {
    see(Observation::down, Repair::wanted, now);
    EXPECT_TRUE(take_restart());
    see(Observation::down, Repair::under_way, now + 100ms);
    EXPECT_FALSE(take_restart()) << "once";
    EXPECT_EQ(state.verdict, Verdict::up);
    see(Observation::up, Repair::none, now + 1s);
    EXPECT_EQ(state.deadline(), never);
    EXPECT_EQ(state.verdict, Verdict::up);
}

TEST_F(ARestartedUnit, IsGivenUpWhenItsTimeIsOver) {
    see(Observation::down, Repair::wanted, now);
    see(Observation::down, Repair::wanted, now + 1s);
    EXPECT_TRUE(elapsed(state, now + 2s));
    EXPECT_EQ(state.verdict, Verdict::down);
}

TEST_F(ARestartedUnit, IsGivenUpAtOnceWhenItFailsAgainWithinAMinute) {
    see(Observation::down, Repair::wanted, now);
    EXPECT_TRUE(take_restart());
    see(Observation::up, Repair::none, now + 1s);
    see(Observation::down, Repair::wanted, now + 30s);
    EXPECT_FALSE(take_restart());
    EXPECT_EQ(state.verdict, Verdict::down);
    see(Observation::up, Repair::none, now + 40s);
    see(Observation::down, Repair::wanted, now + 61s);
    EXPECT_TRUE(take_restart()) << "a minute later it has another one";
    EXPECT_EQ(state.verdict, Verdict::up);
}

TEST_F(ARestartedUnit, IsNotRestartedWhenSomebodyStoppedIt) {
    see(Observation::down, Repair::none, now);
    EXPECT_FALSE(take_restart());
    EXPECT_EQ(state.verdict, Verdict::down);
}

TEST_F(ARestartedUnit, IsGivenUpAtOnceWhenSystemdRefuses) {
    see(Observation::down, Repair::wanted, now);
    EXPECT_EQ(state.verdict, Verdict::up);
    see(Observation::down, Repair::failed, now + 10ms);
    EXPECT_EQ(state.verdict, Verdict::down);
}

TEST_F(ARestartedUnit, IsWaitedForButNotAskedForWhenSystemdStartsItItself) {
    see(Observation::down, Repair::under_way, now);
    EXPECT_FALSE(take_restart());
    EXPECT_EQ(state.deadline(), now + 2s);
    EXPECT_EQ(state.verdict, Verdict::up);
}

TEST(Runs, AreCountedByTheirTimeAndLevelsAreNone) {
    TrackerState tracker{.model = {.name = "app", .kind = model::ScriptTracker{}}};
    for (const auto took : {Duration{500us}, Duration{1ms}, Duration{3ms}, Duration{1min}})
        observe(tracker, {.tracker = "app", .observation = Observation::up, .took = took}, now);
    observe(tracker, Observation::down, "it can't be run", false, now);
    EXPECT_EQ(tracker.runs.counts, (std::array<std::uint64_t, 6>{2, 1, 0, 0, 0, 1}));
    EXPECT_EQ(tracker.runs.usec, 60'004'500U);
}

} // namespace
} // namespace holdfast::engine
