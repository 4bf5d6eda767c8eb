// YAML text -> tree. Invariant: bounded work whatever the bytes are, and a tree comes back only when the whole file was
// read without a complaint about its YAML.
#pragma once

#include "config/problems.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

#include <optional>

namespace holdfast::config {

inline constexpr std::size_t largest_file = std::size_t{1024} * 1024; ///< bytes
inline constexpr std::size_t longest_line = std::size_t{64} * 1024;   ///< bytes
inline constexpr unsigned deepest_nesting = 32;
inline constexpr unsigned most_open_brackets = 512; ///< before the library queues tokens for each
inline constexpr std::size_t most_nodes = 200'000;

/// Reads the file of this number. Secrets are hidden in `sources` as they are met. Nothing: the problems say why.
std::optional<Node> parse_yaml(Sources& sources, unsigned file, Problems& problems);

} // namespace holdfast::config
