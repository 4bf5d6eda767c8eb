// The snapshot as JSON: what Describe() returns and what holdfastctl shows. Keys are the names of the D-Bus properties.
#pragma once

#include "bus/shown.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::bus {

std::string describe(const Shown&);
std::string describe(const engine::InstanceView&);
std::string describe(const engine::GroupView&);

/// "adverts_sent", ..., "rejected_checksum", ...: every counter with its name, in a fixed order.
std::vector<std::pair<std::string, std::uint64_t>> counters(const engine::Counters&);
/// "ipv4", "ipv6"
std::string_view family_name(Family);

} // namespace holdfast::bus
