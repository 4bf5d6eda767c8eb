// What a probe may say and expect, at most: what passes fits into one message to the prober and can be said on a line of the
// protocols without ending it. One truth with two readers: config refuses more with its place in the file, and the door of
// the prober (ipc/limits) refuses it whoever asks.
#pragma once

#include "base/result.hpp"
#include "model/check.hpp"

namespace holdfast::model {

inline constexpr std::size_t max_requests = 32;     ///< of an HTTP check
inline constexpr std::size_t max_ranges = 16;       ///< of statuses
inline constexpr std::size_t max_headers_sent = 32; ///< of a request
inline constexpr std::size_t max_check_text = 2048; ///< bytes of a path, a pattern, a header
inline constexpr std::size_t max_check_file = 4096; ///< bytes of a file's path
inline constexpr std::size_t max_check = 48'000;    ///< bytes of all texts of a check together
inline constexpr std::size_t max_datagram = 1472;   ///< bytes of a payload or of an expected reply

/// The error says what is wrong, as a clause: "the path is longer than 2048 bytes". Trackers and scripts have no limits here.
Result<void> limits_of(const CheckKind&);

} // namespace holdfast::model
