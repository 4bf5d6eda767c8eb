// What a reload changes: diff(old, new). An object that is equal in both is in no list, so nothing can touch it (N12).
#pragma once

#include "model/config.hpp"

#include <string>
#include <vector>

namespace holdfast::model {

enum class Reload : std::uint8_t {
    live,    ///< taken over by the running object
    restart, ///< another identity: the old object leaves (priority 0), a new one starts as backup
};

struct InstanceChange {
    std::string name;
    Reload how;
};

struct Diff {
    std::vector<std::string> added_instances, removed_instances;
    std::vector<InstanceChange> changed_instances;
    std::vector<std::string> added_trackers, removed_trackers, changed_trackers;
    bool empty() const;
};

Diff diff(const Config& before, const Config& after);

/// Interface, VRID, family, version and virtual MAC are the identity of a virtual router on the wire; all else is taken over live.
Reload how_to_change(const Instance& before, const Instance& after);

} // namespace holdfast::model
