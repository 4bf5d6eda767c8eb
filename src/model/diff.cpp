#include "model/diff.hpp"

#include <algorithm>

namespace holdfast::model {
namespace {

template <typename Object>
const Object* find_by_name(const std::vector<Object>& objects, const std::string& name) {
    const auto at = std::ranges::find(objects, name, &Object::name);
    return at == objects.end() ? nullptr : &*at;
}

} // namespace

const Instance* find_instance(const Config& config, const std::string& name) {
    return find_by_name(config.instances, name);
}

const Tracker* find_tracker(const Config& config, const std::string& name) {
    return find_by_name(config.trackers, name);
}

const VirtualServer* find_server(const Config& config, const std::string& name) {
    return find_by_name(config.virtual_servers, name);
}

const Group* group_of(const Config& config, const std::string& instance) {
    const auto at = std::ranges::find_if(config.groups, [&](const Group& group) {
        return std::ranges::find(group.instances, instance) != group.instances.end();
    });
    return at == config.groups.end() ? nullptr : &*at;
}

bool Diff::empty() const {
    return added_instances.empty() && removed_instances.empty() && changed_instances.empty() &&
           added_trackers.empty() && removed_trackers.empty() && changed_trackers.empty();
}

Reload how_to_change(const Instance& before, const Instance& after) {
    const bool same_router = before.interface == after.interface && before.vrid == after.vrid &&
                             before.family == after.family && before.version == after.version &&
                             before.address_interface() == after.address_interface() &&
                             before.address_mac() == after.address_mac() && before.ipvlan == after.ipvlan;
    return same_router && before.is_owner() == after.is_owner() ? Reload::live : Reload::restart;
}

Diff diff(const Config& before, const Config& after) {
    Diff result;
    for (const auto& old : before.instances)
        if (!find_instance(after, old.name)) result.removed_instances.push_back(old.name);
    for (const auto& now : after.instances) {
        const auto* old = find_instance(before, now.name);
        if (!old)
            result.added_instances.push_back(now.name);
        else if (*old != now)
            result.changed_instances.push_back({now.name, how_to_change(*old, now)});
    }
    for (const auto& old : before.trackers)
        if (!find_tracker(after, old.name)) result.removed_trackers.push_back(old.name);
    for (const auto& now : after.trackers) {
        const auto* old = find_tracker(before, now.name);
        if (!old)
            result.added_trackers.push_back(now.name);
        else if (*old != now)
            result.changed_trackers.push_back(now.name);
    }
    return result;
}

} // namespace holdfast::model
