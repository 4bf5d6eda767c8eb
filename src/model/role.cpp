#include "model/role.hpp"

#include <algorithm>

namespace holdfast::model {
namespace {

void sort_out(std::vector<IpAddress>& addresses) {
    std::ranges::sort(addresses);
    const auto twice = std::ranges::unique(addresses);
    addresses.erase(twice.begin(), twice.end());
}

/// A mark says nothing of addresses, but the instance that it follows does.
void add_addresses(const Config& config, const VirtualServer& server, std::vector<IpAddress>& out) {
    for (const auto& key : server.services)
        if (!key.address.is_unspecified()) out.push_back(key.address);
    const bool has_none = server.services.front().address.is_unspecified();
    if (!has_none || server.while_master.empty()) return;
    for (const auto& instance : config.instances) {
        const auto* const group = group_of(config, instance.name);
        const bool followed = instance.name == server.while_master ||
                              object_name(instance.name) == server.while_master ||
                              (group && group->name == server.while_master);
        if (!followed || instance.family != server.services.front().family) continue;
        for (const auto* list : {&instance.addresses, &instance.excluded_addresses})
            for (const auto& each : *list)
                out.push_back(each.address);
    }
}

} // namespace

Role role_of(const Config& config) {
    Role role;
    for (const auto& server : config.virtual_servers) {
        bool serves = false;
        for (const auto& real : server.real_servers) {
            if (!is_on(real, config.node_name)) continue;
            role.own.push_back(real.address);
            serves = true;
        }
        if (serves) add_addresses(config, server, role.addresses);
    }
    sort_out(role.addresses);
    sort_out(role.own);
    return role;
}

} // namespace holdfast::model
