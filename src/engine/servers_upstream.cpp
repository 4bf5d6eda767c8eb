// Virtual servers that nginx balances: their upstream files follow the pools as the kernel's table does. All files of one nginx
// are one batch, because reading them costs it all its workers: at most once a second.
#include "engine/servers.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration write_every = 1s;
constexpr Duration try_again_after = 5s;    ///< when nginx refused, or the file could not be written
constexpr Duration wait_for_verdicts = 10s; ///< of a start; then what is known is written

bool has_pending(const pool::Pool& pool) {
    return std::ranges::any_of(pool.members,
                               [](const pool::Member& member) { return member.health == pool::Health::pending; });
}

} // namespace

std::vector<model::UpstreamPeer> Servers::peers(const Server& server, Time now) {
    const auto& model = *server.pool.model;
    const auto wanted = pool::wanted(server.pool, now);
    std::vector<model::UpstreamPeer> result;
    const auto add = [&](const model::RealServer& real, std::uint32_t weight, bool backup) {
        result.push_back({real.name, real.address, real.port, weight, real.upper_threshold, backup});
    };
    const auto weight_of = [&](const model::RealServer* real) {
        const auto at = std::ranges::find(wanted, real, &pool::Wanted::server);
        return at == wanted.end() ? 0U : at->weight;
    };
    for (const auto& member : server.pool.members)
        if (!member.leaving) add(*member.model, weight_of(member.model.get()), false); // requests under way go on
    if (!model.sorry_server) return result;
    // Only these two methods know a backup (ngx_http_upstream_module); with the others it comes when it is its turn.
    const auto balance = model.nginx->balance;
    const bool has_backup =
        balance == model::Upstream::Balance::round_robin || balance == model::Upstream::Balance::least_conn;
    if (has_backup || pool::is_sorry(server.pool)) add(*model.sorry_server, 1, has_backup);
    return result;
}

/// What the process before us wrote stays until there are verdicts: a restart changes nothing that nginx sees.
Time Servers::upstream_due(const Server& server) {
    if (!server.placed || !has_pending(server.pool)) return Time::min();
    return server.began + wait_for_verdicts;
}

Time Servers::upstream_deadline() const {
    Time result = never;
    for (const auto& [which, nginx] : nginx_) {
        if (nginx.in_flight || stopping_) continue;
        for (const auto& name : nginx.dirty)
            if (const auto at = servers_.find(name); at != servers_.end())
                result = std::min(result, std::max(nginx.not_before, upstream_due(at->second)));
    }
    return result;
}

void Servers::program_upstreams(Turn turn) {
    if (upstream_deadline() > turn.now) return;
    for (auto& [which, nginx] : nginx_) {
        if (nginx.in_flight || turn.now < nginx.not_before) continue;
        WriteUpstreams batch{.id = UpstreamBatchId{next_batch_}, .nginx = {}, .files = {}, .reload = nginx.refused};
        for (const auto& name : std::exchange(nginx.dirty, {})) {
            auto* const server = find(name);
            const auto* const model = server ? server->pool.model.get() : nullptr;
            if (!model || !model->nginx || model->nginx->nginx() != which) continue; // a reload took it away
            const bool settled = upstream_due(*server) <= turn.now;
            const bool first = !std::exchange(server->placed, true) && has_pending(server->pool);
            if (first || !settled) nginx.dirty.insert(name);
            if (!first && !settled) continue;
            batch.nginx = *model->nginx;
            batch.files.push_back({server->pool.model, peers(*server, turn.now), first});
        }
        if (batch.files.empty()) continue;
        ++next_batch_;
        nginx.in_flight = batch.id;
        nginx.asked.clear();
        for (const auto& file : batch.files)
            nginx.asked.push_back(file.server->name);
        nginx.not_before = turn.now + write_every;
        turn.out.push_back(std::move(batch));
    }
}

void Servers::on(const UpstreamsWritten& event, Turn turn) {
    const auto at = std::ranges::find_if(nginx_, [&](const auto& each) { return each.second.in_flight == event.id; });
    if (at == nginx_.end()) return;
    auto& nginx = at->second;
    nginx.in_flight.reset();
    nginx.refused = !event.problem.empty();
    for (const auto& name : std::exchange(nginx.asked, {})) {
        auto* const server = find(name);
        if (!server || !server->pool.model->nginx) continue;
        if (nginx.refused) nginx.dirty.insert(name);
        const auto before = std::exchange(server->upstream_problem, event.problem);
        tell_problem(*server, before, turn);
        if (nginx.dirty.contains(name)) continue; // it has changed again: the next batch says more
        // Nobody new comes to those that drain; nginx itself lets what is under way come to its end.
        for (auto& member : server->pool.members)
            if (member.draining) member.connections = 0;
        finish_drains(*server, turn);
        server->view.reset();
    }
    if (nginx.refused) nginx.not_before = turn.now + try_again_after;
    view_changed_ = true;
    program(turn);
}

} // namespace holdfast::engine
