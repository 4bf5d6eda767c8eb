// From one process to the next (PROTOCOL.md, "Adoption"): what the one before us left in its record, and how this one ends: it
// stops, with everything handed over and taken away, or it makes way for the next one without moving anything.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr unsigned adoptions_in_a_row = 5;
constexpr Duration adoption_memory = 1min;
constexpr int adoption_window = 3; ///< intervals after the last advert: the least that any peer waits (priority 254)

/// Peers that wait for fewer adverts than usual take over sooner.
int window_of(const model::Instance& model) {
    return std::min(adoption_window, static_cast<int>(model.down_adverts));
}

bool is_same(const RecordedRouter& old, const model::Instance& model) {
    return old.name == model.name && old.interface == model.interface && old.vrid == model.vrid &&
           old.family == model.family;
}

} // namespace

// ---- after the process before us --------------------------------------------------------------------------------------------

void Engine::handle(const Recovered& event) {
    recovered_routers_ = event.record.routers;
    filter_.left_behind = event.record.has_filter;
    recorded_links_ = event.record.links;
    servers_.recover(event.record);
    adoptions_ = event.now - event.record.first_adoption < adoption_memory ? event.record.adoptions : 0;
    first_adoption_ = adoptions_ > 0 ? event.record.first_adoption : event.now;
    if (adoptions_ >= adoptions_in_a_row) {
        tell(Severity::error, NoteKind::woken_late, "",
             fmt::format(
                 "died {} times within {}: nothing is adopted this time, the addresses go to the other host; see the "
                 "journal for the first crash",
                 adoptions_, to_string(adoption_memory)));
        return;
    }
    for (const auto& router : event.record.routers) {
        if (!router.master) continue;
        const auto left = router.last_advert + adoption_window * router.interval - event.now;
        if (left > Duration::zero()) recovered_[router.name] = {router, now_ + left};
    }
}

/// A number that the process before us used stays used, whatever state it was in, and what was ordered stays in force.
void Engine::recover(Router& router) const {
    for (const auto& old : recovered_routers_) {
        if (!is_same(old, *router.model)) continue;
        router.replay.restore(old.sequence, old.marks);
        router.held_until = old.held_until;
        if (old.priority_by_hand != 0) router.by_hand.priority = Priority{old.priority_by_hand};
    }
    const auto found = recovered_.find(router.name());
    if (found == recovered_.end() || !is_same(found->second.router, *router.model)) return;
    const auto& [old, until] = found->second;
    const auto sooner = (adoption_window - window_of(*router.model)) * old.interval;
    router.candidate = AdoptionCandidate{until - sooner, old.link, old.mac};
    router.by_hand.taken_over = old.taken_over;
}

/// For the router that takes this one's place.
void Engine::remember_for_replacement(const Router& router) {
    RecordedRouter old;
    old.name = router.name();
    old.interface = router.model->interface;
    old.vrid = router.model->vrid;
    old.family = router.model->family;
    old.sequence = router.replay.last();
    old.marks = router.replay.marks();
    old.held_until = router.held_until;
    old.priority_by_hand = router.by_hand.priority.value_or(Priority{0}).value;
    recovered_routers_ = {std::move(old)};
}

// ---- the end ----------------

void Engine::handle(const StopRequested& event) {
    if (event.returns) return make_way_for_next(event.takes);
    if (stopping_) return;
    stopping_ = true;
    tell(Severity::notice, NoteKind::stopping, "", "stopping: every address is handed over before it is removed");
    for (auto& router : routers_)
        if (router) router->needs_assessment = true;
    extras_.mark_all(extras_turn());
    settle_needed_ = view_changed_ = links_dirty_ = true;
}

void Engine::finish_if_stopped() {
    if (returning_ && !stopping_ && !finished_ && way_is_made()) {
        finished_ = true;
        say_once_more();
        out_->push_back(Finished{});
        return;
    }
    if (stopping_ && !finished_) release_statics();
    if (!stopping_ || finished_ || !addresses_are_gone() || !links_are_gone() || !filter_is_gone()) return;
    const auto stopped = [](const auto& router) {
        return !router || std::holds_alternative<vrrp::Init>(router->state);
    };
    if (!std::ranges::all_of(routers_, stopped) || !servers_are_gone()) return;
    finished_ = true;
    out_->push_back(Finished{});
}

// ---- before the next one -------------------------------------------------------------------------------------------------

/// Adverts come too often for a process to be back in time: it hands over, and its partners with it.
bool Engine::hands_over_at_restart(const Router& router) const {
    const auto is_too_quick = [this](const Router* each) {
        return window_of(*each->model) * each->model->advert_interval < restart_takes_;
    };
    return is_too_quick(&router) || std::ranges::any_of(router.partners, is_too_quick);
}

/// For good: with the daemon, the configuration or the process.
bool Engine::ends(const Router& router) const {
    return stopping_ || router.retiring || router.replacement || (returning_ && hands_over_at_restart(router));
}

void Engine::make_way_for_next(Duration takes) {
    if (stopping_ || returning_) return;
    returning_ = true;
    restart_takes_ = takes;
    adoptions_ = 0; // nobody died
    tell(Severity::notice, NoteKind::stopping, "",
         "restarting: the next process takes up what this one leaves in place");
    for (auto& router : routers_)
        if (router) router->needs_assessment = true;
    settle_needed_ = view_changed_ = record_changed_ = true;
}

/// The peers' patience begins now, if it has not just begun (N17).
void Engine::say_once_more() {
    for (auto& router : routers_)
        if (router && std::holds_alternative<vrrp::Master>(router->state) &&
            now_ - router->last_sent > router->model->advert_interval / 4)
            send(*router, router->self.priority, 1);
}

bool Engine::way_is_made() const {
    return std::ranges::all_of(routers_, [this](const auto& router) {
        if (!router) return true;
        if (std::holds_alternative<vrrp::Leaving>(router->state)) return false;
        if (!ends(*router)) return true;
        const auto is_gone = [this](const AddressKey& key) {
            const auto* const observed = kernel_.address(key);
            return !observed || !observed->ours;
        };
        return std::holds_alternative<vrrp::Init>(router->state) && std::ranges::all_of(router->keys, is_gone) &&
               std::ranges::all_of(router->excluded.keys, is_gone);
    });
}

} // namespace holdfast::engine
