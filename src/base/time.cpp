#include "base/time.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <string_view>

namespace holdfast {
namespace {

struct Unit {
    std::string_view name;
    Duration value;
};
constexpr std::array units{Unit{"d", 24h},  Unit{"h", 1h},   Unit{"min", 1min}, Unit{"s", 1s},
                           Unit{"ms", 1ms}, Unit{"us", 1us}, Unit{"ns", 1ns}};

constexpr Duration longest = std::chrono::hours{24 * 365 * 100};

} // namespace

std::string to_string(Duration value) {
    if (value == Duration::zero()) return "0s";
    if (value == Duration::min()) return fmt::format("{}ns", value.count()); // there is no such positive number
    if (value < Duration::zero()) return "-" + to_string(-value);
    for (const auto& unit : units) {
        if (value < unit.value) continue;
        if (value % unit.value == Duration::zero()) return fmt::format("{}{}", value / unit.value, unit.name);
        // A fraction reads well for seconds and below ("1.5s", "2.25ms"); above, the next smaller unit reads better.
        if (unit.value > 1s) continue;
        const auto thousandth = unit.value / 1000;
        if (value % thousandth == Duration::zero()) {
            auto text = fmt::format("{}.{:03}", value / unit.value, value % unit.value / thousandth);
            while (text.back() == '0')
                text.pop_back();
            return text + std::string{unit.name};
        }
    }
    return fmt::format("{}ns", value.count());
}

std::optional<Duration> parse_duration(const std::string& text) {
    double number = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (error != std::errc{} || !(number >= 0)) return std::nullopt;
    const std::string_view name{rest, static_cast<std::size_t>(end - rest)};
    for (const auto& unit : units) {
        if (name != unit.name) continue;
        const double ns = number * static_cast<double>(unit.value.count());
        if (ns > static_cast<double>(longest.count())) return std::nullopt;
        return Duration{std::llround(ns)};
    }
    return std::nullopt;
}

} // namespace holdfast
