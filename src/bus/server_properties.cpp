// Which properties of virtual servers and real servers differ: properties.hpp's other half.
#include "bus/properties.hpp"

#include <algorithm>

namespace holdfast::bus {
namespace {

using engine::RealServerView;
using engine::VirtualServerView;

bool members_differ(const VirtualServerView& a, const VirtualServerView& b) {
    const auto name = [](const auto& real) -> const std::string& { return real->model->name; };
    return !std::ranges::equal(a.reals, b.reals, {}, name, name);
}

bool checks_differ(const RealServerView& a, const RealServerView& b) {
    return !std::ranges::equal(a.checks, b.checks, [](const engine::CheckView& x, const engine::CheckView& y) {
        return x.kind == y.kind && x.state.verdict == y.state.verdict && x.state.detail == y.state.detail;
    });
}

} // namespace

std::vector<std::string> changed_properties(const VirtualServerView& a, const VirtualServerView& b) {
    const auto &before = *a.model, &after = *b.model;
    std::vector<std::string> names;
    const auto note = [&](bool differs, const char* name) {
        if (differs) names.emplace_back(name);
    };
    note(before.nginx.has_value() != after.nginx.has_value(), "Kind");
    note(before.services != after.services || before.nginx != after.nginx, "Services");
    note(before.scheduler != after.scheduler || before.nginx != after.nginx, "Scheduler");
    note(a.state != b.state, "State");
    note(a.since != b.since, "StateTimestamp");
    note(a.quorate != b.quorate, "Quorate");
    note(before.quorum != after.quorum, "Quorum");
    note(a.weight != b.weight, "Weight");
    note(before.while_master != after.while_master, "WhileMaster");
    note(before.sorry_server != after.sorry_server, "SorryServer");
    note(before.persistence != after.persistence, "PersistenceUSec");
    note(a.problem != b.problem, "Problem");
    note(a.warning != b.warning, "Warning");
    note(members_differ(a, b), "RealServers");
    return names;
}

std::vector<std::string> changed_properties(const RealServerView& a, const RealServerView& b) {
    std::vector<std::string> names;
    const auto note = [&](bool differs, const char* name) {
        if (differs) names.emplace_back(name);
    };
    note(a.model->origin != b.model->origin, "Origin");
    note(a.state != b.state, "State");
    note(a.since != b.since, "StateTimestamp");
    note(a.detail != b.detail, "Detail");
    note(a.weight != b.weight, "Weight");
    note(a.model->weight != b.model->weight, "BaseWeight");
    note(a.set_weight != b.set_weight, "SetWeight");
    note(a.in_table != b.in_table, "InTable");
    note(a.model->forwarding != b.model->forwarding, "Forwarding");
    note(checks_differ(a, b), "Checks");
    return names;
}

bool same_object(const VirtualServerView& a, const VirtualServerView& b) {
    return a.model->name == b.model->name;
}

bool same_object(const RealServerView& a, const RealServerView& b) {
    return a.model->name == b.model->name && a.model->address == b.model->address && a.model->port == b.model->port;
}

} // namespace holdfast::bus
