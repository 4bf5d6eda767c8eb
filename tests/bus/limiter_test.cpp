// How often a caller may ask, with a clock of the test's own.

#include "bus/limiter.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::bus::test {
namespace {

constexpr Time start{100s};
constexpr auto a_token = Duration{1s} / Limiter::a_second;

TEST(Limiter, GivesAFullBucketAtOnceAndThenWhatFlowsIn) {
    Limiter limiter;
    for (unsigned i = 0; i < Limiter::size; ++i)
        ASSERT_EQ(limiter.take(":1.1", 1, start), std::nullopt);
    EXPECT_EQ(limiter.take(":1.1", 1, start), a_token);
    EXPECT_EQ(limiter.take(":1.1", 1, start + a_token - 1ns), 1ns) << "a refusal costs nothing";
    EXPECT_EQ(limiter.take(":1.1", 1, start + a_token), std::nullopt);
    EXPECT_EQ(limiter.take(":1.1", 8, start + a_token), 8 * a_token) << "what costs more waits longer";
}

TEST(Limiter, IsNoBucketForWhatIsFreeAndAnotherForEachCaller) {
    Limiter limiter;
    EXPECT_EQ(limiter.take(":1.1", 0, start), std::nullopt);
    EXPECT_EQ(limiter.buckets(), 0U);
    for (unsigned i = 0; i <= Limiter::size; ++i)
        limiter.take(":1.1", 1, start);
    EXPECT_EQ(limiter.take(":1.2", 1, start), std::nullopt);
    EXPECT_EQ(limiter.take(":1.1", 1, start), a_token);
    limiter.forget(":1.1");
    EXPECT_EQ(limiter.buckets(), 1U);
    EXPECT_EQ(limiter.take(":1.1", 1, start), std::nullopt) << "a name is never given again by a bus";
}

TEST(Limiter, KeepsSoManyAndForgetsThoseThatAreFull) {
    Limiter limiter;
    for (std::size_t i = 0; i < Limiter::most; ++i)
        limiter.take(fmt::format(":1.{}", i), 2, start);
    EXPECT_EQ(limiter.buckets(), Limiter::most);
    for (unsigned i = 0; i < Limiter::size; ++i)
        ASSERT_EQ(limiter.take(fmt::format(":2.{}", i), 1, start), std::nullopt);
    EXPECT_EQ(limiter.take(":3.1", 1, start), a_token) << "the others share one";
    EXPECT_EQ(limiter.take(":1.7", 1, start), std::nullopt) << "which takes nothing from those that have one";
    EXPECT_EQ(limiter.buckets(), Limiter::most + 1);
    EXPECT_EQ(limiter.take(":3.1", 1, start + 2 * a_token), std::nullopt);
    EXPECT_LE(limiter.buckets(), 3U) << "most were full again";
}

} // namespace
} // namespace holdfast::bus::test
