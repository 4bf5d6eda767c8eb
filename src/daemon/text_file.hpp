// Reads a small text file of somebody's.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace holdfast::daemon {

/// The whole file, or why not ("can't be read: ..."); directories, devices and FIFOs are refused before anything can hang. A
/// file that is too long is cut one byte behind what config/ takes, which is enough for config/ to refuse it.
std::expected<std::string, std::string> read_text(const std::filesystem::path&);

} // namespace holdfast::daemon
