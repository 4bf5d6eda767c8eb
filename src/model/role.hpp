// The real server's side of direct routing and tunnels: what this node has to have so that packets which a director sends on
// with their destination unchanged are its own. It follows from the virtual servers that name this node (`host:`).
#pragma once

#include "model/config.hpp"

#include <vector>

namespace holdfast::model {

struct Role {
    std::vector<IpAddress> addresses; ///< of services: to be on `lo`, asked for and announced by nobody. Sorted
    std::vector<IpAddress> own;       ///< of the real server itself, where the director's packets come in. Sorted
    bool operator==(const Role&) const = default;
};

/// Of config.node_name.
Role role_of(const Config&);

} // namespace holdfast::model
