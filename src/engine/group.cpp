// Sync groups: what their members decide together (docs/decisions/0009). Members are master together or not at all (N11): one
// priority (the least of theirs) is advertised by all, one member decides ties, a takeover waits until every member wants it, and
// whoever stops serving takes its partners along, each with a word of its own on the wire. A pair (`web/ipv4`, `web/ipv6`) is such
// a group.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

bool is_master(const Router& router) {
    return std::holds_alternative<vrrp::Master>(router.state);
}

bool wants_to_be_master(const Router& router, Time now) {
    const auto* backup = std::get_if<vrrp::Backup>(&router.state);
    return backup && now >= backup->master_down;
}

/// A group is as well as its least member.
int rank(std::string_view state) {
    if (state == "fault") return 0;
    if (state == "init") return 1;
    return state == "backup" ? 2 : 3;
}

} // namespace

void Engine::index_groups() {
    const auto find = [this](const std::string& name) {
        const auto at = std::ranges::find_if(routers_, [&](const auto& r) { return r && r->name() == name; });
        return at == routers_.end() ? nullptr : at->get();
    };
    for (auto& router : routers_) {
        if (!router) continue;
        router->group.clear();
        router->partners.clear();
        router->decides_ties = true;
        router->uses = router->model->track;
        router->needs_assessment = true;
    }
    tracker_views_.clear(); // they name their users
    group_members_.clear();
    for (const auto& group : config_->groups) {
        std::vector<Router*> members;
        for (const auto& name : group.instances)
            if (auto* router = find(name); router && !router->retiring) members.push_back(router);
        for (auto* member : members) {
            member->group = group.name;
            member->view_changed = true;
            member->uses.insert(member->uses.end(), group.track.begin(), group.track.end());
            member->decides_ties = member == members.front();
            std::ranges::copy_if(members, std::back_inserter(member->partners), [&](auto* r) { return r != member; });
        }
        group_members_[group.name] = std::move(members);
    }
}

// ---- one opinion --------------------------------------------------------------------------------------------------------

std::vector<FaultCause> Engine::joint_faults(const Router& router) const {
    auto faults = router.own.faults;
    for (const auto* partner : router.partners)
        if (!partner->own.faults.empty())
            faults.push_back({"sync_group", fmt::format("{}, of its sync group, must not serve: {}", partner->name(),
                                                        partner->own.faults.front().text)});
    return faults;
}

std::string Engine::joint_waiting(const Router& router) const {
    if (!router.own.waiting.empty()) return router.own.waiting;
    for (const auto* partner : router.partners) {
        if (partner->replacement) return fmt::format("{}, of its sync group, to begin anew", partner->name());
        if (!partner->own.waiting.empty())
            return fmt::format("{}, of its sync group: {}", partner->name(), partner->own.waiting);
    }
    return {};
}

/// Were each advertised with its own, two hosts whose members are ordered the other way round would push each other out for ever.
Priority Engine::joint_priority(const Router& router) const {
    auto least = router.own.priority;
    for (const auto* partner : router.partners)
        least = std::min(least, partner->own.priority);
    return least;
}

/// Addresses of different links order the hosts differently, so only one member's count. The others wait for its word as long as
/// it hears anybody, and for one master-down more.
bool Engine::tie_is_elsewhere(Router& router) const {
    if (router.decides_ties || !is_master(router)) return false;
    const auto& decider = *router.partners.front();
    const auto patience = vrrp::master_down(decider.self, decider.self.interval);
    if (!router.tie_since) router.tie_since = now_;
    const bool hears = std::ranges::any_of(decider.peers, [&](const PeerView& peer) {
        return peer.last_seen > *router.tie_since && now_ - peer.last_seen < patience;
    });
    return hears || now_ - *router.tie_since < patience;
}

// ---- becoming master ----------------------------------------------------------------------------------------------------

bool Engine::may_take_over(const Router& router) const {
    return std::ranges::all_of(router.partners, [&](const Router* r) { return wants_to_be_master(*r, now_); });
}

void Engine::take_over_together(Router& router) {
    if (!may_take_over(router)) return;
    const auto partners = router.partners;
    apply(router, vrrp::Elapsed{});
    for (auto* partner : partners)
        apply(*partner, vrrp::Elapsed{});
}

/// A member that a reload added to a serving group, or that was replaced in it.
void Engine::join_partners(Router& router) {
    const auto serves = [](const Router* partner) { return is_master(*partner); };
    if (std::holds_alternative<vrrp::Backup>(router.state) && std::ranges::any_of(router.partners, serves))
        apply(router, vrrp::Join{});
}

// ---- hearing and leaving ------------------------------------------------------------------------------------------------

/// What one member heard that concerns all: its master leaves, its own successor is there, or a lower master is.
void Engine::share_what_was_heard(Router& router, const AdvertReceived& event) {
    // A master that heard it and still is one was told by somebody below it.
    if (event.advert.priority != leaving_priority && is_master(router))
        for (auto* partner : router.partners)
            apply(*partner, vrrp::GroupContested{});
    const auto* backup = std::get_if<vrrp::Backup>(&router.state);
    if (event.advert.priority == leaving_priority && backup && backup->takeover == vrrp::Reason::master_left)
        for (auto* partner : router.partners)
            apply(*partner, vrrp::GroupMasterLeft{});
    const auto still_waits = [](const Router* member) {
        const auto* leaving = std::get_if<vrrp::Leaving>(&member->state);
        return leaving && leaving->waits_for_partners && !leaving->successor;
    };
    const auto* leaving = std::get_if<vrrp::Leaving>(&router.state);
    if (!leaving || !leaving->waits_for_partners || still_waits(&router) ||
        std::ranges::any_of(router.partners, still_waits))
        return;
    apply(router, vrrp::PartnersHeard{});
    for (auto* partner : router.partners)
        apply(*partner, vrrp::PartnersHeard{});
}

/// Called at every state edge of `router`; its partners follow in the same turn.
void Engine::told_by_partner(Router& router, const vrrp::State& before) {
    router.tie_since.reset();
    const bool resumed = std::holds_alternative<vrrp::Leaving>(before) && is_master(router);
    const bool lost = vrrp::serves(before) && !router.serves();
    for (auto* partner : router.partners) {
        const auto* leaving = std::get_if<vrrp::Leaving>(&partner->state);
        deadlines_[partner->slot] = router_deadline(*partner);
        if (resumed && leaving && leaving->cause == vrrp::LeaveCause::failover) apply(*partner, vrrp::Resume{});
        if (!lost || !(is_master(*partner) || (leaving && leaving->waits_for_partners))) continue;
        if (router.reason == vrrp::Reason::lease_lost && partner->lapsed(now_)) {
            apply(*partner, vrrp::LeaseLost{});
            continue;
        }
        // As one that yields: the master that stays, if there is one, hears that clients need its announcement.
        if (is_master(*partner) && router.reason == vrrp::Reason::higher_priority)
            send(*partner, partner->self.priority, 1);
        apply(*partner, vrrp::Leave{vrrp::LeaveCause::group});
    }
}

// ---- what is shown ------------------------------------------------------------------------------------------------------

/// The same pointer as last time when nothing of it changed.
std::shared_ptr<const GroupView> Engine::shared_view(const model::Group& group) {
    auto& cached = group_views_[group.name];
    auto now = view(group);
    if (cached && *cached->model == group) now->model = cached->model;
    if (!now->model) now->model = std::make_shared<const model::Group>(group);
    if (!cached || *cached != *now) cached = std::move(now);
    return cached;
}

std::shared_ptr<GroupView> Engine::view(const model::Group& group) const {
    auto result = std::make_shared<GroupView>();
    result->state = "master";
    const Router* least = nullptr;
    const auto members = group_members_.find(group.name);
    for (const auto* router : members == group_members_.end() ? std::vector<Router*>{} : members->second) {
        if (router->retiring) continue;
        const auto lower = [](const Router& a, const Router& b) {
            return rank(vrrp::name(a.state)) < rank(vrrp::name(b.state));
        };
        if (!least || lower(*router, *least)) least = router;
        result->since = std::max(result->since, router->since);
    }
    if (!least) {
        result->state = "init";
        return result;
    }
    result->state = vrrp::name(least->state);
    result->reason_code = vrrp::name(least->reason);
    result->reason = vrrp::explain(least->reason);
    if (!least->faults.empty() && !least->serves()) {
        result->reason_code = least->faults.front().code;
        result->reason = least->faults.front().text;
    }
    result->priority = least->self.priority;
    return result;
}

/// A group's edge is an edge of its own, after those of its members.
void Engine::note_group_states() {
    if (!view_changed_) return;
    const auto gone = [this](const auto& entry) {
        return std::ranges::find(config_->groups, entry.first, &model::Group::name) == config_->groups.end();
    };
    std::erase_if(group_told_, gone);
    std::erase_if(group_views_, gone);
    for (const auto& group : config_->groups)
        if (!group.is_pair) note_group_state(*shared_view(group));
}

void Engine::note_group_state(const GroupView& view) {
    const auto& name = view.model->name;
    auto& told = group_told_.try_emplace(name, GroupTold{"init", view.priority}).first->second;
    const auto before = std::exchange(told, {view.state, view.priority});
    Transition edge{.instance = name,
                    .from = std::string{before.state},
                    .to = std::string{view.state},
                    .reason_code = view.reason_code,
                    .reason = view.reason,
                    .priority = view.priority,
                    .ended = stopping_ && view.state == "init",
                    .group = view.model};
    if (before.state == view.state) {
        const bool serves_or_waits = view.state == "master" || view.state == "backup";
        if (before.priority == view.priority || !serves_or_waits || !view.model->notify.wants_priority()) return;
        edge.kind = TransitionKind::priority;
        return record_edge(std::move(edge));
    }
    record_edge(std::move(edge));
    view_changed_ = true;
    out_->push_back(Tell{{view.state == "fault" ? Severity::warning : Severity::notice,
                          NoteKind::group_state_change,
                          name,
                          fmt::format("sync group {}: {} -> {}: {}", name, before.state, view.state, view.reason),
                          before.state,
                          view.state,
                          {}}});
}

} // namespace holdfast::engine
