#include "base/time.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Duration, IsReadWithItsUnit) {
    const std::pair<std::string, Duration> cases[]{
        {"1s", 1s},
        {"0s", 0s},
        {"100ms", 100ms},
        {"250us", 250us},
        {"10ns", 10ns},
        {"2min", 2min},
        {"1h", 1h},
        {"1d", 24h},
        {"1.5s", 1500ms},
        {"0.01s", 10ms},
        {".5s", 500ms},
        {"40.95s", 40'950ms},
        {"2.25ms", 2250us},
        {"0.5h", 30min},
        {"1.s", 1s},
        {"007s", 7s},
        {"36500d", std::chrono::hours{24} * 36500},
    };
    for (const auto& [text, value] : cases)
        EXPECT_EQ(parse_duration(text), value) << text;
}

TEST(Duration, RefusesWhatHasNoUnitOrNoNumber) {
    for (const std::string bad : {"",
                                  "1",
                                  "1.5",
                                  "s",
                                  "ms",
                                  "-1s",
                                  "1 s",
                                  " 1s",
                                  "1s ",
                                  "1sec",
                                  "1S",
                                  "1m",
                                  "1e3s",
                                  "0x1s",
                                  "nans",
                                  "infs",
                                  "inf",
                                  "nan",
                                  "1s1ms",
                                  "1,5s",
                                  "1..5s",
                                  "+1s",
                                  "99999999999999999999s",
                                  "36501d",
                                  "1e400s"})
        EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
}

TEST(Duration, IsWrittenInTheLargestUnitThatKeepsItShort) {
    const std::pair<Duration, std::string> cases[]{
        {0s, "0s"},          {1s, "1s"},
        {1500ms, "1.5s"},    {40'950ms, "40.95s"},
        {100ms, "100ms"},    {60s, "1min"},
        {90s, "90s"},        {1h, "1h"},
        {36h, "36h"},        {48h, "2d"},
        {2250us, "2.25ms"},  {1ns, "1ns"},
        {1001us, "1.001ms"}, {1'000'001us, "1000.001ms"},
        {-5s, "-5s"},
    };
    for (const auto& [value, text] : cases)
        EXPECT_EQ(to_string(value), text);
}

/// What comes from a helper that means harm is written too, into the reason why it is refused.
TEST(Duration, OfAnySizeIsWritten) {
    EXPECT_EQ(to_string(Duration::min()), "-9223372036854775808ns");
    EXPECT_EQ(to_string(Duration::max()), "9223372036854775.807us");
    EXPECT_EQ(to_string(-Duration::max()), "-9223372036854775.807us");
    EXPECT_EQ(to_string(Duration{9'223'372'036'854'775'000}), "9223372036854.775ms");
}

TEST(Duration, IsReadBackAsItWasWritten) {
    Duration value{1};
    for (int i = 0; i < 5000; ++i) {
        EXPECT_EQ(parse_duration(to_string(value)), value) << to_string(value);
        value = value * 1009 / 1000 + Duration{7};
        if (value > 24h * 30) value = Duration{value.count() % 1'000'003};
    }
}

} // namespace
} // namespace holdfast
