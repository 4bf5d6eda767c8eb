// The map `ipvs:`: the kernel's load balancer as a whole. Invariant: as list.hpp's.
#pragma once

#include "config/directive.hpp"
#include "model/ipvs.hpp"

#include <optional>

namespace holdfast::config {

std::span<const Directive<model::Ipvs>> ipvs_directives();
std::span<const Directive<model::ConnectionSync>> sync_directives();
std::span<const Directive<model::ConnectionTimeouts>> timeout_directives();

std::optional<model::Ipvs> read_ipvs(Context&, const Node&);

} // namespace holdfast::config
