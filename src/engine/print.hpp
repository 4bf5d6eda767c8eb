// The one printed form of events and actions: scenario files, debug logs and recordings all use it.
#pragma once

#include "engine/action.hpp"
#include "engine/event.hpp"

#include <string>

namespace holdfast::engine {

std::string to_string(const Event&);
/// "advert(100)", "+192.0.2.1/24", "-192.0.2.1/24", "announce(192.0.2.1)", ...
std::string to_string(const Action&);

} // namespace holdfast::engine
