// The only place that reads clocks for the loop.
#pragma once

#include "base/time.hpp"

#include <ctime>

namespace holdfast::daemon {

inline Duration read_clock(clockid_t which) {
    timespec now{};
    ::clock_gettime(which, &now);
    return std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec};
}
inline Time monotonic_now() {
    return Time{read_clock(CLOCK_MONOTONIC)};
}
inline BootTime boot_now() {
    return BootTime{read_clock(CLOCK_BOOTTIME)};
}

} // namespace holdfast::daemon
