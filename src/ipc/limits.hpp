// What the fields of messages may be, shared by the files that check them. Only ipc/ includes it.
#pragma once

#include "ipc/message.hpp"

namespace holdfast::ipc {

/// An interval or a timeout: shortest_probe to longest_probe.
Result<void> probe_time(std::string_view what, Duration value);
/// Not empty, not longer, without a zero byte.
Result<void> text(std::string_view what, const std::string& value, std::size_t longest);
/// limits.cpp: whatever passes fits into one packet, and can be said on a line of the protocols without ending it.
Result<void> limits_of(const StartCheck&);

} // namespace holdfast::ipc
