// Counters of virtual servers and real servers, and both as JSON.
#include "bus/server_describe.hpp"

#include "bus/clock.hpp"
#include "bus/json.hpp"
#include "bus/names.hpp"
#include "engine/ipvs_plan.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast::bus {
namespace {

void add(CounterList& list, const engine::IpvsStatistics& each) {
    list["connections"] += each.connections;
    list["packets_in"] += each.packets_in;
    list["packets_out"] += each.packets_out;
    list["bytes_in"] += each.bytes_in;
    list["bytes_out"] += each.bytes_out;
    list["connections_per_second"] += each.connection_rate;
    list["packets_in_per_second"] += each.packet_rate_in;
    list["packets_out_per_second"] += each.packet_rate_out;
    list["bytes_in_per_second"] += each.byte_rate_in;
    list["bytes_out_per_second"] += each.byte_rate_out;
}

Json real_json(const engine::RealServerView& view, const engine::IpvsListed* listed) {
    const auto& model = *view.model;
    Json json{{"Name", model.name},
              {"Path", real_server_path(view.server->name, model.name)},
              {"Origin", model::name(model.origin)},
              {"Address", to_string(model.address)},
              {"Port", model.port},
              {"State", view.state},
              {"StateTimestamp", realtime_usec(view.since)},
              {"Detail", view.detail},
              {"Weight", view.weight},
              {"BaseWeight", model.weight},
              {"InTable", view.in_table},
              {"Forwarding", model::name(model.forwarding.method)}};
    json["SetWeight"] = view.set_weight ? Json{*view.set_weight} : Json{nullptr};
    json["Checks"] = Json::array();
    for (const auto& check : view.checks)
        json["Checks"].push_back({{"Kind", check.kind},
                                  {"Verdict", check::name(check.state.verdict)},
                                  {"Detail", check.state.detail},
                                  {"LatencyUSec", usec(check.state.latency)},
                                  {"Probes", check.state.probes},
                                  {"Bad", check.state.bad}});
    json["Counters"] = counters(view, listed);
    return json;
}

Json server_json(const engine::VirtualServerView& view, const engine::IpvsListed* listed) {
    const auto& model = *view.model;
    Json json{{"Name", model.name},
              {"Path", virtual_server_path(model.name)},
              {"Kind", kind_name(view)},
              {"Services", service_names(view)},
              {"Scheduler", scheduler(view)},
              {"State", view.state},
              {"StateTimestamp", realtime_usec(view.since)},
              {"Quorate", view.quorate},
              {"Quorum", model.quorum},
              {"Weight", view.weight},
              {"WhileMaster", model.while_master},
              {"SorryServer", sorry_server(view)},
              {"PersistenceUSec", usec(model.persistence)},
              {"Problem", view.problem}};
    json["RealServers"] = Json::array();
    for (const auto& real : view.reals)
        json["RealServers"].push_back(real_json(*real, listed));
    json["Counters"] = counters(view, listed);
    return json;
}

} // namespace

std::string kind_name(const engine::VirtualServerView& view) {
    return view.model->nginx ? "nginx" : "ipvs";
}

std::string scheduler(const engine::VirtualServerView& view) {
    const auto& nginx = view.model->nginx;
    return nginx ? std::string{model::name(nginx->balance)} : view.model->scheduler;
}

std::vector<std::string> service_names(const engine::VirtualServerView& view) {
    std::vector<std::string> result;
    if (const auto& nginx = view.model->nginx) return {fmt::format("nginx {}", nginx->file)};
    for (const auto& key : view.model->services)
        result.push_back(model::to_string(key));
    return result;
}

std::string sorry_server(const engine::VirtualServerView& view) {
    return view.model->sorry_server ? to_string(view.model->sorry_server->address) : std::string{};
}

CounterList counters(const engine::VirtualServerView& view, const engine::IpvsListed* listed) {
    CounterList result;
    add(result, {});
    for (const auto& key : view.model->services)
        if (const auto* const service = listed ? engine::find(*listed, key) : nullptr) add(result, service->statistics);
    return result;
}

CounterList counters(const engine::RealServerView& view, const engine::IpvsListed* listed) {
    CounterList result{{"active_connections", 0},
                       {"inactive_connections", 0},
                       {"persistent_connections", 0},
                       {"probes", 0},
                       {"bad_probes", 0}};
    add(result, {});
    for (const auto& key : view.server->services) {
        const auto* const found = listed ? engine::find(*listed, key, engine::endpoint_of(key, *view.model)) : nullptr;
        if (!found) continue;
        add(result, found->statistics);
        result["active_connections"] += found->active;
        result["inactive_connections"] += found->inactive;
        result["persistent_connections"] += found->persistent;
    }
    for (const auto& check : view.checks) {
        result["probes"] += check.state.probes;
        result["bad_probes"] += check.state.bad;
    }
    return result;
}

std::string describe(const engine::RealServerView& view, const engine::IpvsListed* listed) {
    return dump(real_json(view, listed));
}
std::string describe(const engine::VirtualServerView& view, const engine::IpvsListed* listed) {
    return dump(server_json(view, listed));
}
Json servers_json(const engine::Snapshot& snapshot) {
    auto all = Json::array();
    for (const auto& view : snapshot.virtual_servers)
        all.push_back(server_json(*view, snapshot.ipvs.get()));
    return all;
}

} // namespace holdfast::bus
