// The engine's monotonic times as the microseconds that D-Bus and JSON carry.
#pragma once

#include "base/time.hpp"

#include <cstdint>

namespace holdfast::bus {

std::uint64_t usec(Duration);
/// CLOCK_MONOTONIC; 0 for a time that never was, and for one that will never be.
std::uint64_t monotonic_usec(Time);
/// CLOCK_REALTIME at that moment, 0 as above. Two calls for one time give the same, unless somebody set the clock between them.
std::uint64_t realtime_usec(Time);

} // namespace holdfast::bus
