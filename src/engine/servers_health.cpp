// What probes and trackers say becomes the health and weight of a real server, and with its pool's say the quorum.
#include "engine/servers.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

/// The check that keeps a server down, or that of the last word.
const check::State* telling(const auto& checks) {
    const auto down =
        std::ranges::find_if(checks, [](const auto& slot) { return slot.state.verdict == check::Verdict::down; });
    if (down != checks.end()) return &down->state;
    return checks.empty() ? nullptr : &checks.back().state;
}

} // namespace

void Servers::on(const CheckObserved& event, Turn turn) {
    const auto home = checks_.find(event.id.value);
    if (home == checks_.end()) return; // stopped meanwhile
    auto& server = *find(home->second.server);
    const auto index = find_member(server, home->second.real).value();
    const auto& model = *server.pool.members[index].model;
    const auto slot = home->second.slot;
    auto& state = server.reals[index].checks[slot].state;
    const bool blind = state.blind;
    const auto detail = state.detail;
    const bool moved = check::on(state, model.checks[slot], event.probed, turn.now);
    if (blind != state.blind && state.blind)
        tell(Severity::warning, NoteKind::server_changed, server.name() + "/" + model.name,
             fmt::format("{}/{} can't be probed, so its last verdict holds: {}", server.name(), model.name,
                         state.detail),
             turn);
    if (moved || blind != state.blind || detail != state.detail) {
        server.reals[index].view.reset();
        server.view.reset();
        view_changed_ = true;
    }
    if (!moved) return;
    weigh_up(server, index, turn);
    settle(server, turn);
    program(turn);
}

void Servers::read_tracker(const TrackerState& tracker, CheckSlot& slot, const model::TrackerCheck& check,
                           Turn turn) const {
    slot.state.detail = fmt::format("tracker {}: {}", check.tracker, tracker.detail);
    const bool seen = tracker.verdict == Verdict::up || tracker.verdict == Verdict::down;
    const bool file = std::holds_alternative<model::FileTracker>(tracker.model.kind);
    auto verdict = check::Verdict::pending;
    if (seen && (check.weight != 0 && file))
        verdict = check::Verdict::up; // its number counts, not that it is not 0
    else if (seen)
        verdict = (tracker.verdict == Verdict::up) != check.reverse ? check::Verdict::up : check::Verdict::down;
    if (verdict != slot.state.verdict) slot.state.since = turn.now;
    slot.state.verdict = verdict;
}

void Servers::tracker_changed(const TrackerState& tracker, Turn turn) {
    for (auto& [name, server] : servers_) {
        bool moved = false;
        for (std::size_t i = 0; i < server.reals.size(); ++i) {
            bool concerns = false;
            const auto& model = *server.pool.members[i].model;
            for (std::size_t c = 0; c < server.reals[i].checks.size(); ++c) {
                const auto* const kind = std::get_if<model::TrackerCheck>(&model.checks[c].kind);
                if (!kind || kind->tracker != tracker.model.name) continue;
                read_tracker(tracker, server.reals[i].checks[c], *kind, turn);
                server.reals[i].checks[c].added =
                    kind->weight == 0 ? 0 : tracker.value * kind->weight * (kind->reverse ? -1 : 1);
                concerns = true;
            }
            if (concerns) weigh_up(server, i, turn);
            moved = moved || concerns;
        }
        if (moved) settle(server, turn);
    }
    program(turn);
}

/// All checks have to be good; without one it is taken for up.
void Servers::weigh_up(Server& server, std::size_t index, Turn turn) {
    auto& member = server.pool.members[index];
    auto& real = server.reals[index];
    const auto has = [&](check::Verdict verdict) {
        return std::ranges::any_of(real.checks, [&](const CheckSlot& slot) { return slot.state.verdict == verdict; });
    };
    member.health = has(check::Verdict::down)      ? pool::Health::down
                    : has(check::Verdict::pending) ? pool::Health::pending
                                                   : pool::Health::up;
    member.found_weight.reset();
    member.added_weight = 0;
    for (const auto& slot : real.checks)
        member.added_weight += slot.added;
    for (const auto& slot : real.checks)
        if (slot.state.weight) member.found_weight = slot.state.weight;
    real.view.reset();
    note_edge(server, index, turn);
}

/// Up and down as checks say; what a command does to it is no edge.
void Servers::note_edge(Server& server, std::size_t index, Turn turn) {
    auto& member = server.pool.members[index];
    auto& real = server.reals[index];
    const bool pending = member.health == pool::Health::pending;
    const bool up = pending ? member.assumed_up && !server.pool.model->alpha : member.health == pool::Health::up;
    if (up == real.was_up) return;
    const bool first = std::exchange(real.was_up, up) != up && pending;
    real.since = turn.now;
    if (first) return; // as it was assumed from the start
    if (up) member.up_since = turn.now;
    const auto name = server.name() + "/" + member.model->name;
    const auto* const why = telling(real.checks);
    const std::string detail = why ? why->detail : "";
    turn.edges.push_back({.instance = name,
                          .from = up ? "down" : "up",
                          .to = up ? "up" : "down",
                          .reason_code = "check",
                          .reason = detail,
                          .kind = TransitionKind::server,
                          .server = server.pool.model,
                          .program = up ? member.model->notify_up : member.model->notify_down,
                          .told = member.model->notify});
    tell(up ? Severity::notice : Severity::warning, NoteKind::server_changed, name,
         fmt::format("{} is {}: {}", name, up ? "up" : "down", detail), turn);
}

void Servers::settle(Server& server, Turn turn) {
    const auto edge = pool::settle(server.pool);
    if (edge != pool::Edge::none) {
        const bool gained = edge == pool::Edge::gained;
        server.since = turn.now;
        turn.edges.push_back(
            {.instance = server.name(),
             .from = gained ? "no_quorum" : "quorum",
             .to = gained ? "quorum" : "no_quorum",
             .reason_code = "weight",
             .reason = fmt::format("weight {} of {}", pool::total_weight(server.pool), server.pool.model->quorum),
             .kind = TransitionKind::server,
             .server = server.pool.model,
             .program = gained ? server.pool.model->quorum_up : server.pool.model->quorum_down,
             .told = server.pool.model->notify});
        tell(gained ? Severity::notice : Severity::warning, NoteKind::server_changed, server.name(),
             fmt::format("{}: the quorum is {}: weight {} of {}{}", server.name(), gained ? "reached" : "lost",
                         pool::total_weight(server.pool), server.pool.model->quorum,
                         pool::is_sorry(server.pool) ? "; the sorry server serves" : ""),
             turn);
    }
    touch(server, turn);
}

/// Its table, its view and its deadlines are looked at again.
void Servers::touch(Server& server, Turn turn) {
    for (const auto& key : server.pool.model->services)
        dirty_.insert(kernel_key(key));
    if (const auto& nginx = server.pool.model->nginx) nginx_[nginx->nginx()].dirty.insert(server.name());
    server.view.reset();
    view_changed_ = true;
    pools_at_ = std::min(pools_at_, pool::next_deadline(server.pool, turn.now));
}

/// A member that a reload took away goes with its last connection.
void Servers::finish_drains(Server& server, Turn turn) {
    for (std::size_t i = server.pool.members.size(); i-- > 0;) {
        const auto& member = server.pool.members[i];
        if (!member.leaving || !pool::has_drained(member, turn.now)) continue;
        tell(Severity::info, NoteKind::server_changed, server.name() + "/" + member.model->name,
             fmt::format("{}/{} has drained and is gone", server.name(), member.model->name), turn);
        server.pool.members.erase(server.pool.members.begin() + static_cast<std::ptrdiff_t>(i));
        server.reals.erase(server.reals.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

} // namespace holdfast::engine
