#include "metrics/render.hpp"

#include <cmath>
#include <fmt/format.h>
#include <iterator>

namespace holdfast::metrics {
namespace {

/// Both formats escape a label's value alike; a help text keeps its quotes in the classic one.
std::string escaped(const std::string& text, bool quotes) {
    std::string result;
    for (const char c : text) {
        if (c == '\\')
            result += "\\\\";
        else if (c == '\n')
            result += "\\n";
        else if (c == '"' && quotes)
            result += "\\\"";
        else
            result += c;
    }
    return result;
}

/// Whole numbers as such, whatever their size.
std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    constexpr double exact = 9007199254740992.0; // 2^53
    if (value == std::floor(value) && std::fabs(value) <= exact) return fmt::format("{:.0f}", value);
    return fmt::format("{}", value);
}

const char* ending(Type type) {
    return type == Type::counter ? "_total" : type == Type::info ? "_info" : "";
}

const char* type_name(Type type, Format format) {
    if (type == Type::counter) return "counter";
    if (type == Type::histogram) return "histogram";
    return type == Type::info && format == Format::open_metrics ? "info" : "gauge";
}

void render_sample(std::string& text, const std::string& name, const Sample& sample) {
    text += name;
    text += sample.part;
    for (std::size_t i = 0; i < sample.labels.size(); ++i)
        fmt::format_to(std::back_inserter(text), "{}{}=\"{}\"", i == 0 ? '{' : ',', sample.labels[i].first,
                       escaped(sample.labels[i].second, true));
    fmt::format_to(std::back_inserter(text), "{} {}\n", sample.labels.empty() ? "" : "}", number(sample.value));
}

} // namespace

std::string render(const std::vector<Family>& families, Format format) {
    std::string text;
    for (const auto& family : families) {
        if (family.samples.empty()) continue;
        const auto sample_name = family.name + ending(family.type);
        // The classic format knows of no endings: there a family has its samples' name.
        const auto& name = format == Format::classic ? sample_name : family.name;
        fmt::format_to(std::back_inserter(text), "# HELP {} {}\n# TYPE {} {}\n", name,
                       escaped(family.help, format == Format::open_metrics), name, type_name(family.type, format));
        for (const auto& sample : family.samples)
            render_sample(text, sample_name, sample);
    }
    if (format == Format::open_metrics) text += "# EOF\n";
    return text;
}

const char* content_type(Format format) {
    return format == Format::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                          : "text/plain; version=0.0.4; charset=utf-8";
}

} // namespace holdfast::metrics
