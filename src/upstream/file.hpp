// Upstream files on the disk. Invariant: whoever opens one reads a whole block, the old one or the new one, whatever dies when.
#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// Nothing: there is none, or it can't be read, or it is longer than any of ours.
std::optional<std::string> read_file(const std::filesystem::path&);

enum class Readers { all, owner };

/// By a temporary file beside it (rename(2)), on the disk before it has its name. The directory is made. Why not, for people.
std::expected<void, std::string> replace_file(const std::filesystem::path&, std::string_view text,
                                              Readers = Readers::all);

} // namespace holdfast::upstream
