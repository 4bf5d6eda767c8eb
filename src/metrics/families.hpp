// What the daemon says of itself (Manager.Describe) as metric families: what it does not say has no sample. Pure.
#pragma once

#include "metrics/render.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::metrics {

enum class Names { holdfast, keepalived };

/// `now` is CLOCK_REALTIME in microseconds, for ages. Nothing when the text is not what a daemon says.
std::optional<std::vector<Family>> families(const std::string& described, Names names, std::uint64_t now);

/// Nobody answers: that, and no old value.
std::vector<Family> families_of_nobody(Names names);

} // namespace holdfast::metrics
