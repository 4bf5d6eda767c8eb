// The configuration arrives: at start all at once, later as a diff that leaves unchanged objects alone (N12).

#include "engine/engine.hpp"

#include "base/result.hpp"
#include "model/diff.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace holdfast::engine {
void Engine::handle(const ConfigLoaded& event) {
    const auto before = std::exchange(config_, event.config);
    const auto changes = model::diff(*before, *config_);
    index_virtual_addresses();
    reload_trackers(*before, *config_);
    filter_.not_before = {};
    hosts_stale_ = true;
    routes_stale_ = true; // groups may have changed, and whether strangers are named
    const auto find = [this](const std::string& name) {
        const auto at =
            std::ranges::find_if(routers_, [&](const auto& router) { return router && router->name() == name; });
        return at == routers_.end() ? nullptr : at->get();
    };
    for (const auto& name : changes.removed_instances)
        if (auto* router = find(name)) retire(*router);
    for (const auto& change : changes.changed_instances) {
        auto model = std::make_shared<const model::Instance>(*model::find_instance(*config_, change.name));
        auto* router = find(change.name);
        if (router && change.how == model::Reload::live && !router->retiring) {
            change_router(*router, std::move(model));
        } else if (router) {
            router->replacement = std::move(model);
            router->needs_assessment = true;
        }
    }
    for (const auto& name : changes.added_instances) {
        auto model = std::make_shared<const model::Instance>(*model::find_instance(*config_, name));
        if (auto* leaving = find(name))
            leaving->replacement = std::move(model);
        else
            add_router(std::move(model));
    }
    recovered_.clear();
    extras_.claim(std::nullopt, config_->static_routes, config_->static_rules, config_);
    for (auto& router : routers_)
        if (router) router->needs_assessment = true; // its group may depend on others now
    find_role();
    with_servers([&](Servers::Turn turn) { servers_.configure(*config_, trackers_, turn); });
    if (!lanes_.empty()) regroup_lanes();
    index_groups();
    recovered_routers_.clear();
    view_changed_ = record_changed_ = settle_needed_ = links_dirty_ = true;
}

void Engine::add_router(std::shared_ptr<const model::Instance> model) {
    auto at = std::ranges::find_if(routers_, [](const auto& router) { return !router; });
    if (at == routers_.end()) {
        routers_.emplace_back();
        deadlines_.push_back(never);
        instance_views_.emplace_back();
        at = std::prev(routers_.end());
    }
    auto router = std::make_unique<Router>();
    router->slot = static_cast<std::uint32_t>(at - routers_.begin());
    router->model = std::move(model);
    router->since = now_;
    router->self.priority = router->model->priority;
    recover(*router);
    *at = std::move(router);
    claim_extras(**at);
}

/// Same router on the wire, other settings: nothing leaves, only what differs moves.
void Engine::change_router(Router& router, std::shared_ptr<const model::Instance> model) {
    const bool other_addresses =
        model->addresses != router.model->addresses || model->excluded_addresses != router.model->excluded_addresses;
    const bool other_extras = model->routes != router.model->routes || model->rules != router.model->rules;
    const bool other_interval = model->advert_interval != router.model->advert_interval;
    const auto before = router.model;
    if (other_addresses)
        exchange_addresses(router, std::move(model));
    else
        router.model = std::move(model);
    if (other_extras) claim_extras(router);
    if (other_interval) renew_early(router); // the lease follows the interval
    change_schedule(router, *before);
    router.messages.clear();
    router.needs_assessment = router.view_changed = true;
    if (auto* master = std::get_if<vrrp::Master>(&router.state); master && other_interval)
        master->next_advert = std::min(master->next_advert, now_ + router.model->advert_interval);
}

void Engine::retire(Router& router) {
    router.retiring = router.needs_assessment = true;
    router.replacement.reset();
}

/// A router that left goes when its addresses are gone; another one may stand in its place then.
void Engine::sweep_retired() {
    for (auto& router : routers_) {
        if (!router || (!router->retiring && !router->replacement) || stopping_) continue;
        if (!std::holds_alternative<vrrp::Init>(router->state)) continue;
        const auto is_left = [&](const AddressKey& key) {
            const auto at = addresses_.find(key);
            const auto* observed = kernel_.address(key);
            return at != addresses_.end() && (at->second.operation || (observed && observed->ours));
        };
        if (std::ranges::any_of(router->keys, is_left) || !extras_.are_gone(router->slot, kernel_)) continue;
        // The many are looked at when they have been through, from their end: the last ones go last.
        if (!router->excluded.looked_at() || std::ranges::any_of(router->excluded.keys | std::views::reverse, is_left))
            continue;
        auto next = router->replacement;
        if (next) remember_for_replacement(*router);
        detach(*router);
        extras_.drop(router->slot);
        instance_views_[router->slot].reset();
        deadlines_[router->slot] = never;
        router.reset();
        view_changed_ = record_changed_ = links_dirty_ = settle_needed_ = true;
        if (next) add_router(next);
        recovered_routers_.clear();
        index_groups();
        if (next) {
            settle_needed_ = true;
            return sweep_retired(); // routers_ may have moved
        }
    }
}

namespace {

/// Of an interface tracker, for people.
std::string detail_of(const Link* link, const TrackerState& tracker) {
    if (!link) return "it does not exist";
    if (!link->up) return "down or without carrier";
    if (tracker.driver_detail.empty()) return "up";
    return tracker.driver == Observation::down ? tracker.driver_detail : fmt::format("up; {}", tracker.driver_detail);
}

} // namespace

// ---- trackers -----------------------------------------------------------------------------------------------------------

void Engine::reload_trackers(const model::Config& before, const model::Config& after) {
    const auto changes = model::diff(before, after);
    const auto watched_outside = [](const model::Tracker& tracker) {
        const auto* link = std::get_if<model::InterfaceTracker>(&tracker.kind);
        return (!link || link->poll > Duration{0}) && !std::holds_alternative<model::RouteTracker>(tracker.kind) &&
               !std::holds_alternative<model::ServerTracker>(tracker.kind);
    };
    const auto stop = [&](const std::string& name) {
        if (watched_outside(trackers_[name].model)) out_->push_back(StopTracker{name});
    };
    for (const auto& name : changes.removed_trackers) {
        stop(name);
        trackers_.erase(name);
        tracker_views_.erase(name);
    }
    for (const auto& name : changes.changed_trackers)
        stop(name);
    auto started = changes.added_trackers;
    started.insert(started.end(), changes.changed_trackers.begin(), changes.changed_trackers.end());
    for (const auto& name : started) {
        auto& tracker = trackers_[name];
        const auto& model = *model::find_tracker(after, name);
        const bool same_target = tracker.model.kind == model.kind;
        tracker.model = model;
        tracker.resample = tracker.due = never;
        tracker.against = false;
        if (!same_target) reset(tracker, now_);
        tracker_views_.erase(name);
        if (watched_outside(model)) out_->push_back(StartTracker{model});
    }
    for (auto& router : routers_)
        if (router && !started.empty()) router->needs_assessment = true;
    observe_interfaces();
    watch_routes();
    observe_routes();
}

/// Interface trackers read the mirror of the kernel; only a change of what it says is an observation.
void Engine::observe_interfaces() {
    if (!kernel_.listed()) return;
    for (auto& [name, tracker] : trackers_) {
        const auto* kind = std::get_if<model::InterfaceTracker>(&tracker.model.kind);
        if (!kind) continue;
        const auto* link = kernel_.link(kind->interface);
        const bool is_up = link && link->up;
        const bool up = is_up && tracker.driver != Observation::down;
        if (tracker.against && up == (tracker.verdict == Verdict::down)) continue; // known; resampling counts it
        const auto before = effect_of(tracker);
        if (observe(tracker, up ? Observation::up : Observation::down, detail_of(link, tracker), false, now_))
            tracker_changed(tracker, before);
    }
}

void Engine::handle(const TrackerObserved& event) {
    const auto at = trackers_.find(event.tracker);
    if (at == trackers_.end()) return;
    if (std::holds_alternative<model::InterfaceTracker>(at->second.model.kind)) {
        at->second.driver = event.observation;
        at->second.driver_detail = event.detail;
        return observe_interfaces();
    }
    const auto before = effect_of(at->second);
    if (observe(at->second, event, now_)) tracker_changed(at->second, before);
}

void Engine::tracker_changed(TrackerState& tracker, TrackerEffect before) {
    tracker_views_.erase(tracker.model.name);
    view_changed_ = true;
    if (std::exchange(tracker.restart_wanted, false)) restart(tracker);
    if (effect_of(tracker) == before) return;
    for (auto& router : routers_) {
        const auto uses = [&](const model::TrackUse& use) { return use.tracker == tracker.model.name; };
        if (router && std::ranges::any_of(router->uses, uses)) router->needs_assessment = true;
    }
    with_servers([&](Servers::Turn turn) { servers_.tracker_changed(tracker, turn); });
    settle_needed_ = true;
    tell(tracker.verdict == Verdict::down ? Severity::warning : Severity::notice, NoteKind::tracker_changed,
         tracker.model.name,
         tracker.verdict == before.first ? fmt::format("tracker {}: {}", tracker.model.name, tracker.detail)
                                         : fmt::format("tracker {}: {} -> {}: {}", tracker.model.name,
                                                       name(before.first), name(tracker.verdict), tracker.detail));
}

void Engine::restart(const TrackerState& tracker) {
    const auto& unit = std::get<model::UnitTracker>(tracker.model.kind);
    out_->push_back(RestartUnit{tracker.model.name, unit.unit});
    tell(Severity::warning, NoteKind::tracker_changed, tracker.model.name,
         fmt::format("tracker {}: {}: it is restarted once and has {} to be active again", tracker.model.name,
                     tracker.detail, to_string(unit.restart)));
}

} // namespace holdfast::engine
