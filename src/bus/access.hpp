// What each call needs: one row for every method that this daemon answers and every property that can be set. What has no
// row is refused, whoever asks. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::bus {

/// As polkit knows them (dbus/org.holdfast1.policy); `look` needs nothing.
enum class Action : std::uint8_t { look, reload, manage_state, manage_servers, diagnose, set_log_level };

/// "org.holdfast1.manage-state"; empty for `look`.
std::string_view action_id(Action);

struct Rule {
    std::string_view interface, member;
    Action action;
    unsigned cost{0};        ///< in tokens of bus/limiter; 0: waiting for the small answer is pace enough
    bool is_property{false}; ///< org.freedesktop.DBus.Properties.Set of it
    bool operator==(const Rule&) const = default;
};

std::span<const Rule> rules();
/// Null: nothing of this name may be called.
const Rule* method_rule(std::string_view interface, std::string_view member);
/// Null: nothing of this name may be set.
const Rule* property_rule(std::string_view interface, std::string_view property);

} // namespace holdfast::bus
