// Instances that are master together or not at all. The two families of one object are such a group too, made by config/.
#pragma once

#include "model/instance.hpp"

#include <string>
#include <vector>

namespace holdfast::model {

struct Group {
    std::string name;
    /// Instances of this node, as Config names them (`web/ipv4`); the first one decides ties (docs/decisions/0009).
    std::vector<std::string> instances;
    std::vector<TrackUse> track; ///< what every member depends on, beside its own
    Notify notify;               ///< without hooks: the addresses are the members'
    bool is_pair{false};         ///< the two families of one object: not shown as a group of its own
    bool operator==(const Group&) const = default;
};

} // namespace holdfast::model
