// The snapshot as JSON: what Describe() returns and what holdfastctl shows. Keys are the names of the D-Bus properties.
#pragma once

#include "bus/shown.hpp"

#include <string>
#include <string_view>

namespace holdfast::bus {

std::string describe(const Shown&);
std::string describe(const engine::InstanceView&);
std::string describe(const engine::GroupView&);

/// "ipv4", "ipv6"
std::string_view family_name(Family);

} // namespace holdfast::bus
