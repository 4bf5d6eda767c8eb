// `tree`: who depends on whom, at a glance.
#include "ctl/commands.hpp"

#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

struct Branch {
    std::string text;
    std::vector<Branch> below{};
};

void print_below(const Look& look, const std::vector<Branch>& branches, const std::string& indent) {
    for (std::size_t i = 0; i < branches.size(); ++i) {
        const bool last = i + 1 == branches.size();
        const std::string_view corner = look.utf8 ? (last ? "└─" : "├─") : (last ? "`-" : "|-");
        const std::string_view stem = last ? "  " : look.utf8 ? "│ " : "| ";
        print(fmt::format("{}{}{}", indent, corner, branches[i].text));
        print_below(look, branches[i].below, fmt::format("{}{}", indent, stem));
    }
}

Branch tracker_branch(const Look& look, const Json& node, const std::string& name) {
    for (const auto& tracker : node["Trackers"])
        if (tracker["Name"] == name)
            return {fmt::format("{} ({} {}) {}", printable(name), text(tracker, "Kind"), text(tracker, "Target"),
                                coloured(look, text(tracker, "Status"), text(tracker, "Status")))};
    return {printable(name)};
}

Branch instance_branch(const Look& look, const Json& node, const Json& instance) {
    Branch branch{fmt::format("{} {} on {}, vrid {}, priority {}", bold(look, text(instance, "Name")),
                              coloured(look, text(instance, "State"), text(instance, "State")),
                              text(instance, "Interface"), instance["VirtualRouterId"].dump(),
                              instance["EffectivePriority"].dump())};
    for (const auto& address : instance["Addresses"])
        branch.below.push_back({fmt::format("{} {}", text(address, "Address"), text(address, "State"))});
    for (const auto& tracker : instance["Trackers"])
        branch.below.push_back(tracker_branch(look, node, tracker.get<std::string>()));
    return branch;
}

Branch server_branch(const Look& look, const Json& server) {
    Branch branch{fmt::format("{} {}, {}", bold(look, text(server, "Name")),
                              coloured(look, text(server, "State"), text(server, "State")), text(server, "Scheduler"))};
    for (const auto& service : server["Services"])
        branch.below.push_back({printable(service.get<std::string>())});
    for (const auto& real : server["RealServers"])
        branch.below.push_back(
            {fmt::format("{} {} {}, weight {}{}", text(real, "Name"), text(real, "Address"),
                         coloured(look, text(real, "State"), text(real, "State")), real["Weight"].dump(),
                         real["Origin"] == "file" ? "" : ", " + text(real, "Origin"))});
    return branch;
}

/// A group takes its members below it; the others stand by themselves.
std::vector<Branch> branches_of(const Look& look, const Json& node) {
    std::vector<Branch> result;
    for (const auto& group : node["SyncGroups"]) {
        auto& branch = result.emplace_back(fmt::format("sync group {} {}", bold(look, text(group, "Name")),
                                                       coloured(look, text(group, "State"), text(group, "State"))));
        for (const auto& instance : node["Instances"])
            if (instance["SyncGroup"] == group["Name"]) branch.below.push_back(instance_branch(look, node, instance));
    }
    for (const auto& instance : node["Instances"])
        if (text(instance, "SyncGroup").empty()) result.push_back(instance_branch(look, node, instance));
    for (const auto& server : node["VirtualServers"])
        result.push_back(server_branch(look, server));
    return result;
}

} // namespace

void tree(Connection& connection, const Look& look) {
    const auto node = connection.describe();
    if (look.json != JsonStyle::off) return print(node, look.json);
    print(fmt::format("{} {} {}", dot(look, text(node, "State")), bold(look, text(node, "NodeName")),
                      coloured(look, text(node, "State"), text(node, "State"))));
    print_below(look, branches_of(look, node), "");
}

} // namespace holdfast::ctl
