// BFD control packets (RFC 5880 4.1) without authentication: bytes to values and back. Decoding makes the checks of 6.8.6 that
// need no session.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <string_view>

namespace holdfast::wire {

inline constexpr std::uint16_t bfd_port = 3784;          ///< RFC 5881 4: one hop
inline constexpr std::uint16_t bfd_multihop_port = 4784; ///< RFC 5883 5

enum class BfdState : std::uint8_t { admin_down, down, init, up };

/// Why the sender's session left Up last (RFC 5880 4.1).
enum class BfdDiagnostic : std::uint8_t {
    none,
    detection_time_expired,
    echo_failed,
    neighbor_signaled_down,
    forwarding_reset,
    path_down,
    concatenated_path_down,
    administratively_down,
    reverse_concatenated_path_down,
};

struct BfdControl {
    BfdDiagnostic diagnostic{};
    BfdState state{BfdState::down};
    bool poll{false}, final{false};
    bool control_plane_independent{false}, demand{false};
    std::uint8_t multiplier{};
    std::uint32_t my_discriminator{}, your_discriminator{};
    std::chrono::microseconds desired_min_tx{}, required_min_rx{}, required_min_echo_rx{};
    bool operator==(const BfdControl&) const = default;
};

enum class BfdReject : std::uint8_t {
    truncated,      ///< shorter than 24 bytes, or than its own length
    version,        ///< not 1
    length,         ///< not the one of a packet without authentication
    authentication, ///< it has some, and we don't
    multiplier,     ///< 0
    multipoint,     ///< a bit that must be zero
    discriminator,  ///< the sender's is 0, or ours is although its session is not down
    hop_limit,      ///< it came through more routers than `max_hops` allows
    stranger,       ///< no session of ours
};
std::string_view name(BfdReject);

/// 24 bytes.
Bytes encode(const BfdControl&);
Result<BfdControl, BfdReject> decode_bfd(ByteView);

} // namespace holdfast::wire
