// Small text helpers that more than one room needs.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// The candidate nearest to `word` if it is near enough to be a typing slip (edit distance at most a third of the word,
/// at least one), for "did you mean" hints.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// Joins with a separator: {"a", "b"}, ", " gives "a, b".
std::string join(std::span<const std::string> parts, std::string_view separator);

/// True for [A-Za-z0-9_.-]{1,64}, what an object may be called.
bool is_name(std::string_view text);

/// An error unless `value` has 1 to `longest` bytes and none of them is zero: "the WHAT is empty".
Result<void> required_text(std::string_view what, const std::string& value, std::size_t longest);

} // namespace holdfast
