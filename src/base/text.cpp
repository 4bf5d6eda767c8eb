#include "base/text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace holdfast {
namespace {

/// Damerau-Levenshtein with adjacent transpositions: "prioirty" is one slip away from "priority".
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

} // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    constexpr std::size_t longest_word = 64; // a longer one is no slip of the finger
    if (word.empty() || word.size() > longest_word) return std::nullopt;
    std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::optional<std::string> result;
    for (const auto& candidate : candidates) {
        const auto distance = edit_distance(word, candidate);
        if (distance < best) {
            best = distance;
            result = candidate;
        }
    }
    return result;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    std::string result;
    for (const auto& part : parts) {
        if (!result.empty()) result += separator;
        result += part;
    }
    return result;
}

bool is_name(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '-';
    };
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, fits);
}

Result<void> required_text(std::string_view what, const std::string& value, std::size_t longest) {
    if (value.empty()) return unexpected{fmt::format("the {} is empty", what)};
    if (value.size() > longest) return unexpected{fmt::format("the {} is longer than {} bytes", what, longest)};
    if (value.find('\0') != std::string::npos) return unexpected{fmt::format("the {} contains a zero byte", what)};
    return {};
}

} // namespace holdfast
