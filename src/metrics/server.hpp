// Serves GET /metrics on a socket that is listening already: a few connections at a time, each with a deadline, one
// answer each; ends when nobody came for a while.
#pragma once

#include "base/fd.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace holdfast::metrics {

struct Answer {
    int status{200};
    std::string type, body;
};

struct Limits {
    std::size_t connections{16};
    std::chrono::milliseconds request{5000}, answer{10'000}, idle{60'000};
};

/// `scrape` is asked for each good request, whether in OpenMetrics.
void serve(Fd listener, const Limits& limits, const std::function<Answer(bool open_metrics)>& scrape);

} // namespace holdfast::metrics
