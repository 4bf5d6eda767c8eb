// An address that no router claims: the daemon itself wants it, for as long as it runs or longer.
#pragma once

#include "model/address.hpp"

namespace holdfast::engine {

inline constexpr const char* role_link = "lo"; ///< where addresses of the role are

struct StaticClaim {
    model::VirtualAddress address; ///< its `interface` is given
    bool is_role{false};           ///< of a service that this host is a real server of: claims nothing on the wire
    bool operator==(const StaticClaim&) const = default;
};

} // namespace holdfast::engine
