// The daemon as the metrics see it: one question on its private socket, asked anew for each scrape, so nothing is stale.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace holdfast::metrics {

/// Manager.Describe at this D-Bus address; nothing when nobody answers in time.
std::optional<std::string> describe(const std::string& address, std::chrono::milliseconds limit);

} // namespace holdfast::metrics
