// Which numbers are new, whatever the clocks of sender and receiver do.

#include "engine/replay.hpp"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

using model::AntiReplay;
using wire::Reject;

constexpr Duration window = 5s;
constexpr Replay::Rule by_time{AntiReplay::time, window}, monotonic{AntiReplay::monotonic, window};
const WallTime noon{1'700'000'000s};
const Time start{1000s};
const IpAddress peer = IpAddress::v4(192, 0, 2, 1);
constexpr Duration day = 24h;

wire::Sequence at(WallTime wall) {
    return as_sequence(wall);
}

TEST(Sequence, IsTheWallClockInSecondsFractionAndCounter) {
    EXPECT_EQ(as_sequence(WallTime{0x65000000s + 500ms}), 0x6500000080000000U);
    EXPECT_EQ(distance(0x6500000080000000U, 0x6500000200000000U), 1500ms);
    EXPECT_EQ(distance(0x6500000200000000U, 0x6500000080000000U), 1500ms);
    EXPECT_TRUE(is_after(2, 1));
    EXPECT_FALSE(is_after(1, 1));
    EXPECT_TRUE(is_after(1, 0xffffffffffffff00U)) << "around the end, in the year 2106";
}

TEST(Sequence, OfASenderNeverStandsStillNorGoesBack) {
    Replay replay;
    const auto first = replay.next(by_time, noon);
    EXPECT_EQ(first, at(noon));
    EXPECT_EQ(replay.next(by_time, noon), first + 1);
    EXPECT_EQ(replay.next(by_time, noon - 2s), first + 2) << "set back within the window";
    EXPECT_EQ(replay.next(by_time, noon + 1s), at(noon + 1s));
}

TEST(Sequence, BeginsAnewWhenTheClockWasSetBackByMoreThanTheWindow) {
    Replay timed, counted;
    timed.next(by_time, noon + day);
    EXPECT_EQ(timed.next(by_time, noon), at(noon)) << "else it would be stale to everybody for a day";
    const auto last = counted.next(monotonic, noon + day);
    EXPECT_EQ(counted.next(monotonic, noon), last + 1);
}

// ---- what is new --------------------------------------------------------------------------------------------------------

struct Receiver {
    Replay::Rule rule{by_time};
    Replay replay{};
    std::string_view hear(wire::Sequence sequence, Duration since, Duration clock_is_off = 0s,
                          IpAddress sender = peer) {
        const auto wall = noon + since + clock_is_off;
        const auto reason = replay.judge(rule, sender, sequence, wall, start + since);
        if (reason) return wire::name(*reason);
        replay.accept(rule, sender, sequence, wall, start + since);
        return "new";
    }
};

TEST(Replay, ANumberIsGoodForOneAdvert) {
    for (const auto rule : {by_time, monotonic}) {
        Receiver receiver{rule};
        EXPECT_EQ(receiver.hear(at(noon), 0s), "new");
        EXPECT_EQ(receiver.hear(at(noon), 1s), "signature_replay");
        EXPECT_EQ(receiver.hear(at(noon) - 1, 1s), "signature_replay");
        EXPECT_EQ(receiver.hear(at(noon) + 1, 1s), "new");
        EXPECT_EQ(receiver.hear(at(noon), 1s, 0s, IpAddress::v4(192, 0, 2, 2)), "new") << "another sender";
    }
}

TEST(Replay, WhatIsOutsideTheWindowIsStale) {
    Receiver receiver;
    EXPECT_EQ(receiver.hear(at(noon - 6s), 0s), "signature_stale");
    EXPECT_EQ(receiver.hear(at(noon + 6s), 0s), "signature_stale");
    EXPECT_EQ(receiver.hear(at(noon - 5s), 0s), "new");
    EXPECT_EQ(receiver.hear(at(noon + 5s), 0s), "new");
    receiver.rule = monotonic;
    EXPECT_EQ(receiver.hear(at(noon + day), 0s), "new") << "no clock counts here";
}

TEST(Replay, AnOldRecordingIsStaleEvenWhenItsSenderWasForgotten) {
    Receiver receiver;
    for (Duration age = 6s; age < day; age += 10s)
        ASSERT_EQ(receiver.hear(at(noon), age), "signature_stale");
}

/// A receiver, and a sender with an attacker who records everything and sends it again later.
struct Stage {
    Receiver receiver{};
    Replay sender{};
    std::vector<wire::Sequence> recorded{};
    Duration since{0s};

    std::string_view advert(Duration sender_is_off, Duration receiver_is_off) {
        since += 1s;
        recorded.push_back(sender.next(by_time, noon + since + sender_is_off));
        return receiver.hear(recorded.back(), since, receiver_is_off);
    }
    int accepted_again(Duration receiver_is_off) {
        int count = 0;
        auto copy = receiver;
        for (const auto sequence : recorded)
            count += copy.hear(sequence, since, receiver_is_off) == "new" ? 1 : 0;
        return count;
    }
};

TEST(Replay, NoStepOfAClockStrandsAndNoStepLetsARecordingIn) {
    struct Case {
        const char* what;
        Duration sender, receiver;
    };
    for (const auto& [what, sender, receiver] :
         {Case{"the sender a day ahead", day, 0s}, Case{"the sender a day back", -day, 0s},
          Case{"the receiver a day ahead", 0s, day}, Case{"the receiver a day back", 0s, -day},
          Case{"the sender by three seconds", 3s, 0s}, Case{"the receiver by three seconds", 0s, -3s}}) {
        Stage stage;
        for (int i = 0; i < 10; ++i)
            ASSERT_EQ(stage.advert(0s, 0s), "new") << what;
        int refused = 0;
        for (int i = 0; i < 10; ++i)
            refused += stage.advert(sender, receiver) == "new" ? 0 : 1;
        if (sender == -day) {
            EXPECT_EQ(refused, 10) << "a sender that goes back by a day can't be told from a recording";
            continue;
        }
        EXPECT_EQ(refused, 0) << what;
        EXPECT_EQ(stage.accepted_again(receiver), 0) << what;
        for (int i = 0; i < 10; ++i)
            ASSERT_EQ(stage.advert(0s, 0s), "new") << what << ", and it is set right";
        EXPECT_EQ(stage.accepted_again(0s), 0) << what;
    }
}

TEST(Replay, StepsMayFollowEachOther) {
    Stage stage;
    const std::pair<Duration, Duration> clocks[] = {{0s, 0s},      {day, 0s},     {0s, 0s},   {0s, day}, {0s, 0s},
                                                    {12 * 1h, 0s}, {0s, 0s},      {0s, -day}, {0s, 0s},  {2 * day, 0s},
                                                    {0s, 0s},      {0s, 3 * day}, {0s, 0s}};
    for (const auto& [sender, receiver] : clocks) {
        for (int i = 0; i < 20; ++i)
            ASSERT_EQ(stage.advert(sender, receiver), "new")
                << to_string(sender) << " " << to_string(receiver) << " " << i;
        ASSERT_EQ(stage.accepted_again(receiver), 0) << to_string(sender) << " " << to_string(receiver);
    }
    EXPECT_LE(stage.receiver.replay.marks().size(), 1U);
}

TEST(Replay, ARecordingOfAnotherTimeIsNoNewerForARestart) {
    Stage stage;
    for (const Duration off : {Duration{0s}, Duration{day}, Duration{0s}})
        for (int i = 0; i < 10; ++i)
            ASSERT_EQ(stage.advert(off, 0s), "new");
    Replay next;
    next.restore(stage.receiver.replay.last(), stage.receiver.replay.marks());
    stage.receiver.replay = next;
    ASSERT_EQ(stage.advert(0s, 0s), "new");
    EXPECT_EQ(stage.accepted_again(0s), 0);
}

TEST(Replay, WhatWasHeardByAWrongClockIsNotNewForTheRightOne) {
    Receiver receiver;
    EXPECT_EQ(receiver.hear(at(noon), 0s), "new");
    EXPECT_EQ(receiver.hear(at(noon + 1s), 1s, day), "new") << "it goes on";
    EXPECT_EQ(receiver.hear(at(noon + 1s), 2s), "signature_replay") << "once is enough";
    EXPECT_EQ(receiver.hear(at(noon + 3s), 3s), "new");
}

TEST(Replay, ARecordingOfYesterdayIsNotNewWhenOurClockIsSetBackToYesterday) {
    Receiver receiver;
    ASSERT_EQ(receiver.hear(at(noon), 0s), "new");
    EXPECT_EQ(receiver.hear(at(noon + 1s - day), 1s, -day), "signature_replay");
    EXPECT_EQ(receiver.hear(at(noon + 1s), 1s, -day), "new");
}

TEST(Replay, ASenderThatFellSilentMustShowTheRightTimeAgain) {
    Stage stage;
    ASSERT_EQ(stage.advert(0s, 0s), "new");
    stage.since += 6s; // longer than the window: what an attacker held back all that time must not pass
    EXPECT_EQ(stage.advert(day, 0s), "signature_stale");
}

TEST(Replay, TheTableIsBoundedAndForgetsTheOneThatIsSilentLongest) {
    Receiver receiver{monotonic};
    for (std::size_t i = 0; i <= senders_kept; ++i)
        receiver.hear(at(noon), Duration{1s} * static_cast<int>(i), 0s,
                      IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(i)));
    EXPECT_EQ(receiver.replay.marks().size(), senders_kept);
    EXPECT_EQ(receiver.hear(at(noon), 30s, 0s, IpAddress::v4(10, 0, 0, 1)), "signature_replay");
}

TEST(Replay, SurvivesARestartByTheRecord) {
    for (const auto rule : {by_time, monotonic}) {
        Receiver receiver{rule}, next{rule};
        receiver.hear(at(noon), 0s);
        const auto sent = receiver.replay.next(rule, noon);
        next.replay.restore(receiver.replay.last(), receiver.replay.marks());
        EXPECT_EQ(next.hear(at(noon), 1s), "signature_replay");
        EXPECT_EQ(next.hear(at(noon) + 1, 1s), "new");
        EXPECT_EQ(next.replay.next(rule, noon - 1s), sent + 1);
    }
}

// ---- the authentication header's one counter ------------------------------------------------------------------------------

TEST(AhCounter, IsOneForWhatIsSentAndHeard) {
    Replay replay;
    EXPECT_EQ(replay.next_ah(), 1U);
    EXPECT_FALSE(replay.judge_ah(41));
    replay.accept_ah(41);
    EXPECT_EQ(replay.next_ah(), 42U);
    EXPECT_EQ(replay.judge_ah(42), Reject::signature_replay);
    EXPECT_EQ(replay.judge_ah(7), Reject::signature_replay);
    EXPECT_FALSE(replay.judge_ah(43));
}

TEST(AhCounter, BeginsAnewAtItsEndOnBothSides) {
    Replay sender, receiver;
    sender.accept_ah(last_ah_sequence - 1);
    receiver.accept_ah(last_ah_sequence - 1);
    EXPECT_EQ(sender.next_ah(), last_ah_sequence);
    EXPECT_FALSE(receiver.judge_ah(last_ah_sequence));
    receiver.accept_ah(last_ah_sequence);
    EXPECT_EQ(sender.next_ah(), 1U);
    EXPECT_FALSE(receiver.judge_ah(1));
}

} // namespace
} // namespace holdfast::engine
