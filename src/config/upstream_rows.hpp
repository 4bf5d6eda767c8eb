// The rows of a virtual server that say who balances.
#pragma once

#include "config/server.hpp"

namespace holdfast::config {

Directive<ServerText> kind_row();
Directive<ServerText> upstream_row();
/// Only a service of the kernel has this directive.
bool is_of_kernel(std::string_view word);

} // namespace holdfast::config
