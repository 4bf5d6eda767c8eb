#include "engine/servers.hpp"

#include "model/role.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace holdfast::engine {
namespace {

constexpr Duration drain_by_command = 5min; ///< when neither the command nor the file says how long

/// A check that goes on over a reload: the same rule for the same target.
bool same_target(const model::RealServer& a, const model::RealServer& b) {
    return a.address == b.address && a.port == b.port && a.checks == b.checks;
}

/// Of the service, for real servers that have none of their own; 0: each of them has.
std::uint16_t port_of(const model::VirtualServer& server) {
    return server.services.empty() ? std::uint16_t{0} : server.services.front().port;
}

} // namespace

Servers::Server* Servers::find(const std::string& name) {
    const auto at = servers_.find(name);
    return at == servers_.end() ? nullptr : &at->second;
}

std::optional<std::size_t> Servers::find_member(const Server& server, const std::string& name) {
    const auto& members = server.pool.members;
    const auto name_of = [](const pool::Member& member) -> const std::string& { return member.model->name; };
    const auto at = std::ranges::lower_bound(members, name, {}, name_of);
    if (at == members.end() || name_of(*at) != name) return std::nullopt;
    return static_cast<std::size_t>(at - members.begin());
}

std::optional<bool> Servers::has_quorum(const std::string& name) const {
    const auto at = servers_.find(name);
    return at == servers_.end() ? std::nullopt : std::optional{at->second.pool.quorate};
}

void Servers::tell(Severity severity, NoteKind kind, const std::string& object, std::string text, Turn turn) const {
    turn.out.push_back(Tell{{severity, kind, object, std::move(text), {}, {}, {}}});
}

void Servers::warn(const std::string& name, const std::string& text, Turn turn) {
    auto* const server = find(name);
    if (!server || server->warning == text) return;
    server->warning = text;
    touch(*server, turn);
    if (!text.empty()) tell(Severity::warning, NoteKind::server_unnamed, name, fmt::format("{}: {}", name, text), turn);
}

void Servers::configure(const model::Config& config, const Trackers& trackers, Turn turn) {
    std::vector<std::string> removed;
    for (const auto& [name, server] : servers_)
        if (const auto* const model = model::find_server(config, name);
            !model || !model::is_directed_by(*model, config.node_name))
            removed.push_back(name);
    for (const auto& name : removed)
        remove(name, turn);
    for (const auto& model : config.virtual_servers) {
        auto* const server = find(model.name);
        if (!model::is_directed_by(model, config.node_name)) continue; // a real server of it at most
        if (server && *server->pool.model == model) continue;
        auto shared = std::make_shared<const model::VirtualServer>(model);
        if (server)
            change(*server, std::move(shared), trackers, turn);
        else
            add(std::move(shared), trackers, turn);
    }
    ipvs_ = config.ipvs;
    forgets_stale_ = config.ipvs.forget_stale.value_or(!servers_.empty() && !model::role_of(config).addresses.empty());
    reuse_problem_.clear();
    daemons_dirty_ = true;
    index_followed(config);
    claim_services();
    if (list_at_ == never && is_of_use()) list_at_ = turn.now;
    view_changed_ = true;
    program(turn);
}

void Servers::index_followed(const model::Config& config) {
    std::set<std::string> names;
    for (const auto& [name, server] : servers_)
        if (!server.pool.model->while_master.empty()) names.insert(server.pool.model->while_master);
    if (ipvs_.sync && !ipvs_.sync->while_master.empty()) names.insert(ipvs_.sync->while_master);
    followed_.assign(names.begin(), names.end());
    std::erase_if(masters_, [&](const std::string& name) { return !names.contains(name); });
    for (auto& [name, server] : servers_) {
        const auto& followed = server.pool.model->while_master;
        server.wanted = followed.empty() || masters_.contains(followed);
    }
    served_here_.clear();
    std::set<std::string> served_elsewhere;
    for (const auto& model : config.virtual_servers)
        (model::is_served_on(model, config.node_name) ? served_here_ : served_elsewhere).insert(model.while_master);
    for (const auto& name : served_elsewhere)
        served_here_.erase(name);
}

// ---- the objects ------------------------------------------------------------------------------------------------------------

Servers::Real Servers::begin_real(const Server& server, const model::RealServer& model, const Trackers& trackers,
                                  Turn turn) {
    Real real;
    real.since = turn.now;
    for (std::size_t i = 0; i < model.checks.size(); ++i) {
        const auto& check = model.checks[i];
        CheckSlot slot{.id = CheckId{next_check_++}, .state = {}};
        slot.state.since = turn.now;
        checks_[slot.id.value] = {server.name(), model.name, i};
        if (const auto* const tracker = std::get_if<model::TrackerCheck>(&check.kind)) {
            if (const auto at = trackers.find(tracker->tracker); at != trackers.end())
                read_tracker(at->second, slot, *tracker, turn);
        } else {
            turn.out.push_back(StartCheck{slot.id, server.name() + "/" + model.name, check,
                                          check.socket.address.value_or(model.address),
                                          check.socket.port != 0 ? check.socket.port
                                          : model.port != 0      ? model.port
                                                                 : port_of(*server.pool.model)});
        }
        real.checks.push_back(std::move(slot));
    }
    return real;
}

void Servers::end_real(Real& real, Turn turn) {
    for (const auto& slot : real.checks) {
        checks_.erase(slot.id.value);
        turn.out.push_back(StopCheck{slot.id});
    }
    real.checks.clear();
}

void Servers::add(std::shared_ptr<const model::VirtualServer> model, const Trackers& trackers, Turn turn) {
    auto& server = servers_[model->name];
    server.pool.model = std::move(model);
    server.since = server.began = turn.now;
    for (const auto& real : server.pool.model->real_servers) {
        server.pool.members.push_back({.model = std::shared_ptr<const model::RealServer>{server.pool.model, &real}});
        server.reals.push_back(begin_real(server, real, trackers, turn));
    }
    for (std::size_t i = 0; i < server.reals.size(); ++i)
        weigh_up(server, i, turn);
    settle(server, turn);
}

/// Members are matched by name; a member that is gone drains, if the file gives it the time.
void Servers::change(Server& server, std::shared_ptr<const model::VirtualServer> model, const Trackers& trackers,
                     Turn turn) {
    const auto before = std::exchange(server.pool.model, std::move(model));
    auto members = std::exchange(server.pool.members, {});
    auto reals = std::exchange(server.reals, {});
    const auto& wanted = server.pool.model->real_servers;
    const bool same_port = port_of(*before) == port_of(*server.pool.model);
    auto old = members.begin();
    const auto drop_or_drain = [&](pool::Member& member, Real& real) {
        end_real(real, turn);
        const auto timeout = server.pool.model->drain_timeout;
        if (timeout == Duration::zero() && !member.leaving) return;
        if (!member.draining) member.draining = turn.now + timeout, member.connections.reset();
        member.leaving = true;
        server.pool.members.push_back(std::move(member));
        server.reals.push_back(std::move(real));
    };
    const auto index = [&] { return static_cast<std::size_t>(old - members.begin()); };
    for (const auto& real : wanted) {
        for (; old != members.end() && old->model->name < real.name; ++old)
            drop_or_drain(*old, reals[index()]);
        const std::shared_ptr<const model::RealServer> shared{server.pool.model, &real};
        if (old == members.end() || old->model->name != real.name) {
            server.pool.members.push_back({.model = shared});
            server.reals.push_back(begin_real(server, real, trackers, turn));
            continue;
        }
        auto& kept = server.pool.members.emplace_back(std::move(*old));
        auto& its = server.reals.emplace_back(std::move(reals[index()]));
        if (!same_port || kept.leaving || !same_target(*kept.model, real)) {
            end_real(its, turn);
            const auto since = its.since;
            its = begin_real(server, real, trackers, turn);
            its.since = since;
            // Until its new checks have a verdict, it is what it was.
            kept.assumed_up = kept.leaving || pool::is_alive(server.pool, kept) || kept.health == pool::Health::pending;
            if (kept.leaving) kept.draining.reset();
            kept.leaving = false;
            kept.health = pool::Health::pending;
        }
        kept.model = shared;
        ++old;
    }
    for (; old != members.end(); ++old)
        drop_or_drain(*old, reals[index()]);
    for (std::size_t i = 0; i < server.reals.size(); ++i)
        weigh_up(server, i, turn);
    settle(server, turn);
}

void Servers::remove(const std::string& name, Turn turn) {
    for (auto& real : servers_.at(name).reals)
        end_real(real, turn);
    servers_.erase(name);
}

void Servers::follow(const std::string& name, bool wanted, Turn turn) {
    if (wanted == masters_.contains(name)) return;
    if (wanted)
        masters_.insert(name);
    else
        masters_.erase(name);
    daemons_dirty_ = true;
    for (auto& [server_name, server] : servers_) {
        if (server.pool.model->while_master != name) continue;
        server.wanted = wanted;
        touch(server, turn);
    }
    program(turn);
}

void Servers::leave_to_others(std::vector<model::ServiceKey> services, Turn turn) {
    if (services == left_to_others_) return;
    std::ranges::set_symmetric_difference(services, left_to_others_, std::inserter(dirty_, dirty_.end()));
    left_to_others_ = std::move(services);
    for (auto& [name, server] : servers_)
        if (server.pool.model->guard) touch(server, turn);
    program(turn);
}

void Servers::masters_are_known(Turn turn) {
    masters_known_ = true;
    program(turn);
}

/// With `omega`, the daemon's end is the end of what it says of its servers too.
void Servers::tell_the_end(const Server& server, Turn turn) {
    if (!server.pool.model->omega) return;
    const auto edge = [&](std::string object, const char* from, const char* to, const model::Words& program,
                          const model::ServerNotify& told) {
        if (program.empty() && !told.mail && told.fifo.empty()) return;
        turn.edges.push_back({.instance = std::move(object),
                              .from = from,
                              .to = to,
                              .reason_code = "stopping",
                              .reason = "the daemon stops",
                              .kind = TransitionKind::server,
                              .server = server.pool.model,
                              .program = program,
                              .told = told});
    };
    for (std::size_t i = 0; i < server.reals.size(); ++i) {
        const auto& model = *server.pool.members[i].model;
        if (server.reals[i].was_up)
            edge(server.name() + "/" + model.name, "up", "down", model.notify_down, model.notify);
    }
    const auto& model = *server.pool.model;
    if (server.pool.quorate) edge(server.name(), "quorum", "no_quorum", model.quorum_down, model.notify);
}

void Servers::stop(Turn turn) {
    if (std::exchange(stopping_, true)) return;
    for (auto& [name, server] : servers_) {
        tell_the_end(server, turn);
        for (auto& real : server.reals)
            end_real(real, turn);
        touch(server, turn);
    }
    for (const auto& key : owned_)
        dirty_.insert(key);
    daemons_dirty_ = true;
    program(turn);
}

void Servers::elapsed(Turn turn) {
    if (turn.now >= pools_at_) {
        pools_at_ = never;
        for (auto& [name, server] : servers_)
            if (pool::is_moving(server.pool)) {
                finish_drains(server, turn);
                touch(server, turn);
            }
    }
    if (turn.now >= list_at_ && !listing_) {
        listing_ = true;
        listed_from_ = turn.now;
        list_at_ = never;
        turn.out.push_back(ListIpvs{.glance = glance_will_do(turn.now)});
    }
    program(turn);
}

Time Servers::next_deadline() const {
    return std::min({pools_at_, list_at_, upstream_deadline()});
}

// ---- commands -----------------------------------------------------------------------------------------------------------

void Servers::on(const ServerCommanded& event, Turn turn) {
    const auto& command = event.command;
    auto* const server = find(command.server);
    const auto refuse = [&](std::string text) {
        turn.out.push_back(Reply{event.id, CommandError::no_such_server, std::move(text)});
    };
    if (!server) return refuse(fmt::format("there is no virtual server '{}'", command.server));
    const auto member = find_member(*server, command.real);
    if (!member)
        return refuse(fmt::format("virtual server '{}' has no real server '{}'", command.server, command.real));
    turn.out.push_back(Reply{event.id, std::nullopt, carry_out(command, *server, *member, turn)});
    program(turn);
}

/// What to say of it.
std::string Servers::carry_out(const ServerCommand& command, Server& server, std::size_t index, Turn turn) {
    auto& member = server.pool.members[index];
    const auto name = command.server + "/" + command.real;
    std::string text;
    switch (command.what) {
    case ServerCommand::What::drain: {
        const auto own = server.pool.model->drain_timeout;
        const auto timeout = command.timeout.value_or(own > Duration::zero() ? own : drain_by_command);
        member.draining = turn.now + timeout;
        member.connections.reset();
        text = fmt::format(
            "{} gets no new connections; it leaves the table when those it has are over, in {} at the latest", name,
            to_string(timeout));
        break;
    }
    case ServerCommand::What::disable:
        member.disabled = true;
        text = fmt::format("{} is out of the table until it is enabled", name);
        break;
    case ServerCommand::What::enable:
        member.disabled = false;
        if (!member.leaving) member.draining.reset();
        text = fmt::format("{} is {}", name, pool::name(member.health));
        break;
    case ServerCommand::What::set_weight:
        member.set_weight = command.weight;
        text = fmt::format("{} has weight {} until the next start", name, command.weight);
        break;
    case ServerCommand::What::file_weight:
        member.set_weight.reset();
        text = fmt::format("{} has the file's weight again, {}", name, member.model->weight);
        break;
    case ServerCommand::What::check_now:
        for (const auto& slot : server.reals[index].checks)
            turn.out.push_back(ProbeNow{slot.id});
        return fmt::format("{} is probed now", name);
    }
    server.reals[index].view.reset();
    tell(Severity::notice, NoteKind::server_changed, name, text, turn);
    if (is_of_use()) list_at_ = std::min(list_at_, turn.now); // connections are counted anew
    settle(server, turn);
    return text;
}

} // namespace holdfast::engine
