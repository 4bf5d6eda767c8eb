#include "bus/server_describe.hpp"

#include "bus/clock.hpp"
#include "bus/counters.hpp"
#include "bus/json.hpp"
#include "bus/names.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast::bus {
namespace {

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
              {"Problem", view.problem},
              {"Warning", view.warning}};
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
