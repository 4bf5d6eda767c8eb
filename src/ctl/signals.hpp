// What signals of the bus say, in the words of Describe().
#pragma once

#include "ctl/output.hpp"

#include <string>
#include <string_view>

namespace sdbus {
class Message;
}

namespace holdfast::ctl {

/// The reverse of sd_bus_path_encode(3), for each part of NAME/ipv4: "_2d" is "-".
std::string name_of(std::string_view path);

// The objects that `monitor` tells; each reads the message to its end.
Json state_changed(sdbus::Message&, const std::string& name);
Json properties_changed(sdbus::Message&, const std::string& name);
Json owner_changed(sdbus::Message&);

} // namespace holdfast::ctl
