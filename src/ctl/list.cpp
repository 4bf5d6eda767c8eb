// `list`, the names for completion, and which instances a name means.
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

void list(Connection& connection, const Look& look) {
    const auto node = connection.describe();
    if (look.json != JsonStyle::off) return print(node["Instances"], look.json);
    std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "INTERFACE", "VRID", "PRIORITY", "ADDRESS"}};
    for (const auto& each : node["Instances"])
        rows.push_back({each["Name"].get<std::string>(), each["State"].get<std::string>(),
                        each["Interface"].get<std::string>(), each["VirtualRouterId"].dump(),
                        each["EffectivePriority"].dump(), addresses(each)});
    fmt::print("{}", table(std::move(rows), look));
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
