#include "bus/describe.hpp"

#include "bus/clock.hpp"
#include "bus/counters.hpp"
#include "bus/json.hpp"
#include "bus/names.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::bus {
namespace {

template <typename Range>
Json list(const Range& range, const auto& to_json) {
    auto result = Json::array();
    for (const auto& each : range)
        result.push_back(to_json(each));
    return result;
}

Json active_router_json(const engine::InstanceView& view) {
    const auto router = active_router(view);
    if (router.priority == Priority{}) return nullptr;
    return {{"Address", router.address},
            {"Priority", router.priority.value},
            {"LastSeenUSec", realtime_usec(router.last_seen)},
            {"Itself", router.itself}};
}

Json address_json(const engine::AddressView& view) {
    return {{"Address", to_string(view.prefix)}, {"Link", view.link}, {"State", view.state}};
}

Json extra_json(const engine::ExtraView& view) {
    return {{"Text", view.text}, {"Installed", view.installed}, {"Refused", view.refused}};
}

Json instance_json(const engine::InstanceView& view) {
    const auto& model = *view.model;
    Json json{{"Name", model.name},
              {"Path", instance_path(model.name)},
              {"Interface", model.interface},
              {"VirtualRouterId", model.vrid.value},
              {"Family", family_name(model.family)},
              {"Version", std::to_underlying(model.version)},
              {"State", view.state},
              {"StateReason", {{"Code", view.reason_code}, {"Text", view.reason}}},
              {"StateTimestamp", realtime_usec(view.since)},
              {"StateTimestampMonotonic", monotonic_usec(view.since)},
              {"BasePriority", model.priority.value},
              {"EffectivePriority", view.priority.value}};
    json["PriorityContributions"] = list(view.contributions, [](const auto& each) -> Json {
        return {{"Tracker", each.tracker}, {"Weight", each.weight}};
    });
    json["Faults"] =
        list(view.faults, [](const auto& fault) -> Json { return {{"Code", fault.code}, {"Text", fault.text}}; });
    json["Warnings"] =
        list(view.warnings, [](const auto& each) -> Json { return {{"Code", each.code}, {"Text", each.text}}; });
    json["Addresses"] = list(view.addresses, address_json);
    json["ExcludedAddresses"] = {{"Wanted", view.excluded.wanted}, {"Assigned", view.excluded.assigned}};
    json["Routes"] = list(view.routes, extra_json);
    json["Rules"] = list(view.rules, extra_json);
    json["ActiveRouter"] = active_router_json(view);
    json["ObservedPeers"] = list(view.peers, [](const engine::PeerView& peer) -> Json {
        return {{"Address", to_string(peer.address)},
                {"Priority", peer.priority.value},
                {"Version", peer.version},
                {"AdvertIntervalUSec", usec(peer.interval)},
                {"LastSeenUSec", realtime_usec(peer.last_seen)}};
    });
    json["AdvertIntervalUSec"] = usec(model.advert_interval);
    json["MasterDownIntervalUSec"] = usec(view.master_down);
    json["Preempt"] = model.preempt;
    json["PreemptDelayUSec"] = usec(model.preempt_delay);
    json["Prompt"] = model.prompt;
    json["HeldBack"] = view.held_back;
    json["LeaseUSec"] = usec(view.lease);
    json["LeaseUntil"] = realtime_usec(view.lease_until);
    json["LeaseNote"] = view.lease_note;
    json["Trackers"] = list(model.track, [](const model::TrackUse& use) -> Json { return use.tracker; });
    json["SyncGroup"] = view.group;
    json["LastScript"] = nullptr;
    if (view.script)
        json["LastScript"] = {{"What", view.script->what},
                              {"Ok", view.script->ok},
                              {"Detail", view.script->detail},
                              {"TookUSec", usec(view.script->took)},
                              {"EndedUSec", realtime_usec(view.script->at)}};
    json["Counters"] = counters(view.counters);
    return json;
}

Json tracker_json(const engine::TrackerView& view) {
    return {{"Name", view.model->name},
            {"Path", tracker_path(view.model->name)},
            {"Kind", model::kind_name(view.model->kind)},
            {"Target", model::target(view.model->kind)},
            {"Status", engine::name(view.verdict)},
            {"Degraded", view.degraded},
            {"Detail", view.detail},
            {"SkippedRuns", view.skipped},
            {"Counters", counters(view)},
            {"SinceUSec", realtime_usec(view.since)},
            {"Users", view.users}};
}

Json group_json(const engine::GroupView& view) {
    return {{"Name", view.model->name},
            {"Path", group_path(view.model->name)},
            {"Members", view.model->instances},
            {"State", view.state},
            {"StateReason", {{"Code", view.reason_code}, {"Text", view.reason}}},
            {"StateTimestamp", realtime_usec(view.since)},
            {"EffectivePriority", view.priority.value},
            {"Trackers", list(view.model->track, [](const model::TrackUse& use) -> Json { return use.tracker; })}};
}

} // namespace

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view family_name(Family family) {
    return family == Family::ipv4 ? "ipv4" : "ipv6";
}

std::string describe(const engine::InstanceView& view) {
    return dump(instance_json(view));
}

std::string describe(const engine::GroupView& view) {
    return dump(group_json(view));
}

std::string describe(const Shown& shown) {
    const auto& facts = *shown.facts;
    const auto census = count(*shown.snapshot);
    Json json{{"Version", HOLDFAST_VERSION},
              {"NodeName", shown.snapshot->node_name},
              {"State", node_state(shown)},
              {"ConfigPath", facts.config_path},
              {"ConfigHash", facts.config_hash},
              {"StartedTimestamp", facts.started_usec},
              {"ConfigLoadedTimestamp", facts.config_loaded_usec},
              {"LastReloadResult", facts.last_reload_result},
              {"LastReloadErrors", facts.last_reload_errors},
              {"Missing", facts.missing},
              {"Maintenance", shown.snapshot->maintenance.has_value()},
              {"MaintenanceReason", shown.snapshot->maintenance.value_or("")},
              {"NInstances", census.instances},
              {"NMaster", census.masters},
              {"NFault", census.faults}};
    json["StaticAddresses"] = list(*shown.snapshot->static_addresses, address_json);
    json["StaticRoutes"] = list(shown.snapshot->static_routes, extra_json);
    json["StaticRules"] = list(shown.snapshot->static_rules, extra_json);
    json["Instances"] = list(shown.snapshot->instances, [](const auto& view) { return instance_json(*view); });
    json["SyncGroups"] = list(shown.snapshot->groups, [](const auto& view) { return group_json(*view); });
    json["Trackers"] = list(shown.snapshot->trackers, [](const auto& view) { return tracker_json(*view); });
    json["VirtualServers"] = servers_json(*shown.snapshot);
    return dump(json);
}

} // namespace holdfast::bus
