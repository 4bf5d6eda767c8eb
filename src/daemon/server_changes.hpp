// Real servers that are added and removed while the daemon runs stand in overlays, files beside the user's (decision 0027).
// Invariant: a change that is refused, or can't be kept, changes neither a file nor what is in force.
#pragma once

#include "daemon/loader.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::daemon {

inline constexpr std::size_t most_added = 1000; ///< real servers in one overlay

/// In the runtime directory until a reboot, in the state directory for ever.
std::filesystem::path overlay_path(const Options&, model::Origin);
/// The overlays that there are. What can't be read is a warning: the daemon runs without it.
std::vector<config::Source> read_overlays(const Options&, std::vector<std::string>& warnings);

/// What is in force, with the change, which its overlay keeps now; or why not. Blocking.
LoadedConfig change_servers(const Options&, const LoadedConfig& in_force, const bus::ServerChangeRequested&);

} // namespace holdfast::daemon
