// The few methods of org.freedesktop.DBus that stock clients call on any connection before they come to the point. A
// private client gets the same answers that a bus would give whose only service is ours.
#pragma once

#include <string>
#include <systemd/sd-bus.h>

namespace holdfast::bus {

inline constexpr const char* driver_name = "org.freedesktop.DBus";
inline constexpr const char* driver_path = "/org/freedesktop/DBus";
inline constexpr const char* private_owner = ":private.0"; ///< who has our name there

/// What a client has told us about itself.
struct Acquaintance {
    std::string name;    ///< ":private.7"
    bool greeted{false}; ///< it said Hello, so it speaks as to a bus, and says which signals it wants
    unsigned matches{0};
    bool monitors{false};
    bool wants_signals() const { return !greeted || matches > 0 || monitors; }
};

/// Answers a call to the driver.
void answer_as_bus(sd_bus_message* call, Acquaintance& client);

} // namespace holdfast::bus
