// Virtual servers as views show them. A real server's view is shared while it says the same, so that one of ten thousand that
// changes costs one.
#include "engine/servers.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

std::string_view state_of(const pool::Member& member) {
    if (member.draining) return "draining";
    if (member.disabled) return "disabled";
    return pool::name(member.health);
}

std::string_view state_of(const pool::Pool& pool, bool wanted, bool degraded) {
    if (degraded) return "degraded";
    if (!wanted) return "standby";
    if (pool.quorate) return "serving";
    return pool::is_sorry(pool) ? "sorry" : "down";
}

} // namespace

/// Not all of its services are others' just now; one of nginx has none.
bool Servers::is_here(const Server& server) const {
    const auto& services = server.pool.model->services;
    const auto is_left = [this](const auto& key) {
        return std::ranges::binary_search(left_to_others_, kernel_key(key));
    };
    return server.wanted && (services.empty() || !std::ranges::all_of(services, is_left));
}

std::vector<std::shared_ptr<const VirtualServerView>> Servers::views(Time now) {
    std::vector<std::shared_ptr<const VirtualServerView>> result;
    for (auto& [name, server] : servers_) {
        if (!server.view) server.view = view(server, now);
        result.push_back(server.view);
    }
    return result;
}

std::shared_ptr<const VirtualServerView> Servers::view(Server& server, Time now) const {
    auto result = std::make_shared<VirtualServerView>();
    const auto& pool = server.pool;
    result->model = pool.model;
    result->quorate = pool.quorate;
    result->weight = pool::total_weight(pool);
    result->problem = problem(server);
    result->warning = server.warning;
    result->since = server.since;
    const bool here = is_here(server);
    result->state = state_of(pool, here, !result->problem.empty());
    const bool there = here && result->problem.empty();
    const auto wanted = pool::wanted(pool, now); // in the members' order
    auto next = wanted.begin();
    for (std::size_t i = 0; i < pool.members.size(); ++i) {
        const auto& member = pool.members[i];
        const bool is_wanted = next != wanted.end() && next->server == member.model.get();
        const auto weight = is_wanted ? (next++)->weight : 0;
        auto& known = server.reals[i].view;
        if (!known || known->server != pool.model || known->weight != weight ||
            known->in_table != (is_wanted && there)) {
            auto fresh = view(server, member, server.reals[i]);
            fresh->weight = weight;
            fresh->in_table = is_wanted && there;
            known = std::move(fresh);
        }
        result->reals.push_back(known);
    }
    return result;
}

std::shared_ptr<RealServerView> Servers::view(const Server& server, const pool::Member& member, const Real& real) {
    auto result = std::make_shared<RealServerView>();
    result->server = server.pool.model;
    result->model = member.model;
    result->state = state_of(member);
    result->set_weight = member.set_weight;
    result->since = real.since;
    for (std::size_t i = 0; i < real.checks.size(); ++i) {
        const auto& state = real.checks[i].state;
        result->checks.push_back({std::string{model::kind_name(member.model->checks[i])}, state});
        if (result->detail.empty() || state.verdict == check::Verdict::down) result->detail = state.detail;
    }
    return result;
}

} // namespace holdfast::engine
