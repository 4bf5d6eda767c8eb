// Virtual servers as views show them.
#include "engine/servers.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

std::string_view state_of(const pool::Member& member) {
    if (member.draining) return "draining";
    if (member.disabled) return "disabled";
    return pool::name(member.health);
}

} // namespace

std::vector<std::shared_ptr<const VirtualServerView>> Servers::views(Time now) {
    viewed_at_ = now;
    std::vector<std::shared_ptr<const VirtualServerView>> result;
    for (auto& [name, server] : servers_) {
        if (!server.view) server.view = view(server);
        result.push_back(server.view);
    }
    return result;
}

std::shared_ptr<const VirtualServerView> Servers::view(const Server& server) const {
    auto result = std::make_shared<VirtualServerView>();
    const auto& pool = server.pool;
    result->model = pool.model;
    result->quorate = pool.quorate;
    result->weight = pool::total_weight(pool);
    result->problem = table_problem_.empty() ? server.problem : table_problem_;
    result->since = server.since;
    result->state = !result->problem.empty() ? "degraded"
                    : !server.wanted         ? "standby"
                    : pool.quorate           ? "serving"
                    : pool::is_sorry(pool)   ? "sorry"
                                             : "down";
    for (std::size_t i = 0; i < pool.members.size(); ++i)
        result->reals.push_back(view(pool.members[i], server.reals[i]));
    const auto wanted = pool::wanted(pool, viewed_at_); // in the members' order
    auto next = wanted.begin();
    for (auto& real : result->reals) {
        if (next == wanted.end() || next->server != real.model.get()) continue;
        real.in_table = server.wanted && result->problem.empty();
        real.weight = (next++)->weight;
    }
    return result;
}

RealServerView Servers::view(const pool::Member& member, const Real& real) {
    RealServerView result{.model = member.model,
                          .state = state_of(member),
                          .weight = 0,
                          .in_table = false,
                          .set_weight = member.set_weight,
                          .checks = {},
                          .detail = {},
                          .since = real.since};
    for (std::size_t i = 0; i < real.checks.size(); ++i) {
        const auto& state = real.checks[i].state;
        result.checks.push_back({std::string{model::kind_name(member.model->checks[i])}, state});
        if (result.detail.empty() || state.verdict == check::Verdict::down) result.detail = state.detail;
    }
    return result;
}

} // namespace holdfast::engine
