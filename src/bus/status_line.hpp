// The one line that `systemctl status` shows: who is what, in words; at most 300 bytes. Pure.
#pragma once

#include "bus/shown.hpp"

#include <string>

namespace holdfast::bus {

std::string status_line(const Shown&);

} // namespace holdfast::bus
