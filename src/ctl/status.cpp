// `status`: one screen for people. With --json it is the daemon's own Describe(), untouched.
#include "ctl/commands.hpp"

#include <fmt/format.h>
#include <utility>

namespace holdfast::ctl {
namespace {

std::uint64_t number(const Json& object, const char* key) {
    return object[key].get<std::uint64_t>();
}

void row(const char* what, const std::string& value) {
    print(fmt::format("    {:<9} {}", what, value));
}

std::string ago(std::uint64_t realtime_usec) {
    return realtime_usec == 0 ? "" : age(realtime_usec) + " ago";
}

/// Routes and rules, of an instance or of the daemon itself.
void print_extras(const Json& of, const char* routes, const char* rules) {
    for (const auto& [key, what] : {std::pair{routes, "route"}, {rules, "rule"}})
        for (const auto& each : of.value(key, Json::array()))
            row(what, fmt::format("{}: {}", text(each, "Text"),
                                  each["Installed"].get<bool>()   ? "installed"
                                  : text(each, "Refused").empty() ? "absent"
                                                                  : text(each, "Refused")));
}

void print_node(const Look& look, const Json& node) {
    const auto state = text(node, "State");
    print(fmt::format("{} {}  {}, holdfast {}", dot(look, state), bold(look, text(node, "NodeName")),
                      coloured(look, state, state), text(node, "Version")));
    row("config", fmt::format("{} ({}, loaded {})", text(node, "ConfigPath"), text(node, "ConfigHash"),
                              ago(number(node, "ConfigLoadedTimestamp"))));
    if (node["Maintenance"].get<bool>()) row("out", "in maintenance: " + text(node, "MaintenanceReason"));
    for (const auto& each : node["Missing"])
        row("missing", printable(each.get<std::string>()));
    for (const auto& each : node.value("StaticAddresses", Json::array()))
        row("address", fmt::format("{} dev {}: {}", text(each, "Address"), text(each, "Link"), text(each, "State")));
    print_extras(node, "StaticRoutes", "StaticRules");
    if (node["LastReloadResult"] == "ok") return;
    row("reload", "the last one failed; the configuration before it is in force:");
    for (const auto& each : node["LastReloadErrors"])
        print(printable_lines(each.get<std::string>()));
}

std::string lease(const Json& instance) {
    const auto note = text(instance, "LeaseNote");
    if (number(instance, "LeaseUSec") == 0) return note.empty() ? ", no lease" : fmt::format(", no lease: {}", note);
    return fmt::format(", lease {}", duration(number(instance, "LeaseUSec")));
}

std::string priority(const Json& instance) {
    auto sum = fmt::format("{} = {}", number(instance, "EffectivePriority"), number(instance, "BasePriority"));
    for (const auto& each : instance["PriorityContributions"]) {
        const auto weight = each["Weight"].get<int>();
        sum += fmt::format(" {} {} ({})", weight < 0 ? '-' : '+', weight < 0 ? -weight : weight, text(each, "Tracker"));
    }
    return sum;
}

void print_routers(const Json& instance) {
    const auto& master = instance["ActiveRouter"];
    if (master.is_null())
        row("master", "nobody is known");
    else if (master["Itself"].get<bool>())
        row("master", fmt::format("this host ({})", text(master, "Address")));
    else
        row("master", fmt::format("{}, priority {}, last seen {}", text(master, "Address"), number(master, "Priority"),
                                  ago(number(master, "LastSeenUSec"))));
    for (const auto& peer : instance["ObservedPeers"])
        row("peer", fmt::format("{}, priority {}, last seen {}", text(peer, "Address"), number(peer, "Priority"),
                                ago(number(peer, "LastSeenUSec"))));
}

void print_instance(const Look& look, const Json& instance) {
    const auto state = text(instance, "State");
    print(fmt::format("\n{} {}  {} for {}: {}", dot(look, state), bold(look, text(instance, "Name")),
                      coloured(look, state, state), age(number(instance, "StateTimestamp")),
                      text(instance["StateReason"], "Text")));
    row("router", fmt::format("VRID {} on {}, {}, VRRP {}", number(instance, "VirtualRouterId"),
                              text(instance, "Interface"), text(instance, "Family"), number(instance, "Version")));
    for (const auto& each : instance["Addresses"])
        row("address", fmt::format("{} {}{}", text(each, "Address"), text(each, "State"),
                                   each["State"] == "assigned" ? lease(instance) : ""));
    if (const auto& excluded = instance["ExcludedAddresses"]; excluded["Wanted"].get<std::size_t>() > 0)
        row("excluded", fmt::format("{} of {} assigned", number(excluded, "Assigned"), number(excluded, "Wanted")));
    print_extras(instance, "Routes", "Rules");
    row("priority", priority(instance));
    if (instance["HeldBack"].get<bool>()) row("held back", "after a failover: it does not preempt its successor");
    for (const auto& fault : instance["Faults"])
        row("fault", coloured(look, "fault", text(fault, "Text")));
    for (const auto& warning : instance["Warnings"])
        row("warning", text(warning, "Text"));
    if (const auto group = text(instance, "SyncGroup"); !group.empty()) row("moves with", group);
    print_routers(instance);
}

bool uses(const Json& instances, const std::string& tracker) {
    for (const auto& instance : instances)
        for (const auto& each : instance["Trackers"])
            if (each == tracker) return true;
    return false;
}

void print_trackers(const Look& look, const Json& trackers, const Json* instances) {
    bool first = true;
    for (const auto& tracker : trackers) {
        if (instances != nullptr && !uses(*instances, tracker["Name"].get<std::string>())) continue;
        if (std::exchange(first, false)) print("\ntrackers");
        const auto status = text(tracker, "Status");
        const auto detail = text(tracker, "Detail");
        print(fmt::format("  {} {}  {} {}{}{}{}", dot(look, status), bold(look, text(tracker, "Name")),
                          text(tracker, "Kind"), coloured(look, status, status),
                          tracker["Degraded"].get<bool>() ? ", degraded" : "",
                          number(tracker, "SinceUSec") == 0 ? "" : " for " + age(number(tracker, "SinceUSec")),
                          detail.empty() ? "" : ": " + detail));
    }
}

} // namespace

void status(Connection& connection, const Look& look, const StatusOrder& order) {
    const auto& name = order.name;
    auto node = connection.describe();
    const auto instances = instances_named(node, name);
    if (look.json != JsonStyle::off) {
        node["Instances"] = instances;
        return print(node, look.json);
    }
    if (name.empty()) print_node(look, node);
    for (const auto& instance : instances)
        print_instance(look, instance);
    print_trackers(look, node["Trackers"], name.empty() ? nullptr : &instances);
    const auto log = order.journal_lines > 0 ? newest_of_log(name, order.journal_lines) : std::string{};
    if (!log.empty()) print("\n" + printable_lines(log));
}

} // namespace holdfast::ctl
