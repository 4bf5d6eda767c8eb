// Announcements (gratuitous ARP, unsolicited NA): the schedule of each master, and the pace of each interface. They are the
// last thing in a turn and a few at a time, so that no advert waits for them.

#include "engine/engine.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::engine {
namespace {

constexpr std::array<Duration, rounds_of_takeover> rounds{0ms, 10ms, 100ms, 1s};
constexpr std::size_t looked_at_in_a_turn = 64;
constexpr Duration between_turns = 1ms;

const model::AnnounceGroup* find_group(const model::Config& config, const std::string& name) {
    const auto at = std::ranges::find(config.announce_groups, name, &model::AnnounceGroup::name);
    return at == config.announce_groups.end() ? nullptr : &*at;
}

Time after(Time now, Duration delay) {
    return delay > Duration::zero() ? now + delay : never;
}

} // namespace

// ---- when ---------------------------------------------------------------------------------------------------------------

void Engine::begin_rounds(Router& router, unsigned first_round) {
    auto& plan = router.announcing;
    plan.start = now_;
    plan.round = first_round;
    plan.next = first_round < rounds.size() ? now_ + rounds[first_round] : after(now_, router.model->announce_refresh);
    deadlines_[router.slot] = router_deadline(router);
}

void Engine::start_rounds(Router& router, unsigned first_round) {
    auto& plan = router.announcing;
    const auto& model = *router.model;
    plan.delayed = first_round < rounds.size() ? after(now_, model.announce_delay) : never;
    if (plan.other_links == never) plan.other_links = after(now_, model.announce_other_links.every);
    begin_rounds(router, first_round);
}

/// Whoever is about to yield may have told clients of itself in between, and the next burst is a second away: what this one says
/// is said again as after a takeover.
void Engine::announce_in_contest(Router& router) {
    announce(router, router.model->announce_lower_repeat);
    begin_rounds(router, 1);
}

void Engine::follow_schedule(Router& router) {
    auto& plan = router.announcing;
    const auto& model = *router.model;
    if (plan.next <= now_) next_round(router);
    if (plan.delayed <= now_) {
        plan.delayed = never;
        announce(router, model.announce_repeat);
    }
    if (plan.other_links <= now_) {
        plan.other_links = after(now_, model.announce_other_links.every);
        ask_for(router, Announced::elsewhere, 1);
    }
}

/// The rounds right after a takeover leave the excluded addresses out: each of those was announced when it came.
void Engine::next_round(Router& router) {
    auto& plan = router.announcing;
    if (plan.round >= rounds.size()) {
        announce(router, router.model->announce_refresh_repeat);
    } else {
        ask_for(router, Announced::advertised, 1);
        if (++plan.round == rounds.size()) ask_for(router, Announced::excluded, 1);
    }
    plan.next =
        plan.round < rounds.size() ? *plan.start + rounds[plan.round] : after(now_, router.model->announce_refresh);
}

/// Other settings count from now on; what is under way ends as it began.
void Engine::change_schedule(Router& router, const model::Instance& before) {
    auto& plan = router.announcing;
    const auto& model = *router.model;
    if (!plan.start) return;
    if (model.announce_refresh != before.announce_refresh && plan.round >= rounds.size())
        plan.next = after(now_, model.announce_refresh);
    if (model.announce_delay != before.announce_delay) {
        plan.delayed = after(*plan.start, model.announce_delay);
        if (plan.delayed <= now_) plan.delayed = never; // it would have been by now
    }
    if (model.announce_other_links != before.announce_other_links)
        plan.other_links = after(now_, model.announce_other_links.every);
    deadlines_[router.slot] = router_deadline(router);
}

// ---- what ---------------------------------------------------------------------------------------------------------------

/// Nothing: not now. The address is announced again when that changes.
std::optional<Announce> Engine::announcement_of(const Router& router, const AddressKey& key) const {
    if (!std::holds_alternative<vrrp::Master>(router.state) || !router.link) return std::nullopt; // leaving is silent
    const auto* known = kernel_.address(key);
    // An owner's addresses are the interface's own: the kernel has them by another name.
    if (!router.model->is_owner() && (!known || known->tentative)) return std::nullopt;
    // What is on the macvlan is announced by the interface under it, as the adverts are.
    const bool on_macvlan = router.is_on_macvlan(key);
    const auto* link = kernel_.link(on_macvlan ? *router.link : key.link);
    if (!link || !link->has_arp || !link->up || key.prefix.address.is_multicast()) return std::nullopt;
    if (const auto* macvlan = kernel_.link(key.link); on_macvlan && macvlan && !macvlan->admin_up) return std::nullopt;
    const auto mac = on_macvlan ? router.model->address_mac() : std::nullopt;
    return Announce{link->index, {key.prefix.address, mac.value_or(link->mac)}};
}

std::size_t Engine::how_many(const Router& router, Announced which) const {
    const auto advertised = router.model->is_owner() ? router.model->addresses.size() : router.keys.size();
    if (which == Announced::advertised) return advertised;
    return router.excluded.keys.size() + (which == Announced::elsewhere ? advertised : 0);
}

/// Nothing: this one of the list is not meant.
std::optional<AddressKey> Engine::announced(const Router& router, Announced which, std::size_t item) const {
    if (which == Announced::excluded) return router.excluded.keys[item];
    if (which == Announced::advertised) {
        if (!router.model->is_owner()) return router.keys[item];
        if (!router.link) return std::nullopt;
        return AddressKey{*router.link, router.model->addresses[item].prefix()};
    }
    const auto advertised = how_many(router, Announced::advertised);
    const auto key = item < advertised ? announced(router, Announced::advertised, item)
                                       : announced(router, Announced::excluded, item - advertised);
    if (!key || key->link == router.link) return std::nullopt;
    const auto* link = kernel_.link(key->link);
    return router.model->announce_other_links.all || (link && link->ours) ? key : std::nullopt;
}

// ---- at what pace -------------------------------------------------------------------------------------------------------

AnnounceLaneKey Engine::lane_key(LinkIndex index) const {
    const auto* link = kernel_.link(index);
    for (const auto& group : config_->announce_groups)
        if (link && std::ranges::find(group.interfaces, link->name) != group.interfaces.end()) return group.name;
    return index;
}

/// Nothing: nobody has to wait on this interface.
AnnounceLane* Engine::lane_of(const Router& router, LinkIndex index) {
    auto interval = router.model->announce_interval;
    const auto key = lane_key(index);
    const auto* name = std::get_if<std::string>(&key);
    if (name) interval = std::max(interval, find_group(*config_, *name)->interval);
    if (interval == Duration::zero() && !lanes_.contains(key)) return nullptr;
    auto& lane = lanes_[key];
    lane.interval = std::max(lane.interval, interval);
    return &lane;
}

/// After a reload: intervals and groups may be others. Whoever waits goes on waiting.
void Engine::regroup_lanes() {
    for (auto& [old_key, old] : std::exchange(lanes_, {})) {
        const auto* name = std::get_if<std::string>(&old_key);
        if (!name || find_group(*config_, *name)) lanes_[old_key].last = old.last;
        for (const auto& waiting : old.waiting) {
            const auto action = first_announcement(waiting);
            if (!action) continue;
            lanes_.try_emplace(
                lane_key(action->link)); // also where there is no pace any more: all at once would be too many
            auto* lane = lane_of(*routers_[waiting.router], action->link);
            lane->last = std::max(lane->last, old.last);
            lane->waiting.insert(waiting);
        }
    }
    announce_at_ = now_;
}

void Engine::push_announcement(Router& router, AnnounceLane* lane, Announce&& action) {
    ++router.counters.announcements_sent;
    if (lane) lane->last = now_;
    out_->push_back(std::move(action));
}

/// For the first time since the address came here: before all repetitions.
void Engine::announce_first(Router& router, const AddressKey& key) {
    auto action = announcement_of(router, key);
    if (!action) return;
    auto* lane = lane_of(router, action->link);
    if (!lane) return push_announcement(router, nullptr, std::move(*action));
    const auto slot = addresses_.find(key);
    lane->waiting.insert({slot != addresses_.end() && slot->second.excluded, key, router.slot});
    announce_at_ = std::min(announce_at_, lane->free_at());
}

/// Every address that the kernel has now, so many times; the others are announced when they are confirmed.
void Engine::announce(Router& router, unsigned times) {
    ask_for(router, Announced::advertised, times);
    ask_for(router, Announced::excluded, times);
}

void Engine::ask_for(Router& router, Announced which, unsigned times) {
    if (!std::holds_alternative<vrrp::Master>(router.state)) return; // a leaving router is silent
    auto& ring = router.announcing.ring(which);
    ring.left = std::max(ring.left, times * how_many(router, which));
    if (ring.left > 0) router.announcing.go_on = announce_at_ = now_;
}

/// At the end of a turn.
void Engine::announce_due() {
    announce_at_ = never;
    for (auto& [key, lane] : lanes_)
        announce_waiting(lane);
    // Whoever was first the last time is last now, so that routers on one interface take turns.
    ++first_to_announce_;
    for (std::size_t i = 0; i < routers_.size(); ++i) {
        auto& router = routers_[(first_to_announce_ + i) % routers_.size()];
        if (!router) continue;
        if (router->announcing.go_on <= now_) turn_rings(*router);
        announce_at_ = std::min(announce_at_, router->announcing.go_on);
    }
}

/// Nothing: its router has left, or does not have the address any more.
std::optional<Announce> Engine::first_announcement(const AnnounceLane::Waiting& waiting) const {
    const auto* router = routers_[waiting.router].get();
    if (!router) return std::nullopt;
    const auto slot = addresses_.find(waiting.key);
    const auto& own = router->model->addresses;
    const bool is_its = router->model->is_owner()
                            ? std::ranges::find(own, waiting.key.prefix, &model::VirtualAddress::prefix) != own.end()
                            : slot != addresses_.end() && router_of(slot->second) == router;
    return is_its ? announcement_of(*router, waiting.key) : std::nullopt;
}

void Engine::announce_waiting(AnnounceLane& lane) {
    for (std::size_t looked_at = 0; !lane.waiting.empty(); ++looked_at) {
        const auto at = looked_at < looked_at_in_a_turn ? lane.free_at() : now_ + between_turns;
        if (at > now_) {
            announce_at_ = std::min(announce_at_, at);
            return;
        }
        const auto waiting = *lane.waiting.begin();
        lane.waiting.erase(lane.waiting.begin());
        if (auto action = first_announcement(waiting)) {
            auto& router = *routers_[waiting.router];
            push_announcement(router, lane_of(router, action->link), std::move(*action));
        }
    }
}

void Engine::turn_rings(Router& router) {
    std::size_t budget = looked_at_in_a_turn;
    for (const auto which : {Announced::advertised, Announced::excluded, Announced::elsewhere}) {
        const auto go_on = turn_ring(router, which, budget);
        router.announcing.go_on = go_on;
        if (go_on != never) return;
    }
}

/// When it goes on; never: it is done.
Time Engine::turn_ring(Router& router, Announced which, std::size_t& budget) {
    auto& ring = router.announcing.ring(which);
    const auto size = how_many(router, which);
    if (size == 0) ring = {};
    for (; ring.left > 0; --ring.left, --budget, ++ring.next) {
        if (budget == 0) return now_ + between_turns;
        ring.next %= size;
        const auto key = announced(router, which, ring.next);
        auto action = key ? announcement_of(router, *key) : std::nullopt;
        if (!action) continue;
        auto* lane = lane_of(router, action->link);
        if (lane && lane->free_at() > now_) return lane->free_at();
        if (lane && !lane->waiting.empty()) return now_ + between_turns; // more than a turn takes are waiting
        push_announcement(router, lane, std::move(*action));
    }
    return never;
}

} // namespace holdfast::engine
