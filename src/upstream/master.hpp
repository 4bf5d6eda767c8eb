// An nginx that no systemd looks after (a pod, a container): its master process is told to read its configuration by SIGHUP,
// and whether it did is seen by its children: a master that took it has new ones.
#pragma once

#include "base/time.hpp"

#include <expected>
#include <filesystem>
#include <string>

namespace holdfast::upstream {

/// Waits until it took, `patience` at most. Why it did not, for people. No such process is no failure: nginx reads the files
/// when it starts.
std::expected<void, std::string> reload_master(const std::filesystem::path& pid_file, Duration patience);

} // namespace holdfast::upstream
