#include "bus/access.hpp"

#include <algorithm>
#include <array>

namespace holdfast::bus {
namespace {

constexpr unsigned change = 1;
constexpr unsigned whole_node = 8; ///< with ten thousand servers an answer takes tens of milliseconds

constexpr auto introspectable = "org.freedesktop.DBus.Introspectable", peer = "org.freedesktop.DBus.Peer",
               properties = "org.freedesktop.DBus.Properties", object_manager = "org.freedesktop.DBus.ObjectManager",
               manager = "org.holdfast1.Manager", instance = "org.holdfast1.Instance",
               group = "org.holdfast1.SyncGroup", server = "org.holdfast1.VirtualServer",
               real = "org.holdfast1.RealServer", log_control = "org.freedesktop.LogControl1";

constexpr auto table = std::to_array<Rule>({
    {peer, "Ping", Action::look},
    {peer, "GetMachineId", Action::look},
    {introspectable, "Introspect", Action::look},
    {properties, "Get", Action::look},
    {properties, "GetAll", Action::look},
    {object_manager, "GetManagedObjects", Action::look, whole_node},

    {manager, "ListInstances", Action::look},
    {manager, "GetInstance", Action::look},
    {manager, "Describe", Action::look, whole_node},
    {manager, "Reload", Action::reload, change},
    {manager, "Failover", Action::manage_state, change},
    {manager, "Takeover", Action::manage_state, change},
    {manager, "SetPriority", Action::manage_state, change},
    {manager, "Announce", Action::manage_state, change},
    {manager, "SetMaintenance", Action::manage_state, change},

    {instance, "Describe", Action::look},
    {instance, "Failover", Action::manage_state, change},
    {instance, "Takeover", Action::manage_state, change},
    {instance, "SetPriority", Action::manage_state, change},
    {instance, "Announce", Action::manage_state, change},
    {group, "Describe", Action::look},
    {group, "Failover", Action::manage_state, change},
    {group, "Takeover", Action::manage_state, change},
    {group, "SetPriority", Action::manage_state, change},
    {group, "Announce", Action::manage_state, change},

    {server, "Describe", Action::look},
    {server, "AddServer", Action::manage_servers, change},
    {server, "RemoveServer", Action::manage_servers, change},
    {real, "Describe", Action::look},
    {real, "Drain", Action::manage_servers, change},
    {real, "Disable", Action::manage_servers, change},
    {real, "Enable", Action::manage_servers, change},
    {real, "SetWeight", Action::manage_servers, change},
    {real, "CheckNow", Action::diagnose, change},

    {log_control, "LogLevel", Action::set_log_level, change, true},
    {log_control, "LogTarget", Action::set_log_level, change, true},
});

const Rule* find(std::string_view interface, std::string_view member, bool is_property) {
    const auto* at = std::ranges::find_if(table, [&](const Rule& rule) {
        return rule.is_property == is_property && rule.interface == interface && rule.member == member;
    });
    return at == table.end() ? nullptr : at;
}

} // namespace

std::string_view action_id(Action action) {
    switch (action) {
    case Action::look: return {};
    case Action::reload: return "org.holdfast1.reload";
    case Action::manage_state: return "org.holdfast1.manage-state";
    case Action::manage_servers: return "org.holdfast1.manage-servers";
    case Action::diagnose: return "org.holdfast1.diagnose";
    case Action::set_log_level: return "org.holdfast1.set-log-level";
    }
    return {};
}

std::span<const Rule> rules() {
    return table;
}

const Rule* method_rule(std::string_view interface, std::string_view member) {
    return find(interface, member, false);
}

const Rule* property_rule(std::string_view interface, std::string_view property) {
    return find(interface, property, true);
}

} // namespace holdfast::bus
