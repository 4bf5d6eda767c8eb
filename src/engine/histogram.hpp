// How long things took, or how late they were: counted by upper bounds, and summed.
#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace holdfast::engine {

/// `Bounds`: an ascending array of Durations.
template <const auto& Bounds>
struct Histogram {
    /// Each in the first bound that it does not exceed; what exceeds all comes last.
    std::array<std::uint64_t, Bounds.size() + 1> counts{};
    std::uint64_t usec{}; ///< of all of them together

    /// Negative times are none.
    void add(Duration time) {
        time = std::max(time, Duration::zero());
        ++counts[static_cast<std::size_t>(std::ranges::lower_bound(Bounds, time) - Bounds.begin())];
        usec += static_cast<std::uint64_t>(time / 1us);
    }
    bool operator==(const Histogram&) const = default;
};

} // namespace holdfast::engine
