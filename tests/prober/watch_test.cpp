// When the next probe begins, and what of the outcomes the daemon hears, against a clock of this test's own.
#include "prober/watch.hpp"

#include "prober/deadlines.hpp"

#include <gtest/gtest.h>

namespace holdfast::prober {
namespace {

class Played {
  public:
    explicit Played(ipc::StartCheck check, bool is_tracker = false) : watch{check, is_tracker, now, 3} {}

    /// A probe at its time that takes 10 ms: whether the daemon hears of it.
    bool probe(bool ok, bool our_fault = false) {
        now = std::max(now, watch.due());
        watch.begins(now);
        now += 10ms;
        verdict = watch.ends({.ok = ok, .detail = reason, .our_fault = our_fault}, now);
        return verdict.has_value();
    }

    Time now{Time{1h}};
    Watch watch;
    std::string reason{"x"};
    std::optional<ipc::Verdict> verdict;
};

ipc::StartCheck every_second() {
    return {.id = ipc::WatchId{1}, .port = 1, .interval = 1s, .timeout = 1s};
}

TEST(Watch, ABadProbeIsRepeatedAfterTheDelayForAtMostRetryTimes) {
    auto check = every_second();
    check.retry = 2;
    check.retry_delay = 100ms;
    Played played{check};
    played.probe(true);
    played.probe(true);
    const Time grid = played.watch.due();
    played.probe(false);
    EXPECT_EQ(played.watch.due(), played.now + 100ms);
    played.probe(false);
    EXPECT_EQ(played.watch.due(), played.now + 100ms);
    played.probe(false); // both are used up
    EXPECT_GE(played.watch.due() - played.now, 490ms);
    EXPECT_EQ((played.watch.due() - grid) % 1s, 0s) << "the grid is the same as before";
    played.probe(false);
    EXPECT_EQ((played.watch.due() - grid) % 1s, 0s);
    played.probe(true);
    played.probe(false);
    EXPECT_EQ(played.watch.due(), played.now + 100ms) << "a good one lets it begin anew";
}

TEST(Watch, WhatWasLostOnItsWayIsToldAgain) {
    auto check = every_second();
    check.tell = 2;
    Played played{check};
    EXPECT_TRUE(played.probe(true) && played.probe(true));
    EXPECT_FALSE(played.probe(true)) << "twice is enough";
    EXPECT_TRUE(played.probe(false));
    played.watch.was_not_told();
    EXPECT_TRUE(played.probe(false) && played.probe(false)) << "as often as if it were new";
    EXPECT_FALSE(played.probe(false));
}

TEST(Watch, AGoodRetryGoesBackToTheGrid) {
    auto check = every_second();
    check.retry = 1;
    check.retry_delay = 300ms;
    Played played{check};
    played.probe(true);
    const Time grid = played.watch.due();
    played.probe(false);
    played.probe(true);
    EXPECT_EQ((played.watch.due() - grid) % 1s, 0s);
    EXPECT_GE(played.watch.due() - played.now, 480ms);
    EXPECT_LE(played.watch.due() - played.now, 1500ms);
}

TEST(Watch, OutcomesAreToldUntilEnoughWereEqualThenOnceAHeartbeat) {
    auto check = every_second();
    check.tell = 3;
    Played played{check};
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(played.probe(true)) << i;
    int told = 0;
    for (int i = 0; i < 20; ++i)
        told += played.probe(true) ? 1 : 0;
    EXPECT_GE(told, 3);
    EXPECT_LE(told, 4);
    EXPECT_TRUE(played.probe(false)) << "a change at once";
    EXPECT_TRUE(played.probe(true)) << "and back";
    EXPECT_TRUE(played.probe(true));
    EXPECT_TRUE(played.probe(true));
    EXPECT_FALSE(played.probe(true));
}

TEST(Watch, AnotherReasonOfABadOneIsToldOnceASecondAndThatOfAGoodOneWithTheHeartbeat) {
    auto check = every_second();
    check.interval = 500ms;
    Played played{check};
    EXPECT_TRUE(played.probe(false));
    EXPECT_FALSE(played.probe(false)) << "the same";
    played.reason = "y";
    EXPECT_TRUE(played.probe(false)) << "a second later";
    played.reason = "z";
    EXPECT_FALSE(played.probe(false)) << "half a second after the last one";
    EXPECT_TRUE(played.probe(false));
    EXPECT_TRUE(played.probe(true));
    played.reason = "status 204";
    EXPECT_FALSE(played.probe(true));
    EXPECT_FALSE(played.probe(true));
    EXPECT_FALSE(played.probe(true));
}

TEST(Watch, AProbeThatCouldNotBeMadeIsUnknownAndNotRepeatedAsABadOne) {
    auto check = every_second();
    check.retry = 5;
    check.retry_delay = 10ms;
    Played played{check};
    played.probe(true);
    ASSERT_TRUE(played.probe(false, true));
    EXPECT_TRUE(played.verdict->unknown);
    EXPECT_FALSE(played.verdict->ok);
    EXPECT_GE(played.watch.due() - played.now, 490ms);
    int told = 0;
    for (int i = 0; i < 11; ++i)
        told += played.probe(false, true) ? 1 : 0;
    EXPECT_EQ(told, 2) << "not silent for ever";
}

TEST(Watch, ATrackerHearsEveryOutcomeAndNothingOfProbesThatCouldNotBeMade) {
    Played played{every_second(), true};
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(played.probe(true));
    EXPECT_FALSE(played.probe(false, true));
}

TEST(Watch, LateProbesAreCounted) {
    Played played{every_second()};
    played.probe(true);
    played.now = played.watch.due() + 9ms;
    played.probe(false);
    EXPECT_EQ(played.verdict->late, 0U);
    EXPECT_EQ(played.verdict->lateness, 9ms);
    played.now = played.watch.due() + 30ms;
    played.probe(true);
    EXPECT_EQ(played.verdict->late, 1U);
    EXPECT_EQ(played.verdict->lateness, 30ms);
    played.probe(false);
    EXPECT_EQ(played.verdict->late, 1U);
    EXPECT_EQ(played.verdict->lateness, 0ms);
}

TEST(Watch, FirstProbesAreSpreadOverTheWarmUpAndLaterOnesOverTheInterval) {
    std::vector<int> first(10), later(10);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        ipc::Pace pace{Time{1h}, 1s, i, 3s};
        ASSERT_LT(pace.due(), Time{1h} + 3s);
        ++first[static_cast<std::size_t>((pace.due() - Time{1h}) / 300ms)];
        const Time begun = pace.due();
        pace.started();
        EXPECT_GE(pace.due() - begun, 500ms);
        EXPECT_LE(pace.due() - begun, 1500ms);
        ++later[static_cast<std::size_t>(pace.due().time_since_epoch() % 1s / 100ms)];
    }
    for (std::size_t i = 0; i < 10; ++i) {
        EXPECT_NEAR(first[i], 100, 5);
        EXPECT_NEAR(later[i], 100, 5);
    }
}

TEST(Deadlines, ComeInTheOrderOfTimeAndCanBeTakenBack) {
    Deadlines deadlines;
    EXPECT_EQ(deadlines.next(), never);
    deadlines.add(Time{3s}, ipc::WatchId{3});
    deadlines.add(Time{1s}, ipc::WatchId{1});
    deadlines.add(Time{1s}, ipc::WatchId{2});
    deadlines.remove(Time{1s}, ipc::WatchId{1});
    EXPECT_EQ(deadlines.take(Time{500ms}), std::nullopt);
    EXPECT_EQ(deadlines.take(Time{2s}), ipc::WatchId{2});
    EXPECT_EQ(deadlines.take(Time{2s}), std::nullopt);
    EXPECT_EQ(deadlines.next(), Time{3s});
}

} // namespace
} // namespace holdfast::prober
