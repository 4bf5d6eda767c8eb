// Families of samples as text, in OpenMetrics or in the classic format of Prometheus. Knows both formats and no metric.
// Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace holdfast::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
    Labels labels;
    double value{};
    const char* part{""}; ///< of a histogram: "_bucket" with the label le, "_sum", "_count"
};

enum class Type { gauge, counter, info, histogram };

/// Named without the ending (_total, _info) that its type gives it.
struct Family {
    std::string name;
    Type type{};
    std::string help;
    std::vector<Sample> samples;
};

enum class Format { classic, open_metrics };

/// A family without samples is left out: what is not known is not said.
std::string render(const std::vector<Family>& families, Format format);
const char* content_type(Format format);

} // namespace holdfast::metrics
