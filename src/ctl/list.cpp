// `list`, a line each; the names for completion, and which instances a name means.
#include "ctl/commands.hpp"

#include <fmt/format.h>
#include <set>

namespace holdfast::ctl {
namespace {

std::string addresses(const Json& instance) {
    std::string text;
    for (const auto& each : instance["Addresses"]) {
        if (!text.empty()) text += ' ';
        text += each["Address"].get<std::string>();
    }
    return text;
}

using Rows = std::vector<std::vector<std::string>>;

Rows instance_rows(const Json& instances) {
    Rows rows{{"NAME", "STATE", "INTERFACE", "VRID", "PRIORITY", "ADDRESS"}};
    for (const auto& each : instances)
        rows.push_back({text(each, "Name"), text(each, "State"), text(each, "Interface"),
                        each["VirtualRouterId"].dump(), each["EffectivePriority"].dump(), addresses(each)});
    return rows;
}

/// Real servers by the names that `drain` takes.
Rows server_rows(const Json& servers) {
    Rows rows{{"NAME", "STATE", "WEIGHT", "ADDRESS", "DETAIL"}};
    for (const auto& server : servers)
        for (const auto& real : server["RealServers"])
            rows.push_back({text(server, "Name") + "/" + text(real, "Name"), text(real, "State"), real["Weight"].dump(),
                            text(real, "Address"), text(real, "Detail")});
    return rows;
}

Rows tracker_rows(const Json& trackers) {
    Rows rows{{"NAME", "KIND", "STATE", "SINCE", "DETAIL"}};
    for (const auto& each : trackers)
        rows.push_back({text(each, "Name"), text(each, "Kind"), text(each, "Status"),
                        age(each["SinceUSec"].get<std::uint64_t>()), text(each, "Detail")});
    return rows;
}

} // namespace

bool names(const std::string& wanted, const std::string& instance) {
    return instance == wanted || instance == wanted + "/ipv4" || instance == wanted + "/ipv6";
}

Json instances_named(const Json& node, const std::string& name) {
    if (name.empty()) return node["Instances"];
    auto found = Json::array();
    for (const auto& instance : node["Instances"])
        if (names(name, instance["Name"].get<std::string>())) found.push_back(instance);
    if (found.empty())
        throw Failure{Exit::no_object, "org.holdfast1.Error.NoSuchInstance",
                      fmt::format("there is no instance '{}': holdfastctl list shows those that there are", name)};
    return found;
}

void list(Connection& connection, const Look& look, Listed what) {
    const auto node = connection.describe();
    const auto show = [&](const Json& objects, Rows (*rows)(const Json&)) {
        if (look.json != JsonStyle::off) return print(objects, look.json);
        fmt::print("{}", table(rows(objects), look));
    };
    switch (what) {
    case Listed::instances: return show(node["Instances"], instance_rows);
    case Listed::servers: return show(node["VirtualServers"], server_rows);
    case Listed::trackers: return show(node["Trackers"], tracker_rows);
    }
}

void complete(Connection& connection) {
    std::set<std::string> all;
    const auto node = connection.describe();
    for (const auto& each : node["Instances"]) {
        const auto name = each["Name"].get<std::string>();
        all.insert(name);
        if (name.ends_with("/ipv4") || name.ends_with("/ipv6")) all.insert(name.substr(0, name.size() - 5));
    }
    for (const auto& name : all)
        print(name);
}

void complete_servers(Connection& connection) {
    const auto node = connection.describe();
    for (const auto& server : node["VirtualServers"])
        for (const auto& real : server["RealServers"])
            print(server["Name"].get<std::string>() + "/" + real["Name"].get<std::string>());
}

} // namespace holdfast::ctl
