#include "bus/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>

namespace holdfast::bus {
namespace {

std::int64_t read_usec(clockid_t which) {
    timespec now{};
    ::clock_gettime(which, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

/// Realtime minus monotonic. Reading two clocks jitters, so only a real step of the clock is followed.
std::int64_t offset() {
    constexpr std::int64_t step = 10'000;
    thread_local std::int64_t known = 0;
    const auto now = read_usec(CLOCK_REALTIME) - read_usec(CLOCK_MONOTONIC);
    if (std::abs(now - known) > step) known = now;
    return known;
}

} // namespace

std::uint64_t usec(Duration duration) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(duration / 1us, 0));
}

std::uint64_t monotonic_usec(Time time) {
    return time == never ? 0 : usec(time.time_since_epoch());
}

std::uint64_t realtime_usec(Time time) {
    const auto monotonic = monotonic_usec(time);
    return monotonic == 0 ? 0 : static_cast<std::uint64_t>(static_cast<std::int64_t>(monotonic) + offset());
}

} // namespace holdfast::bus
