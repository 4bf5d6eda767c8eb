// The small deciders of the engine, table by table; what they do together is shown by the scenarios and the simulator.

#include "engine/note.hpp"
#include "engine/plan.hpp"
#include "engine/record.hpp"
#include "engine/track.hpp"
#include "vrrp/timing.hpp"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

const AddressKey key{LinkIndex{2}, {IpAddress::v4(192, 0, 2, 10), 24}};
const Time now{100s};

template <typename Operation>
bool is(const std::optional<OperationBody>& body) {
    return body && std::holds_alternative<Operation>(*body);
}

TEST(Plan, BringsTheKernelToWhatIsDesired) {
    const KernelView::Address ours{.ours = true, .expires = now + 5s}, foreign{.ours = false};
    const DesiredAddress leased{.lease = std::chrono::seconds{5}}, for_ever{};
    EXPECT_TRUE(is<AddAddress>(plan(key, nullptr, leased, never, now)));
    EXPECT_TRUE(is<RemoveAddress>(plan(key, &ours, std::nullopt, never, now)));
    EXPECT_FALSE(plan(key, nullptr, std::nullopt, never, now));
    EXPECT_FALSE(plan(key, &ours, leased, now + 1s, now));
    EXPECT_TRUE(is<RenewAddress>(plan(key, &ours, leased, now, now)));
    EXPECT_TRUE(is<RenewAddress>(plan(key, &ours, for_ever, never, now))) << "a lease where none is wanted";
    EXPECT_FALSE(plan(key, &foreign, leased, now, now)) << "not ours: not renewed";
    EXPECT_FALSE(plan(key, &foreign, std::nullopt, now, now)) << "not ours: not removed";
}

TrackerState tracker(unsigned rise, unsigned fall) {
    return {.model = {.name = "page", .kind = model::HttpTracker{"http://127.0.0.1/"}, .rise = rise, .fall = fall}};
}

TEST(Tracker, TheFirstObservationCountsAtOnce) {
    auto state = tracker(3, 3);
    EXPECT_TRUE(observe(state, Observation::down, "", false, now));
    EXPECT_EQ(state.verdict, Verdict::down);
}

TEST(Tracker, RiseAndFallCountObservationsInARow) {
    auto state = tracker(2, 3);
    observe(state, Observation::up, "", false, now);
    const Observation seen[] = {Observation::down, Observation::down, Observation::up, Observation::down,
                                Observation::down, Observation::down, Observation::up, Observation::up};
    const Verdict expected[] = {Verdict::up, Verdict::up,   Verdict::up,   Verdict::up,
                                Verdict::up, Verdict::down, Verdict::down, Verdict::up};
    for (std::size_t i = 0; i < std::size(seen); ++i) {
        observe(state, seen[i], "", false, now);
        EXPECT_EQ(state.verdict, expected[i]) << i;
    }
}

TEST(Tracker, ContributesItsWeightAsKeepalivedDoes) {
    const model::TrackUse plus{"page", 20}, minus{"page", -60}, fault{"page", {}};
    EXPECT_EQ(contribution(plus, Verdict::up), 20);
    EXPECT_EQ(contribution(plus, Verdict::down), 0);
    EXPECT_EQ(contribution(minus, Verdict::up), 0);
    EXPECT_EQ(contribution(minus, Verdict::down), -60);
    EXPECT_EQ(contribution(plus, Verdict::unknown), 20);
    EXPECT_EQ(contribution(minus, Verdict::unknown), 0);
    EXPECT_TRUE(is_fault(fault, Verdict::down));
    EXPECT_FALSE(is_fault(fault, Verdict::unknown));
    EXPECT_FALSE(is_fault(minus, Verdict::down));
}

TEST(NoteLimiter, LetsOneThroughAMinuteAndCountsTheRest) {
    NoteLimiter limiter;
    EXPECT_EQ(limiter.pass(1, now), 0U);
    for (int i = 0; i < 1000; ++i)
        EXPECT_FALSE(limiter.pass(1, now + 1s));
    EXPECT_EQ(limiter.pass(2, now + 1s), 0U);
    EXPECT_EQ(limiter.pass(1, now + 61s), 1000U);
    EXPECT_FALSE(limiter.pass(1, now + 62s));
}

TEST(Beat, DrawsAdvertsTogetherWithoutEverDelayingOneOrHurryingItByMoreThanAFewPercent) {
    for (const Duration interval : {Duration{10ms}, Duration{100ms}, Duration{1s}})
        for (int start = 0; start < 50; ++start) {
            Time advert = now + start * (interval / 50);
            for (int i = 0; i < 1000; ++i) {
                const auto drawn = vrrp::drawn_to_beat(advert, interval);
                ASSERT_LE(drawn, advert);
                ASSERT_LE(advert - drawn, std::min(interval / 20, Duration{500us}));
                advert = drawn + interval;
            }
            EXPECT_EQ(advert.time_since_epoch() % (interval / 4), Duration::zero()) << start;
        }
}

Record sample() {
    Record record{.boot_id = "0123",
                  .network_namespace = 4026531840,
                  .adoptions = 2,
                  .first_adoption = BootTime{5s},
                  .has_filter = true,
                  .timeouts_before = IpvsTimeouts{900, 120, 300},
                  .reuse_before = IpvsReuse{0, std::nullopt},
                  .links = {{LinkIndex{2}, "eth0", {.arp_ignore = 2, .arp_filter = 1, .arp_announce = 1}}},
                  .routers = {},
                  .services = {{Family::ipv4, 0, model::Protocol::sctp, IpAddress::v4(192, 0, 2, 10), 80},
                               {Family::ipv6, 0, model::Protocol::udp, *parse_ip("2001:db8::10"), 53},
                               {.family = Family::ipv6, .mark = 7}}};
    for (const auto family : {Family::ipv4, Family::ipv6})
        record.routers.push_back(
            {.slot = 7,
             .name = "web",
             .interface = "eth0",
             .link = LinkIndex{2},
             .mac = {{2, 0, 0, 0, 0, 1}},
             .vrid = Vrid{51},
             .family = family,
             .master = true,
             .priority = Priority{250},
             .interval = 1s,
             .addresses = {{family == Family::ipv4 ? IpAddress::v4(192, 0, 2, 10) : *parse_ip("2001:db8::1"), 24}},
             .sequence = 0x6500000080000003,
             .marks = {{family == Family::ipv4 ? IpAddress::v4(192, 0, 2, 1) : *parse_ip("fe80::1"), 17,
                        0x6500000080000000}},
             .priority_by_hand = 180,
             .taken_over = family == Family::ipv6,
             .held_until = family == Family::ipv4 ? std::optional{Time{90s}} : std::nullopt});
    return record;
}

TEST(Record, ComesBackAsItWas) {
    const auto record = sample();
    const auto decoded = decode_record(encode(record));
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(*decoded, record);
}

TEST(Record, OfVersionFiveIsReadWithoutServices) {
    const Bytes five{0x48, 0x46, 0x44, 0x31, 0,    0,   0, 5,                                    // "HFD1", version
                     0,    4,    'b',  'o',  'o',  't', 0, 0, 0, 0, 0,   0,   0,   7,            // boot, namespace
                     0,    0,    0,    1,    0,    0,   0, 0, 0, 0, 0,   9,   1,                 // adoptions, filter
                     0,    0,    0,    1,    0,    0,   0, 2, 0, 4, 'e', 't', 'h', '0', 1, 0, 2, // no settings; a link
                     0,    0,    0x8f, 0x28, 0xfa, 0x26};                                        // no router; CRC-32
    const auto record = decode_record(five);
    ASSERT_TRUE(record) << record.error();
    EXPECT_EQ(*record, (Record{.boot_id = "boot",
                               .network_namespace = 7,
                               .adoptions = 1,
                               .first_adoption = BootTime{9ns},
                               .has_filter = true,
                               .timeouts_before = {},
                               .reuse_before = {},
                               .links = {{LinkIndex{2}, "eth0", {.arp_ignore = 1, .arp_filter = 0, .arp_announce = 2}}},
                               .routers = {},
                               .services = {}}));
}

TEST(Record, IsRefusedWhenASingleBitOrByteIsWrong) {
    const auto bytes = encode(sample());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto damaged = bytes;
        damaged[i] ^= 0x10;
        EXPECT_FALSE(decode_record(damaged)) << i;
        EXPECT_FALSE(decode_record(ByteView{bytes}.first(i))) << i;
    }
}

} // namespace
} // namespace holdfast::engine
