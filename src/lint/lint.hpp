// Warnings over one configuration that is valid but will probably not do what its author wants. Invariant: a warning
// names the numbers that it comes from and what to write instead, and nothing here changes the configuration.
#pragma once

#include "config/load.hpp"

#include <vector>

namespace holdfast::lint {

/// Sorted by place.
std::vector<config::Diagnostic> check(const config::Loaded&);

} // namespace holdfast::lint
