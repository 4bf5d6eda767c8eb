// Time as values. `Time` is CLOCK_MONOTONIC and drives every timer; `BootTime` is CLOCK_BOOTTIME and marks what has to
// outlive the process (the state record). Wall-clock time (`WallTime`, CLOCK_REALTIME) is seen by signatures alone, and no
// step of it may strand anybody (N14).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace holdfast {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A clock that is never asked: `now` is read once per loop turn by daemon/ and handed down as a value.
struct Monotonic {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Monotonic, Duration>;
    static constexpr bool is_steady = true;
};
struct Boot {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Boot, Duration>;
    static constexpr bool is_steady = true;
};
struct Wall {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Wall, Duration>;
    static constexpr bool is_steady = false;
};
using Time = Monotonic::time_point;
using BootTime = Boot::time_point;
using WallTime = Wall::time_point; ///< since 1970-01-01 UTC

/// "No deadline": later than every real one.
inline constexpr Time never = Time::max();

/// "1s", "100ms", "1.5s", "2min", "250us": the exact value, the largest unit that keeps it short.
std::string to_string(Duration);
/// The reverse: a number (fractions allowed) with a unit us, ms, s, min, h or d. Nothing for anything else, for a negative
/// value and beyond 100 years.
std::optional<Duration> parse_duration(const std::string& text);

} // namespace holdfast
