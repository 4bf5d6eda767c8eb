// One BFD session, transition by transition, and two of them on a wire that can be cut one way.

#include "bfd/arrival.hpp"

#include <deque>
#include <gtest/gtest.h>

namespace holdfast::bfd {
namespace {

using std::chrono::microseconds;
using wire::BfdControl;
using wire::BfdDiagnostic;
using wire::BfdState;

const Time start{100s};
const model::BfdTracker settings{.neighbor = IpAddress::v4(192, 0, 2, 2)};

BfdControl from_neighbor(BfdState state, std::uint32_t knows_us = 7) {
    return {.state = state,
            .multiplier = 3,
            .my_discriminator = 99,
            .your_discriminator = knows_us,
            .desired_min_tx = microseconds{200'000},
            .required_min_rx = microseconds{150'000}};
}

Step begin(const model::BfdTracker& with = settings) {
    return on(with, {}, Started{7}, start, 0);
}

/// A session in this state that hears the neighbor.
Session in(BfdState state) {
    auto session = begin().next;
    if (state == BfdState::down) return session;
    session = on(settings, session, Received{from_neighbor(BfdState::down)}, start, 0).next;
    if (state == BfdState::init) return session;
    session = on(settings, session, Received{from_neighbor(BfdState::init)}, start, 0).next;
    auto answer = from_neighbor(BfdState::up);
    answer.final = true;
    return on(settings, session, Received{answer}, start, 0).next;
}

// ---- the table of RFC 5880 6.2 --------------------------------------------------------------------------------------------

TEST(Session, FollowsTheTableOfTheRfc) {
    constexpr auto admin = BfdState::admin_down, down = BfdState::down, init = BfdState::init, up = BfdState::up;
    struct Row {
        BfdState ours, theirs, becomes;
        BfdDiagnostic diagnostic;
    };
    constexpr auto none = BfdDiagnostic::none, told = BfdDiagnostic::neighbor_signaled_down;
    for (const auto& [ours, theirs, becomes, diagnostic] :
         {Row{down, admin, down, none}, Row{down, down, init, none}, Row{down, init, up, none},
          Row{down, up, down, none}, Row{init, admin, down, told}, Row{init, down, init, none},
          Row{init, init, up, none}, Row{init, up, up, none}, Row{up, admin, down, told}, Row{up, down, down, told},
          Row{up, init, up, none}, Row{up, up, up, none}}) {
        const auto before = in(ours);
        ASSERT_EQ(before.state, ours);
        const auto step = on(settings, before, Received{from_neighbor(theirs)}, start + 10ms, 0);
        EXPECT_EQ(step.next.state, becomes) << static_cast<int>(ours) << " hears " << static_cast<int>(theirs);
        EXPECT_EQ(step.next.diagnostic, diagnostic);
        EXPECT_EQ(step.send.has_value(), becomes != ours) << "a change is told at once";
        EXPECT_EQ(step.send ? step.send->state : becomes, becomes);
        EXPECT_EQ(step.next.remote_discriminator, 99U);
    }
}

TEST(Session, ThatIsAdministrativelyDownHearsNothing) {
    const auto stopped = on(settings, in(BfdState::up), Stopped{}, start, 0);
    ASSERT_TRUE(stopped.send);
    EXPECT_EQ(stopped.send->state, BfdState::admin_down);
    EXPECT_EQ(stopped.send->diagnostic, BfdDiagnostic::administratively_down);
    const auto step = on(settings, stopped.next, Received{from_neighbor(BfdState::up)}, start + 1ms, 0);
    EXPECT_EQ(step.next, stopped.next);
    EXPECT_FALSE(step.send);
    EXPECT_EQ(next_deadline(stopped.next), never);
}

// ---- detection --------------------------------------------------------------------------------------------------------------

TEST(Session, DetectsSilenceAfterTheNeighborsMultiplierTimesWhatWasAgreed) {
    const auto session = in(BfdState::up);
    EXPECT_EQ(detection_time(settings, session), 600ms) << "3 x max(our 100 ms, its 200 ms)";
    EXPECT_EQ(session.detect, start + 600ms);
    EXPECT_EQ(on(settings, session, Elapsed{}, start + 599ms, 0).next.state, BfdState::up);
    const auto step = on(settings, session, Elapsed{}, start + 600ms, 0);
    EXPECT_EQ(step.next.state, BfdState::down);
    EXPECT_EQ(step.next.diagnostic, BfdDiagnostic::detection_time_expired);
    EXPECT_EQ(step.next.remote_discriminator, 0U) << "6.8.1: it is forgotten";
    ASSERT_TRUE(step.send);
    EXPECT_EQ(step.send->state, BfdState::down);
    EXPECT_EQ(step.send->your_discriminator, 0U);
    EXPECT_EQ(verdict(step.next, start + 600ms), Verdict::down);
}

TEST(Session, EachPacketGivesTheNeighborItsWholeTimeAgain) {
    const auto step = on(settings, in(BfdState::up), Received{from_neighbor(BfdState::up)}, start + 500ms, 0);
    EXPECT_EQ(step.next.detect, start + 1100ms);
}

TEST(Session, ThatIsDownForgetsASilentNeighborToo) {
    const auto heard = on(settings, in(BfdState::down), Received{from_neighbor(BfdState::up)}, start, 0).next;
    ASSERT_EQ(heard.state, BfdState::down);
    const auto step = on(settings, heard, Elapsed{}, start + 600ms, 0);
    EXPECT_EQ(step.next.remote_discriminator, 0U);
    EXPECT_EQ(step.next.diagnostic, BfdDiagnostic::none);
}

// ---- sending ----------------------------------------------------------------------------------------------------------------

TEST(Session, SendsOnceASecondUntilItIsUp) {
    const auto first = begin();
    ASSERT_TRUE(first.send);
    EXPECT_EQ(first.send->state, BfdState::down);
    EXPECT_EQ(first.send->desired_min_tx, 1s);
    EXPECT_EQ(first.send->required_min_rx, 100ms);
    EXPECT_EQ(first.send->my_discriminator, 7U);
    EXPECT_EQ(transmit_interval(settings, first.next), 1s);
    EXPECT_EQ(transmit_interval(settings, in(BfdState::init)), 1s);
    EXPECT_EQ(transmit_interval(settings, in(BfdState::up)), 150ms) << "as fast as the neighbor takes it";
    EXPECT_FALSE(on(settings, first.next, Elapsed{}, start + 749ms, 0).send);
    EXPECT_TRUE(on(settings, first.next, Elapsed{}, start + 750ms, 0).send);
}

TEST(Session, JitterTakesUpToAQuarterAndNeverAddsAny) {
    for (const std::uint8_t multiplier : {std::uint8_t{3}, std::uint8_t{1}}) {
        auto with = settings;
        with.multiplier = multiplier;
        Duration least = 1h, most = 0s;
        for (unsigned chance = 0; chance < 65'536; chance += 13) {
            const auto step = on(with, {}, Started{7}, start, static_cast<std::uint16_t>(chance));
            const auto wait = step.next.next_send - start;
            least = std::min(least, wait);
            most = std::max(most, wait);
        }
        EXPECT_EQ(least, 750ms);
        EXPECT_LE(most, multiplier == 1 ? 900ms : 1000ms);
        EXPECT_GE(most, multiplier == 1 ? 899ms : 999ms);
    }
}

TEST(Session, APassiveOneWaitsForTheFirstWord) {
    auto passive = settings;
    passive.passive = true;
    const auto first = begin(passive);
    EXPECT_FALSE(first.send);
    EXPECT_EQ(first.next.next_send, never);
    const auto step = on(passive, first.next, Received{from_neighbor(BfdState::down, 0)}, start + 1s, 0);
    ASSERT_TRUE(step.send);
    EXPECT_EQ(step.send->state, BfdState::init);
    const auto silent = on(passive, step.next, Elapsed{}, step.next.detect, 0);
    EXPECT_EQ(silent.next.next_send, never) << "and waits again when the neighbor is gone";
}

TEST(Session, SendsNothingToANeighborThatTakesNothing) {
    auto packet = from_neighbor(BfdState::up);
    packet.required_min_rx = microseconds{0};
    const auto step = on(settings, in(BfdState::up), Received{packet}, start, 0);
    EXPECT_EQ(step.next.next_send, never);
    packet.poll = true;
    EXPECT_TRUE(on(settings, in(BfdState::up), Received{packet}, start, 0).send) << "but answers its polls";
}

TEST(Session, SendsNothingPeriodicallyToANeighborInDemandMode) {
    auto packet = from_neighbor(BfdState::up);
    packet.demand = true;
    EXPECT_EQ(on(settings, in(BfdState::up), Received{packet}, start, 0).next.next_send, never);
    EXPECT_NE(on(settings, in(BfdState::init), Received{from_neighbor(BfdState::down)}, start, 0).next.next_send,
              never);
}

TEST(Session, AFasterNeighborIsServedSoonerAndNeverLater) {
    auto session = in(BfdState::up);
    const auto before = session.next_send;
    auto packet = from_neighbor(BfdState::up);
    packet.required_min_rx = microseconds{2'000'000};
    EXPECT_EQ(on(settings, session, Received{packet}, start + 1ms, 0).next.next_send, before);
    packet.required_min_rx = microseconds{1'000};
    EXPECT_LT(on(settings, session, Received{packet}, start + 1ms, 0).next.next_send, before);
}

// ---- poll and final ---------------------------------------------------------------------------------------------------------

TEST(Session, PollsWhenItComesUpUntilTheNeighborAnswers) {
    const auto came_up = on(settings, in(BfdState::init), Received{from_neighbor(BfdState::init)}, start, 0);
    ASSERT_TRUE(came_up.send);
    EXPECT_TRUE(came_up.send->poll);
    EXPECT_EQ(came_up.send->desired_min_tx, 100ms) << "the interval is another one: that is what it asks about";
    const auto again = on(settings, came_up.next, Elapsed{}, came_up.next.next_send, 0);
    ASSERT_TRUE(again.send);
    EXPECT_TRUE(again.send->poll);
    auto answer = from_neighbor(BfdState::up);
    answer.final = true;
    const auto answered = on(settings, again.next, Received{answer}, start + 1s, 0).next;
    EXPECT_FALSE(answered.polling);
    EXPECT_FALSE(on(settings, answered, Elapsed{}, answered.next_send, 0).send->poll);
}

TEST(Session, AnswersAPollAtOnceWithFinalAndWithoutPoll) {
    auto session = on(settings, in(BfdState::init), Received{from_neighbor(BfdState::init)}, start, 0).next;
    ASSERT_TRUE(session.polling);
    auto packet = from_neighbor(BfdState::up);
    packet.poll = true;
    const auto step = on(settings, session, Received{packet}, start + 1ms, 0);
    ASSERT_TRUE(step.send);
    EXPECT_TRUE(step.send->final);
    EXPECT_FALSE(step.send->poll);
    EXPECT_TRUE(step.next.polling) << "our own question stays open";
}

// ---- what it means ----------------------------------------------------------------------------------------------------------

TEST(Verdict, IsPendingUntilThereWasTimeToComeUp) {
    const auto session = begin().next;
    EXPECT_EQ(verdict(session, start), Verdict::pending);
    EXPECT_EQ(session.judge_at, start + 3s);
    const auto later = on(settings, session, Elapsed{}, start + 3s, 0).next;
    EXPECT_EQ(verdict(later, start + 3s), Verdict::down);
    EXPECT_EQ(explain(settings, later), "the neighbor was never heard");
    EXPECT_EQ(verdict(in(BfdState::up), start), Verdict::up);
    EXPECT_EQ(explain(settings, in(BfdState::up)), "up, a silence of 600ms is noticed");
}

TEST(Verdict, OfANeighborThatWasSwitchedOffSaysNothing) {
    const auto off = on(settings, in(BfdState::up), Received{from_neighbor(BfdState::admin_down)}, start, 0).next;
    EXPECT_EQ(verdict(off, start), Verdict::unknown);
    EXPECT_EQ(explain(settings, off), "the neighbor's session is administratively down");
    const auto gone = on(settings, off, Elapsed{}, off.detect, 0).next;
    EXPECT_EQ(verdict(gone, off.detect), Verdict::down) << "and its host died";
}

TEST(Verdict, OfANeighborThatDoesNotHearUsIsDown) {
    const auto deaf = on(settings, in(BfdState::up), Received{from_neighbor(BfdState::down)}, start, 0).next;
    EXPECT_EQ(verdict(deaf, start), Verdict::down);
    EXPECT_EQ(explain(settings, deaf), "down: the neighbor does not hear us any more");
}

// ---- whose packet it is -----------------------------------------------------------------------------------------------------

TEST(Arrival, BelongsToOneSession) {
    auto with = settings;
    with.source = IpAddress::v4(192, 0, 2, 1);
    const auto session = in(BfdState::up);
    const Arrival good{settings.neighbor, *with.source, 255, false, from_neighbor(BfdState::up)};
    EXPECT_FALSE(unacceptable(with, session, good));
    const auto reason = [&](auto change) {
        auto arrival = good;
        change(arrival);
        const auto found = unacceptable(with, session, arrival);
        return found ? name(*found) : "none";
    };
    EXPECT_EQ(reason([](Arrival& a) { a.source = IpAddress::v4(192, 0, 2, 3); }), "stranger");
    EXPECT_EQ(reason([](Arrival& a) { a.destination = IpAddress::v4(192, 0, 2, 9); }), "stranger");
    EXPECT_EQ(reason([](Arrival& a) { a.multihop = true; }), "stranger");
    EXPECT_EQ(reason([](Arrival& a) { a.packet.your_discriminator = 8; }), "stranger");
    EXPECT_EQ(reason([](Arrival& a) { a.packet.your_discriminator = 0; }), "none");
    for (unsigned hops = 0; hops < 255; ++hops)
        EXPECT_EQ(reason([&](Arrival& a) { a.hop_limit = hops; }), "hop_limit") << hops;
    with.max_hops = 2;
    EXPECT_EQ(reason([](Arrival& a) { a.hop_limit = 253; }), "none");
    EXPECT_EQ(reason([](Arrival& a) { a.hop_limit = 252; }), "hop_limit");
    with.max_hops = 255;
    EXPECT_EQ(reason([](Arrival& a) { a.hop_limit = 1; }), "none");
}

// ---- two of them ------------------------------------------------------------------------------------------------------------

struct Wire {
    model::BfdTracker settings[2]{bfd::settings, bfd::settings};
    Session session[2]{};
    bool cut[2]{}; ///< what this one sends is lost
    Time now{start};
    unsigned packets[2]{};
    std::uint32_t seed{1};
    std::deque<std::tuple<Time, int, BfdControl>> flying{};

    std::uint16_t chance() {
        seed = seed * 1'664'525 + 1'013'904'223;
        return static_cast<std::uint16_t>(seed >> 16);
    }
    void play(int side, const Event& event) {
        auto step = on(settings[side], session[side], event, now, chance());
        session[side] = std::move(step.next);
        if (!step.send) return;
        ++packets[side];
        const auto decoded = wire::decode_bfd(encode(*step.send));
        ASSERT_TRUE(decoded) << name(decoded.error());
        if (!cut[side]) flying.emplace_back(now + 200us, 1 - side, *decoded);
    }
    void begin() {
        play(0, Started{10});
        play(1, Started{20});
    }
    void run(Duration time) {
        const auto end = now + time;
        for (;;) {
            const auto first = flying.empty() ? never : std::get<0>(flying.front());
            const auto next = std::min({first, next_deadline(session[0]), next_deadline(session[1])});
            if (next > end) break;
            now = std::max(now, next);
            if (first <= now) {
                const auto [when, to, packet] = flying.front();
                flying.pop_front();
                if (packet.your_discriminator == 0 || packet.your_discriminator == session[to].local_discriminator)
                    play(to, Received{packet});
                continue;
            }
            for (const int side : {0, 1})
                if (next_deadline(session[side]) <= now) play(side, Elapsed{});
        }
        now = end;
    }
};

TEST(Pair, ComesUpWithinTwoSecondsAndKeepsItsPace) {
    for (std::uint32_t seed = 1; seed < 200; ++seed) {
        Wire wire;
        wire.seed = seed;
        wire.settings[1].passive = seed % 2 == 0;
        wire.begin();
        wire.run(2s);
        for (const auto& session : wire.session) {
            ASSERT_EQ(session.state, BfdState::up) << seed;
            ASSERT_FALSE(session.polling) << seed;
        }
        const auto before = wire.packets[0];
        wire.run(10s);
        ASSERT_GE(wire.packets[0] - before, 99U);
        ASSERT_LE(wire.packets[0] - before, 134U) << "75 to 100 % of 100 ms";
    }
}

TEST(Pair, ACutInOneDirectionTakesBothDownInTime) {
    for (std::uint32_t seed = 1; seed < 200; ++seed) {
        Wire wire;
        wire.seed = seed;
        wire.begin();
        wire.run(3s + Duration{seed * 1'700'000});
        wire.cut[0] = true;
        wire.run(301ms);
        ASSERT_EQ(wire.session[1].state, BfdState::down) << seed;
        ASSERT_EQ(wire.session[1].diagnostic, BfdDiagnostic::detection_time_expired);
        ASSERT_EQ(wire.session[0].state, BfdState::down) << "it was told";
        ASSERT_EQ(wire.session[0].diagnostic, BfdDiagnostic::neighbor_signaled_down);
        wire.cut[0] = false;
        wire.run(4s);
        ASSERT_EQ(wire.session[0].state, BfdState::up) << seed;
        ASSERT_EQ(wire.session[1].state, BfdState::up) << seed;
    }
}

TEST(Pair, ARestartedNeighborIsNoticedAndComesBack) {
    Wire wire;
    wire.begin();
    wire.run(3s);
    wire.session[1] = {};
    wire.play(1, Started{21});
    wire.run(250us);
    EXPECT_EQ(wire.session[0].state, BfdState::down) << "its first packet says that it knows nothing";
    wire.run(3s);
    EXPECT_EQ(wire.session[0].state, BfdState::up);
    EXPECT_EQ(wire.session[0].remote_discriminator, 21U);
}

} // namespace
} // namespace holdfast::bfd
