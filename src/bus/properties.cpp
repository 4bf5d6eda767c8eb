#include "bus/properties.hpp"

#include <algorithm>
#include <tuple>

namespace holdfast::bus {
namespace {

using engine::GroupView;
using engine::InstanceView;
using engine::TrackerView;

template <typename View>
struct Row {
    const char* property;
    bool (*differs)(const View&, const View&);
};

/// Any of these members of the view differs.
template <auto... members, typename View>
bool differ(const View& a, const View& b) {
    return ((a.*members != b.*members) || ...);
}
/// This member of the instance's model differs.
template <auto member>
bool model_differs(const InstanceView& a, const InstanceView& b) {
    return a.model != b.model && (*a.model).*member != (*b.model).*member;
}
template <auto member>
bool fact_differs(const Shown& a, const Shown& b) {
    return a.facts != b.facts && (*a.facts).*member != (*b.facts).*member;
}
template <auto member>
bool snapshot_differs(const Shown& a, const Shown& b) {
    return a.snapshot != b.snapshot && (*a.snapshot).*member != (*b.snapshot).*member;
}
template <auto member>
bool count_differs(const Shown& a, const Shown& b) {
    return count(*a.snapshot).*member != count(*b.snapshot).*member;
}

bool active_router_differs(const InstanceView& a, const InstanceView& b) {
    const auto before = active_router(a), after = active_router(b);
    return before.address != after.address || before.priority != after.priority;
}

bool peers_differ(const InstanceView& a, const InstanceView& b) {
    return !std::ranges::equal(a.peers, b.peers, [](const engine::PeerView& x, const engine::PeerView& y) {
        return x.address == y.address && x.priority == y.priority && x.version == y.version && x.interval == y.interval;
    });
}

constexpr Row<InstanceView> instance_rows[] = {
    {"State", differ<&InstanceView::state>},
    {"StateReason", differ<&InstanceView::reason_code, &InstanceView::reason>},
    {"StateTimestamp", differ<&InstanceView::since>},
    {"StateTimestampMonotonic", differ<&InstanceView::since>},
    {"BasePriority", model_differs<&model::Instance::priority>},
    {"EffectivePriority", differ<&InstanceView::priority>},
    {"PriorityContributions", differ<&InstanceView::contributions>},
    {"Faults", differ<&InstanceView::faults>},
    {"Warnings", differ<&InstanceView::warnings>},
    {"Addresses", differ<&InstanceView::addresses>},
    {"Routes", differ<&InstanceView::routes>},
    {"Rules", differ<&InstanceView::rules>},
    {"ExcludedAddresses", differ<&InstanceView::excluded>},
    {"ActiveRouter", active_router_differs},
    {"ObservedPeers", peers_differ},
    {"AdvertIntervalUSec", model_differs<&model::Instance::advert_interval>},
    {"MasterDownIntervalUSec", differ<&InstanceView::master_down>},
    {"Preempt", model_differs<&model::Instance::preempt>},
    {"PreemptDelayUSec", model_differs<&model::Instance::preempt_delay>},
    {"Prompt", model_differs<&model::Instance::prompt>},
    {"HeldBack", differ<&InstanceView::held_back>},
    {"LeaseUSec", differ<&InstanceView::lease>},
    {"LeaseNote", differ<&InstanceView::lease_note>},
    {"LastScript", differ<&InstanceView::script>},
    {"Trackers", model_differs<&model::Instance::track>},
    {"SyncGroup", differ<&InstanceView::group>},
};

constexpr Row<TrackerView> tracker_rows[] = {
    {"Status", differ<&TrackerView::verdict>}, {"Degraded", differ<&TrackerView::degraded>},
    {"Detail", differ<&TrackerView::detail>},  {"SinceUSec", differ<&TrackerView::since>},
    {"Users", differ<&TrackerView::users>},    {"SkippedRuns", differ<&TrackerView::skipped>},
};

template <auto member>
bool group_differs(const GroupView& a, const GroupView& b) {
    return a.model != b.model && (*a.model).*member != (*b.model).*member;
}

constexpr Row<GroupView> group_rows[] = {
    {"Members", group_differs<&model::Group::instances>},
    {"State", differ<&GroupView::state>},
    {"StateReason", differ<&GroupView::reason_code, &GroupView::reason>},
    {"StateTimestamp", differ<&GroupView::since>},
    {"EffectivePriority", differ<&GroupView::priority>},
    {"Trackers", group_differs<&model::Group::track>},
};

constexpr Row<Shown> node_rows[] = {
    {"NodeName", [](const Shown& a, const Shown& b) { return a.snapshot->node_name != b.snapshot->node_name; }},
    {"State", [](const Shown& a, const Shown& b) { return node_state(a) != node_state(b); }},
    {"ConfigPath", fact_differs<&NodeFacts::config_path>},
    {"ConfigHash", fact_differs<&NodeFacts::config_hash>},
    {"StartedTimestamp", fact_differs<&NodeFacts::started_usec>},
    {"ConfigLoadedTimestamp", fact_differs<&NodeFacts::config_loaded_usec>},
    {"LastReloadResult", fact_differs<&NodeFacts::last_reload_result>},
    {"LastReloadErrors", fact_differs<&NodeFacts::last_reload_errors>},
    {"Missing", fact_differs<&NodeFacts::missing>},
    {"StaticAddresses",
     [](const Shown& a, const Shown& b) {
         return a.snapshot->static_addresses != b.snapshot->static_addresses &&
                *a.snapshot->static_addresses != *b.snapshot->static_addresses;
     }},
    {"StaticRoutes", snapshot_differs<&engine::Snapshot::static_routes>},
    {"StaticRules", snapshot_differs<&engine::Snapshot::static_rules>},
    {"Maintenance", snapshot_differs<&engine::Snapshot::maintenance>},
    {"MaintenanceReason", snapshot_differs<&engine::Snapshot::maintenance>},
    {"NInstances", count_differs<&Census::instances>},
    {"NMaster", count_differs<&Census::masters>},
    {"NFault", count_differs<&Census::faults>},
};

template <typename View, std::size_t size>
std::vector<std::string> names(const Row<View> (&rows)[size], const View& before, const View& after) {
    std::vector<std::string> result;
    for (const auto& row : rows)
        if (row.differs(before, after)) result.emplace_back(row.property);
    return result;
}

template <typename View>
std::shared_ptr<const View> find(const std::vector<std::shared_ptr<const View>>& sorted, std::string_view name) {
    const auto name_of = [](const auto& view) { return std::string_view{view->model->name}; };
    const auto at = std::ranges::lower_bound(sorted, name, {}, name_of);
    return at != sorted.end() && name_of(*at) == name ? *at : nullptr;
}

} // namespace

std::vector<std::string> changed_properties(const InstanceView& before, const InstanceView& after) {
    return names(instance_rows, before, after);
}
std::vector<std::string> changed_properties(const TrackerView& before, const TrackerView& after) {
    return names(tracker_rows, before, after);
}
std::vector<std::string> changed_properties(const GroupView& before, const GroupView& after) {
    return names(group_rows, before, after);
}
std::vector<std::string> changed_properties(const Shown& before, const Shown& after) {
    return names(node_rows, before, after);
}

bool same_object(const InstanceView& a, const InstanceView& b) {
    const auto constant = [](const model::Instance& m) {
        return std::tie(m.name, m.interface, m.vrid, m.family, m.version);
    };
    return a.model == b.model || constant(*a.model) == constant(*b.model);
}
bool same_object(const TrackerView& a, const TrackerView& b) {
    return a.model == b.model || (a.model->name == b.model->name && a.model->kind.index() == b.model->kind.index() &&
                                  model::target(a.model->kind) == model::target(b.model->kind));
}

bool same_object(const GroupView& a, const GroupView& b) {
    return a.model->name == b.model->name;
}

// ---- what a snapshot says
// -----------------------------------------------------------------------------------------------

Census count(const engine::Snapshot& snapshot) {
    const auto in = [&](std::string_view state) {
        return static_cast<std::uint32_t>(std::ranges::count(
            snapshot.instances, state, [](const auto& view) { return std::string_view{view->state}; }));
    };
    return {static_cast<std::uint32_t>(snapshot.instances.size()), in("master"), in("fault")};
}

std::string_view node_state(const Shown& shown) {
    if (shown.snapshot->stopping) return "stopping";
    if (!shown.ready) return "starting";
    if (shown.reloading) return "reloading";
    if (shown.snapshot->maintenance) return "maintenance";
    const bool degraded = count(*shown.snapshot).faults > 0 || !shown.snapshot->ipvs_problem.empty() ||
                          shown.facts->last_reload_result != "ok";
    return degraded ? "degraded" : "running";
}

std::shared_ptr<const InstanceView> find_instance(const engine::Snapshot& snapshot, std::string_view name) {
    return find(snapshot.instances, name);
}
std::shared_ptr<const TrackerView> find_tracker(const engine::Snapshot& snapshot, std::string_view name) {
    return find(snapshot.trackers, name);
}

std::shared_ptr<const GroupView> find_group(const engine::Snapshot& snapshot, std::string_view name) {
    return find(snapshot.groups, name);
}

std::shared_ptr<const engine::VirtualServerView> find_server(const engine::Snapshot& snapshot, std::string_view name) {
    return find(snapshot.virtual_servers, name);
}

ActiveRouter active_router(const InstanceView& view) {
    if (view.state == "master") return {view.source ? to_string(*view.source) : std::string{}, view.priority, {}, true};
    if (!view.master) return {};
    return {to_string(view.master->address), view.master->priority, view.master->last_seen, false};
}

} // namespace holdfast::bus
