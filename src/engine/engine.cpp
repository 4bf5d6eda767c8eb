#include "engine/engine.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {

void Engine::on(const Event& event, Time now, Actions& out) {
    on(std::span{&event, 1}, now, out);
}

void Engine::on(std::span<const Event> events, Time now, Actions& out) {
    now_ = now;
    out_ = &out;
    bool drained = false;
    for (const auto& event : events) {
        std::visit([this](const auto& e) { handle(e); }, event);
        drained = drained || std::holds_alternative<Elapsed>(event);
    }
    watch_leases();
    // Woken late, nothing is written before the receive queues are drained; Elapsed says that they are.
    const bool asleep = now >= lease_watch_ && !drained;
    if (settle_needed_ && !asleep) settle();
    watch_leases();
    if (routes_stale_) index_routes();
    if (announce_at_ <= now && !asleep) announce_due(); // behind every advert
    out_ = nullptr;
}

/// Joint rules to a fixpoint: what one router's step changes may concern another (released addresses, replacements).
void Engine::settle() {
    constexpr int more_than_enough = 16;
    for (int turn = 0; settle_needed_ && turn < more_than_enough; ++turn) {
        settle_needed_ = false;
        if (!kernel_.listed()) return;
        observe_servers();
        assess_all();
        run_commands();
        reconcile_filter();
        claim_statics();
        find_unnamed_hosts();
        leave_guarded_services();
        if (!servers_.followed().empty()) follow_masters(); // the table before the addresses that clients come to
        reconcile_links(); // before the addresses: a macvlan is raised before them, and lowered before they go
        reconcile();
        sweep_retired();
    }
    note_group_states();
    finish_if_stopped();
}

// ---- the step ---------------------------------------------------------------------------------------------------------

void Engine::apply(Router& router, const vrrp::Event& event) {
    auto step = vrrp::on(router.self, router.state, event, now_);
    if (step.adverts > 0) send(router, step.priority, step.adverts);
    if (const auto* heard = std::get_if<vrrp::AdvertReceived>(&event); heard && step.oddity != vrrp::Oddity::none) {
        if (step.oddity == vrrp::Oddity::zero_from_stranger) {
            ++router.counters.priority_zero_ignored;
            complain(Severity::warning, NoteKind::stranger_priority, router, 0,
                     fmt::format("{} announced priority 0, but it is not the master of {}: ignored",
                                 to_string(heard->heard.from), router.name()));
        } else {
            ++router.counters.intervals_capped;
            complain(Severity::warning, NoteKind::interval_capped, router, 0,
                     fmt::format(
                         "{} announces an interval of {}, more than four times ours ({}): counted as ours; give both "
                         "hosts the same `advert_interval:`",
                         to_string(heard->heard.from), to_string(heard->heard.interval),
                         to_string(router.self.interval)));
        }
    }
    const bool moved = step.next.index() != router.state.index();
    const bool claims_changed = vrrp::holds_addresses(step.next) != vrrp::holds_addresses(router.state);
    std::swap(router.state, step.next);
    if (moved) entered(router, step.next, step.reason);
    if (const auto* heard = std::get_if<vrrp::AdvertReceived>(&event);
        heard && !moved && std::holds_alternative<vrrp::Master>(router.state))
        notice_lower_advert(router, heard->heard);
    if (claims_changed) mark_addresses(router);
    if (step.announce == vrrp::Burst::plain) announce(router, 1);
    if (step.announce == vrrp::Burst::contest) announce_in_contest(router);
    deadlines_[router.slot] = router_deadline(router);
}

/// Of an advert on schedule: a shared wake-up may serve it early, which is not late.
void Engine::note_lateness(Router& router, const vrrp::Master& master) const {
    router.counters.lateness.add(now_ - master.next_advert);
}

/// Bookkeeping of a state edge; `before` is the state that was left.
void Engine::entered(Router& router, const vrrp::State& before, vrrp::Reason reason) {
    const auto from = vrrp::name(before), to = vrrp::name(router.state);
    if (router.state.index() != before.index())
        ++router.counters.entered[router.state.index()][std::to_underlying(reason)];
    router.reason = reason;
    router.since = now_;
    router.view_changed = view_changed_ = record_changed_ = settle_needed_ = links_dirty_ = true;
    if (std::holds_alternative<vrrp::Master>(router.state)) {
        router.held_until.reset();
        router.candidate.reset();
        if (!vrrp::serves(before)) {
            ++router.counters.became_master;
            const auto lease = lease_of(router);
            router.lease_deadline = lease ? now_ + *lease : never;
        }
        expect_confirmations(router);
        mark_addresses(router);
    }
    if (const auto* backup = std::get_if<vrrp::Backup>(&router.state);
        backup && !backup->adopting && router.candidate) {
        router.candidate.reset(); // not to be taken up after all
        router.by_hand.taken_over = false;
        mark_addresses(router);
    }
    if (std::holds_alternative<vrrp::Leaving>(router.state)) begin_removal_hook(router);
    if (std::holds_alternative<vrrp::Master>(router.state)) {
        end_removal_hook(router);
        if (!vrrp::serves(before))
            router.adding_told = router.model->notify.after_adding.empty() || reason == vrrp::Reason::adopted;
    }
    if (!router.serves()) {
        router.announcing = {};
        router.lease_deadline = never;
        if (vrrp::serves(before)) {
            ++router.counters.left_master;
            router.by_hand.taken_over = false;
        }
        router.needs_assessment = true;
    }
    leases_changed_ = true;
    told_by_partner(router, before);
    if (router.failover) answer_failover(router);
    if (from == to) return;

    record_edge({.instance = router.name(),
                 .from = std::string{from},
                 .to = std::string{to},
                 .reason_code = std::string{vrrp::name(reason)},
                 .reason = std::string{vrrp::explain(reason)},
                 .priority = router.self.priority,
                 .ended = to == "init" && ends(router),
                 .deleted = to == "init" && !stopping_ && (router.retiring || router.replacement),
                 .model = router.model});
    std::string why{vrrp::explain(reason)};
    if (reason == vrrp::Reason::fault && !router.faults.empty()) why = router.faults.front().text;
    const auto severity = to == "fault" ? Severity::warning : Severity::notice;
    out_->push_back(
        Tell{{severity, NoteKind::state_change, router.name(),
              fmt::format("{}: {} -> {}: {}", router.name(), from, to, why), from, to, vrrp::name(reason)}});
}

void Engine::record_edge(Transition transition) {
    transition.number = next_transition_++;
    transition.at = now_;
    if (transitions_.size() == transitions_kept) transitions_.pop_front();
    transitions_.push_back(std::make_shared<const Transition>(std::move(transition)));
}

// ---- deadlines ----------------------------------------------------------------------------------------------------------

Time Engine::router_deadline(const Router& router) const {
    Time deadline = vrrp::next_deadline(router.state);
    const auto* backup = std::get_if<vrrp::Backup>(&router.state);
    if (backup && now_ >= backup->master_down && !may_take_over(router)) deadline = never; // a partner will wake it
    deadline = std::min(deadline, router.announcing.deadline());
    if (router.held_until) deadline = std::min(deadline, *router.held_until);
    if (router.candidate) deadline = std::min(deadline, router.candidate->until);
    if (!router.refused.empty()) deadline = std::min(deadline, router.refused_until);
    for (const auto& finding : router.findings)
        deadline = std::min(deadline, finding.until);
    if (router.hook_until) deadline = std::min(deadline, *router.hook_until);
    if (router.table_until) deadline = std::min(deadline, *router.table_until);
    return std::min(deadline, router.wait_until);
}

Time Engine::next_deadline() const {
    Time deadline =
        std::min({next_renewal_, retry_at_, lease_watch_, sweep_at_, list_at_, announce_at_, servers_.next_deadline()});
    for (const auto& each : deadlines_)
        deadline = std::min(deadline, each);
    for (const auto& [name, tracker] : trackers_)
        deadline = std::min(deadline, tracker.deadline());
    for (const auto& [key, listener] : listeners_)
        deadline = std::min(deadline, listener.retry_at);
    return deadline;
}

void Engine::watch_leases() {
    if (!std::exchange(leases_changed_, false)) return;
    lease_watch_ = never;
    for (const auto& router : routers_)
        if (router && router->serves()) lease_watch_ = std::min(lease_watch_, router->lease_deadline);
}

/// Woken past a lease, with nobody heard since (the receive queues are drained): still master. The addresses come back, then
/// everybody is told.
void Engine::look_at_leases() {
    leases_changed_ = true;
    for (auto& router : routers_) {
        if (!router) continue;
        if (router->lapsed(now_) && !is_under_lease(*router)) {
            router->lease_deadline = never; // its addresses are others', or can't be added: nothing can expire
        } else if (router->lapsed(now_)) {
            complain(Severity::warning, NoteKind::woken_late, *router, 0,
                     fmt::format("{}: this host slept past its own lease; nobody took over, so it goes on as master",
                                 router->name()));
            const auto lease = lease_of(*router);
            router->lease_deadline = lease ? now_ + *lease : never;
            claim_addresses(*router);
        }
    }
    watch_leases();
    // What was put off while asleep comes before the timers: a stop must not be preceded by one more advert.
    settle_needed_ = true;
    settle();
}

/// Addresses, routes and rules that backed off, or that are released now.
void Engine::retry_waiting() {
    retry_at_ = never;
    links_dirty_ = true;
    for (const auto& [key, slot] : addresses_) {
        if (slot.excluded) continue;
        dirty_addresses_.push_back(key);
        if (slot.release_at > now_) retry_at_ = std::min(retry_at_, slot.release_at);
    }
    for (auto& router : routers_)
        if (router && std::exchange(router->excluded.backs_off, false)) router->excluded.begin();
    finish_released();
    extras_.mark_all(extras_turn());
    settle_needed_ = true;
}

void Engine::handle(const Elapsed&) {
    constexpr std::uint64_t edges_a_turn = 64;
    watch_leases();
    if (now_ >= lease_watch_) look_at_leases();
    const auto edges_before = next_transition_;
    for (std::size_t slot = 0; slot < deadlines_.size(); ++slot) {
        if (deadlines_[slot] > now_ || !routers_[slot]) continue;
        // Two thousand that take over at once: the first one's advert does not wait for the last one's work.
        if (next_transition_ - edges_before >= edges_a_turn) break;
        if (const auto soon = slot + ahead; soon < deadlines_.size() && deadlines_[soon] <= now_ && routers_[soon])
            fetch_ahead(*routers_[soon]);
        elapsed(*routers_[slot]);
    }
    for (auto& [name, tracker] : trackers_) {
        if (tracker.deadline() > now_) continue;
        const auto before = effect_of(tracker);
        if (engine::elapsed(tracker, now_)) tracker_changed(tracker, before);
    }
    for (auto& [key, listener] : listeners_) {
        if (listener.retry_at > now_) continue;
        listener.retry_at = never;
        listener.state = Listener::State::asked;
        out_->push_back(Listen{key.first, key.second});
    }
    if (now_ >= servers_.next_deadline()) with_servers([&](Servers::Turn turn) { servers_.elapsed(turn); });
    if (now_ >= retry_at_) retry_waiting();
    if (now_ >= next_renewal_) renew_round();
    if (now_ >= list_at_) {
        list_at_ = never;
        out_->push_back(ListKernel{});
    }
    if (now_ >= sweep_at_) {
        sweep_at_ = never;
        settle_needed_ = true;
    }
}

/// A router whose successor has every address need not wait for its deadline.
void Engine::finish_released() {
    for (auto& router : routers_) {
        if (!router || !std::holds_alternative<vrrp::Leaving>(router->state)) continue;
        const bool owns_any = router->link && !router->keys.empty();
        const bool all = owns_any && std::ranges::all_of(router->keys, [&](const AddressKey& key) {
                             return now_ >= addresses_[key].release_at;
                         });
        if (all) apply(*router, vrrp::Released{});
    }
}

/// Few routers keep their own pace; many would wake this host, and every standby, for a few adverts at a time.
void Engine::share_wakeups(Router& router) {
    constexpr std::size_t many = 16;
    auto* master = std::get_if<vrrp::Master>(&router.state);
    if (routers_.size() < many || !master || router.last_sent != now_) return;
    master->next_advert = vrrp::drawn_to_beat(master->next_advert, router.self.interval);
}

void Engine::elapsed(Router& router) {
    if (router.held_until && now_ >= *router.held_until) {
        router.held_until.reset();
        router.needs_assessment = router.view_changed = view_changed_ = true;
    }
    note_pause(router, now_ - deadlines_[router.slot]);
    forget_findings(router);
    if (!router.refused.empty() && now_ >= router.refused_until) {
        router.refused.clear();
        router.needs_assessment = true;
    }
    if (router.candidate && now_ >= router.candidate->until) {
        router.candidate.reset();
        apply(router, vrrp::AdoptionExpired{});
        mark_addresses(router);
    }
    if (router.hook_until && now_ >= *router.hook_until) end_removal_hook(router);
    if (router.table_until && now_ >= *router.table_until) settle_needed_ = true;
    if (now_ >= router.wait_until) {
        router.wait_until = never;
        router.needs_assessment = true;
    }
    if (router.needs_assessment) settle_needed_ = true;
    if (vrrp::next_deadline(router.state) <= now_) {
        const auto* backup = std::get_if<vrrp::Backup>(&router.state);
        if (const auto* master = std::get_if<vrrp::Master>(&router.state)) note_lateness(router, *master);
        if (backup && now_ >= backup->master_down)
            take_over_together(router);
        else
            apply(router, vrrp::Elapsed{});
        share_wakeups(router);
    }
    follow_schedule(router);
    deadlines_[router.slot] = router_deadline(router);
}

} // namespace holdfast::engine
