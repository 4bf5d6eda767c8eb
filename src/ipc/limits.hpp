// What the fields of messages may be, shared by the files that check them. Only ipc/ includes it.
#pragma once

#include "base/text.hpp"
#include "ipc/message.hpp"
#include "model/check_limits.hpp"

namespace holdfast::ipc {

/// An interval or a timeout: shortest_probe to longest_probe.
Result<void> probe_time(std::string_view what, Duration value);
/// Of what is asked for (model/check_limits) and how often.
Result<void> limits_of(const StartCheck&);

} // namespace holdfast::ipc
