// What a BFD tracker asks of its session (RFC 5880 asynchronous mode; RFC 5881 one hop, RFC 5883 several).
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>

namespace holdfast::model {

struct BfdTracker {
    IpAddress neighbor;
    std::optional<IpAddress> source; ///< nothing: the kernel's choice for this neighbor
    Duration min_tx{100ms};
    Duration min_rx{100ms};
    Duration idle_tx{1s}; ///< while the session is not up; at least 1 s (RFC 5880 6.8.3)
    std::uint8_t multiplier{3};
    bool passive{false};
    std::uint8_t ttl{255};            ///< of what is sent
    std::optional<unsigned> max_hops; ///< 0 to 255; 255: not looked at. Nothing: 0, with multihop 255
    bool multihop{false};
    bool operator==(const BfdTracker&) const = default;

    unsigned hops() const { return max_hops.value_or(multihop ? 255U : 0U); }
};

} // namespace holdfast::model
