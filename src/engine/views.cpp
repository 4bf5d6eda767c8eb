// What others see of the engine: snapshot, record, notes.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {

void Engine::tell(Severity severity, NoteKind kind, const std::string& object, std::string text) {
    out_->push_back(Tell{{severity, kind, object, std::move(text), {}, {}, {}}});
}

/// A complaint about something that others can repeat at will: at most once a minute for each (router, kind, detail).
void Engine::complain(Severity severity, NoteKind kind, const Router& router, unsigned detail, std::string text) {
    const std::uint64_t key = std::uint64_t{router.slot} << 32 | static_cast<std::uint64_t>(kind) << 16 | detail;
    tell_limited(key, severity, kind, router.name(), std::move(text));
}

/// Also what is no router's, by a key that no router has.
void Engine::tell_limited(std::uint64_t key, Severity severity, NoteKind kind, const std::string& object,
                          std::string text) {
    const auto suppressed = limiter_.pass(key, now_);
    if (!suppressed) return;
    if (*suppressed > 0) text += fmt::format(" ({} more like this since)", *suppressed);
    tell(severity, kind, object, std::move(text));
}

void Engine::touch_counters() {
    for (auto& router : routers_)
        if (router) router->view_changed = true;
    for (auto& [name, tracker] : trackers_)
        if (std::exchange(tracker.ran, false)) tracker_views_.erase(name);
    view_changed_ = true;
}

std::shared_ptr<const InstanceView> Engine::view(const Router& router) const {
    auto result = std::make_shared<InstanceView>();
    auto& v = *result;
    v.model = router.model;
    v.state = vrrp::name(router.state);
    v.reason_code = vrrp::name(router.reason);
    v.reason = vrrp::explain(router.reason);
    if (!router.faults.empty() && !router.serves()) {
        v.reason_code = router.faults.front().code;
        v.reason = router.faults.front().text;
    } else if (!router.waiting.empty() && std::holds_alternative<vrrp::Init>(router.state)) {
        v.reason = "it waits for " + router.waiting;
    }
    v.since = router.since;
    v.priority = router.self.priority;
    v.contributions = router.contributions;
    v.faults = router.faults;
    for (const auto& address : router.model->addresses) {
        const auto link = link_of(router, address);
        v.addresses.push_back({address.prefix(), link ? address_state({*link, address.prefix()}) : "absent",
                               address.interface.empty() ? router.model->address_interface() : address.interface});
    }
    v.routes = extras_.views(router.model->routes, kernel_);
    v.rules = extras_.views(router.model->rules, kernel_);
    v.excluded = {router.model->excluded_addresses.size(), router.excluded.there};
    v.peers = router.peers;
    const auto* backup = std::get_if<vrrp::Backup>(&router.state);
    const auto interval = backup ? backup->master_interval : router.self.interval;
    if (backup) {
        const auto& master = backup->lower_master ? backup->lower_master : backup->master;
        const auto peer =
            master ? std::ranges::find(router.peers, master->from, &PeerView::address) : router.peers.end();
        if (peer != router.peers.end()) v.master = *peer;
    }
    if (router.has_source) v.source = router.self.address;
    v.master_down = vrrp::master_down(router.self, interval);
    v.lease = lease_of(router).value_or(Duration::zero());
    v.lease_until = router.lease_deadline;
    if (v.lease == Duration::zero())
        v.lease_note = router.model->is_owner()  ? "the owner's address is the interface's own"
                       : !router.model->lease.on ? "switched off by `lease: off`"
                                                 : "promote_secondaries can't be set on the interface";
    v.held_back = router.held_until.has_value();
    v.group = router.group;
    for (const auto& finding : router.findings)
        v.warnings.push_back(finding.what);
    if (auto warning = filter_warning(); warning && !router.model->accept && !router.model->is_owner())
        v.warnings.push_back(std::move(*warning));
    v.script = router.script;
    v.counters = router.counters;
    return result;
}

std::shared_ptr<const TrackerView> Engine::view(const TrackerState& tracker) const {
    auto result = std::make_shared<TrackerView>();
    result->model = std::make_shared<const model::Tracker>(tracker.model);
    result->verdict = tracker.verdict;
    result->degraded = tracker.degraded;
    result->detail = tracker.detail;
    result->skipped = tracker.skipped;
    result->runs = tracker.runs;
    result->since = tracker.since;
    for (const auto& router : routers_)
        if (router && !router->retiring &&
            std::ranges::find(router->uses, tracker.model.name, &model::TrackUse::tracker) != router->uses.end())
            result->users.push_back(router->name());
    std::ranges::sort(result->users);
    return result;
}

std::shared_ptr<const Snapshot> Engine::snapshot() {
    if (snapshot_ && !view_changed_) return snapshot_;
    auto next = std::make_shared<Snapshot>();
    next->node_name = config_->node_name;
    if (transitions_view_->empty() ? !transitions_.empty() : transitions_view_->back() != transitions_.back())
        transitions_view_ = std::make_shared<const std::vector<std::shared_ptr<const Transition>>>(transitions_.begin(),
                                                                                                   transitions_.end());
    next->transitions = transitions_view_;
    next->stopping = is_stopping();
    next->maintenance = maintenance_;
    for (const auto& router : routers_) {
        if (!router) continue;
        auto& cached = instance_views_[router->slot];
        if (!cached || router->view_changed) cached = view(*router);
        router->view_changed = false;
        next->instances.push_back(cached);
    }
    next->static_routes = extras_.views(config_->static_routes, kernel_);
    next->static_rules = extras_.views(config_->static_rules, kernel_);
    if (!statics_view_) statics_view_ = std::make_shared<const std::vector<AddressView>>(view_statics());
    next->static_addresses = statics_view_;
    std::ranges::sort(next->instances, {}, [](const auto& instance) { return instance->model->name; });
    for (const auto& [name, tracker] : trackers_) {
        auto& cached = tracker_views_[name];
        if (!cached) cached = view(tracker);
        next->trackers.push_back(cached);
    }
    for (const auto& group : config_->groups)
        if (!group.is_pair) next->groups.push_back(shared_view(group));
    next->virtual_servers = servers_.views(now_);
    next->ipvs = servers_.statistics();
    next->ipvs_problem = servers_.table_problem();
    servers_.views_taken();
    view_changed_ = false;
    return snapshot_ = next;
}

Record Engine::record() {
    record_changed_ = false;
    Record result;
    result.adoptions = adoptions_;
    result.first_adoption = first_adoption_;
    servers_.put_into(result);
    for (auto& [index, parent] : parents_)
        if (const auto* const link = kernel_.link(index)) {
            result.links.push_back({index, link->name, parent.before});
            parent.recorded = true;
        }
    std::ranges::copy(recorded_links_, std::back_inserter(result.links));
    result.has_filter =
        filter_.operation || filter_.left_behind || !filter_.applied.empty() || filter_.guard != Guard{};
    for (const auto& router : routers_) {
        if (!router || !router->link || result.routers.size() == record_capacity || router->slot >= record_capacity)
            continue;
        const auto* link = kernel_.link(*router->link);
        RecordedRouter entry{.slot = router->slot,
                             .name = router->name(),
                             .interface = router->model->interface,
                             .link = *router->link,
                             .mac = link ? link->mac : MacAddress{},
                             .vrid = router->model->vrid,
                             .family = router->model->family,
                             .master = std::holds_alternative<vrrp::Master>(router->state),
                             .priority = router->self.priority,
                             .interval = router->model->advert_interval,
                             .addresses = {},
                             .sequence = router->replay.last(),
                             .marks = router->replay.marks(),
                             .priority_by_hand = router->by_hand.priority.value_or(Priority{0}).value,
                             .taken_over = router->by_hand.taken_over,
                             .held_until = router->held_until,
                             .last_advert = {}};
        // Written when a state changes, so it names what may come to the kernel too: its answers change no record.
        const bool holds = vrrp::holds_addresses(router->state);
        for (const auto& key : router->keys) {
            const auto* known = kernel_.address(key);
            if (holds || (known && known->ours)) entry.addresses.push_back(key.prefix);
        }
        result.routers.push_back(std::move(entry));
    }
    return result;
}

} // namespace holdfast::engine
