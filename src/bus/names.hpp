// What things are called on the bus: paths, interfaces and errors, in one place.
#pragma once

#include "engine/action.hpp"
#include "model/server_change.hpp"

#include <string>
#include <string_view>

namespace holdfast::bus {

inline constexpr const char* bus_name = "org.holdfast1";
inline constexpr const char* root_path = "/org/holdfast1";

/// "/org/holdfast1/instance/web", or ".../instance/web/ipv4" for a member of a pair; each component is encoded as
/// sd_bus_path_encode(3) does it.
std::string instance_path(std::string_view name);
std::string tracker_path(std::string_view name);
std::string group_path(std::string_view name);
std::string virtual_server_path(std::string_view name);
/// ".../virtual_server/SERVER/real_server/NAME"
std::string real_server_path(std::string_view server, std::string_view name);

/// "org.holdfast1.Error.NoSuchInstance"
std::string error_name(engine::CommandError error);
std::string error_name(model::ChangeRefusal refusal);
inline constexpr const char* error_busy = "org.holdfast1.Error.Busy";
inline constexpr const char* error_no_such_server = "org.holdfast1.Error.NoSuchServer";
inline constexpr const char* error_no_such_instance = "org.holdfast1.Error.NoSuchInstance";
inline constexpr const char* error_invalid_config = "org.holdfast1.Error.InvalidConfig";
inline constexpr const char* error_access_denied = "org.freedesktop.DBus.Error.AccessDenied";
inline constexpr const char* error_interaction_required = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
inline constexpr const char* error_limits_exceeded = "org.freedesktop.DBus.Error.LimitsExceeded";
inline constexpr const char* error_unknown_method = "org.freedesktop.DBus.Error.UnknownMethod";
inline constexpr const char* error_read_only = "org.freedesktop.DBus.Error.PropertyReadOnly";
inline constexpr const char* error_failed = "org.freedesktop.DBus.Error.Failed";
inline constexpr const char* error_invalid_args = "org.freedesktop.DBus.Error.InvalidArgs";

} // namespace holdfast::bus
