// keepalived's retry (keepalived.md 2.11), rise, and what a dynamic script's status means.
#include "check/check.hpp"

#include <gtest/gtest.h>
#include <string>

namespace holdfast::check {
namespace {

/// The verdicts after each of these probes: g good, b bad, u unknown.
std::string verdicts(const model::Check& check, const std::string& probes) {
    State state;
    std::string result;
    Time now{};
    for (const char c : probes) {
        on(state, check, {.good = c == 'g', .unknown = c == 'u', .detail = "d"}, now += 1s);
        result += name(state.verdict).front();
    }
    return result;
}

TEST(Check, ForgivesAsManyBadProbesInARowAsRetrySays) {
    EXPECT_EQ(verdicts({.retry = 0}, "gbg"), "udu");
    EXPECT_EQ(verdicts({.retry = 1}, "gbgbbb"), "uuuudd");
    EXPECT_EQ(verdicts({.retry = 3}, "gbbbgbbbb"), "uuuuuuuud");
}

TEST(Check, ComesUpAfterRiseGoodOnesInARow) {
    EXPECT_EQ(verdicts({.retry = 0, .rise = 3}, "gbggbggg"), "udddddd"
                                                             "u");
}

TEST(Check, TheFirstGoodProbeCountsAtOnceAndTheFirstBadOnesAreForgivenToo) {
    EXPECT_EQ(verdicts({.retry = 0, .rise = 5}, "g"), "u");
    EXPECT_EQ(verdicts({.retry = 2}, "bbb"), "ppd");
    EXPECT_EQ(verdicts({.retry = 2, .rise = 5}, "bg"), "pu");
}

TEST(Check, AProbeThatCouldNotBeMadeSaysNothing) {
    EXPECT_EQ(verdicts({.retry = 1}, "uuugbuub"), "pppuuuud");
    State state;
    on(state, {}, {.unknown = true, .detail = "EPERM"}, Time{});
    EXPECT_TRUE(state.blind);
    EXPECT_EQ(state.probes, 0U);
}

TEST(Check, ADynamicScriptSaysTheWeightToo) {
    const model::Check check{.kind = model::ScriptCheck{.script = {"/bin/x"}, .dynamic = true}, .retry = 0};
    State state;
    EXPECT_TRUE(on(state, check, {.good = true, .status = 0}, Time{}));
    EXPECT_EQ(state.weight, std::nullopt);
    EXPECT_TRUE(on(state, check, {.good = false, .status = 102}, Time{}));
    EXPECT_EQ(state.verdict, Verdict::up);
    EXPECT_EQ(state.weight, 100U);
    EXPECT_FALSE(on(state, check, {.good = false, .status = 102}, Time{}));
    EXPECT_TRUE(on(state, check, {.good = false, .status = 2}, Time{}));
    EXPECT_EQ(state.weight, 0U);
    EXPECT_TRUE(on(state, check, {.good = false, .status = 1}, Time{}));
    EXPECT_EQ(state.verdict, Verdict::down);
}

TEST(Check, AStaticScriptsStatusIsGoodOrBadAlone) {
    const model::Check check{.kind = model::ScriptCheck{.script = {"/bin/x"}}, .retry = 0};
    State state;
    on(state, check, {.good = false, .status = 102}, Time{});
    EXPECT_EQ(state.verdict, Verdict::down);
    EXPECT_EQ(state.weight, std::nullopt);
}

TEST(Check, KnowsHowManyEqualOutcomesCanMatter) {
    EXPECT_EQ(decisive({.retry = 1}), 2U);
    EXPECT_EQ(decisive({.retry = 1, .rise = 5}), 5U);
}

} // namespace
} // namespace holdfast::check
