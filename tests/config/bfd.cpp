// `bfd:` of a tracker: the table of RFC 5880's variables as directives.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

model::BfdTracker bfd(const std::string& directives) {
    const auto config = good(tracker_with("bfd: {" + directives + "}"));
    const auto* kind = config.trackers.empty() ? nullptr : std::get_if<model::BfdTracker>(&config.trackers[0].kind);
    return kind ? *kind : model::BfdTracker{};
}

TEST(BfdTracker, NeedsANeighborAndNothingElse) {
    const auto plain = bfd("neighbor: 192.0.2.2");
    EXPECT_EQ(plain, (model::BfdTracker{.neighbor = IpAddress::v4(192, 0, 2, 2)}));
    EXPECT_EQ(plain.hops(), 0U);
    EXPECT_EQ(bfd("neighbor: 192.0.2.2, multihop: true").hops(), 255U);
    EXPECT_EQ(bfd("neighbor: 192.0.2.2, multihop: true, max_hops: 2").hops(), 2U);
}

TEST(BfdTracker, TakesEveryDirectiveAndIsWrittenBack) {
    const auto text =
        tracker_with("bfd: {neighbor: \"2001:db8::2\", source: \"2001:db8::1\", min_tx: 50ms, min_rx: 60ms, idle_tx: "
                     "2s, multiplier: 5, passive: true, ttl: 64, max_hops: 3, multihop: true}");
    const auto config = good(text);
    EXPECT_EQ(config.trackers[0].kind, (model::TrackerKind{model::BfdTracker{.neighbor = *parse_ip("2001:db8::2"),
                                                                             .source = *parse_ip("2001:db8::1"),
                                                                             .min_tx = 50ms,
                                                                             .min_rx = 60ms,
                                                                             .idle_tx = 2s,
                                                                             .multiplier = 5,
                                                                             .passive = true,
                                                                             .ttl = 64,
                                                                             .max_hops = 3U,
                                                                             .multihop = true}}));
    EXPECT_EQ(good(dump(config)), config);
    EXPECT_EQ(model::target(config.trackers[0].kind), "2001:db8::2");
    EXPECT_EQ(model::kind_name(config.trackers[0].kind), "bfd");
}

TEST(BfdTracker, MayDifferByHost) {
    EXPECT_EQ(bfd("neighbor: {lb1: 192.0.2.2, lb2: 192.0.2.1}").neighbor, IpAddress::v4(192, 0, 2, 2));
}

TEST(BfdTracker, SaysWhatIsWrong) {
    struct Case {
        std::string text, message, hint;
    };
    const Case cases[]{
        {"bfd: 192.0.2.2", "bfd must be a map, not '192.0.2.2'", "write bfd: {neighbor: 192.0.2.2}"},
        {"bfd: {}", "bfd has no neighbor", "add neighbor: an IP address"},
        {"bfd: {neighbor: gw}", "neighbor must be an IP address, not 'gw'", ""},
        {"bfd: {neighbor: 224.0.0.1}", "neighbor must be the address of one host, not '224.0.0.1'", ""},
        {"bfd: {neighbor: \"fe80::1\"}", "neighbor must be an address that says its link by itself, not 'fe80::1'",
         "use a global or unique local address (fd00::/8) of the host"},
        {"bfd: {neighbor: 192.0.2.2, source: \"2001:db8::1\"}",
         "source 2001:db8::1 and neighbor 192.0.2.2 are of two families", "give both in the same"},
        {"bfd: {neighbor: 192.0.2.2, min_tx: 100}", "min_tx needs a unit: '100' of what?",
         "write 100s for seconds or 100ms for milliseconds"},
        {"bfd: {neighbor: 192.0.2.2, idle_tx: 500ms}", "idle_tx must be 1s to 1h, not '500ms'", ""},
        {"bfd: {neighbor: 192.0.2.2, multiplier: 0}", "multiplier must be a number from 1 to 255, not '0'", ""},
        {"bfd: {neighbor: 192.0.2.2, max_hops: 256}", "max_hops must be a number from 0 to 255, not '256'", ""},
        {"bfd: {neighbor: 192.0.2.2, min_xt: 1s}", "'min_xt' is not a directive of bfd", "did you mean 'min_tx'?"},
        {"bfd: {neighbor: 192.0.2.2}, unit: a.service",
         "tracker 't' watches unit already, and bfd would be a second thing", "make two trackers and track both"},
    };
    for (const auto& one : cases)
        expect_refused(tracker_with(one.text), one.message, one.hint);
}

} // namespace
} // namespace holdfast::config::testing
