// Which router wants which address on which link, and for how long.

#include "engine/engine.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

constexpr Duration shortest_lease = 3s;
/// Up to this many addresses a renewal round is cheap; above, the lease is stretched (PROTOCOL.md, "The lease").
constexpr std::size_t cheap_addresses = 2000;
constexpr Duration stretched_lease_each = 6ms;
/// A few that changed among ten thousand need not wait until the sweep comes to them.
constexpr std::size_t few = 64;

} // namespace

Router* Engine::router_of(const AddressSlot& slot) const {
    return slot.has_router ? routers_[slot.router].get() : nullptr;
}

const model::VirtualAddress& Engine::wanted(const AddressSlot& slot) const {
    const auto& model = *routers_[slot.router]->model;
    return slot.excluded ? model.excluded_addresses[slot.item] : model.addresses[slot.item];
}

std::optional<LinkIndex> Engine::link_of(const Router& router, const model::VirtualAddress& address) const {
    if (address.interface.empty()) return router.address_link;
    const auto* link = kernel_.link(address.interface);
    return link ? std::optional{link->index} : std::nullopt;
}

/// Every address of the router belongs to it on its link from now on. An owner's addresses are the interface's own.
void Engine::claim_addresses(Router& router) {
    exchange_addresses(router, router.model);
    const auto renew = [&](const AddressKey& key) {
        auto& slot = addresses_[key];
        slot.renew_at = now_;
        slot.announce_on_confirm = true;
    };
    if (router.serves()) std::ranges::for_each(router.keys, renew);
    router.excluded.renewed_from = now_;
    mark_addresses(router);
}

/// What both settings have in common is not touched.
void Engine::exchange_addresses(Router& router, std::shared_ptr<const model::Instance> next) {
    const auto before = std::exchange(router.model, std::move(next));
    for (const auto* keys : {&router.keys, &router.excluded.keys})
        for (const auto& key : *keys)
            if (auto at = addresses_.find(key); at != addresses_.end() && router_of(at->second) == &router) {
                at->second.has_router = false;
                at->second.dropped = true;
            }
    const auto old_keys = std::exchange(router.keys, {}), old_excluded = std::exchange(router.excluded.keys, {});
    std::vector<AddressKey> dropped;
    const auto fresh = dirty_addresses_.size();
    std::vector<AddressKey> changed; // of the excluded ones: count_addresses() begins a sweep for them
    const auto claim_all = [&](const std::vector<model::VirtualAddress>& addresses, bool excluded) {
        for (std::uint32_t item = 0; item < addresses.size(); ++item) {
            const auto link = link_of(router, addresses[item]);
            if (!link) continue;
            const AddressKey key{*link, addresses[item].prefix()};
            if (claim(router, key, item, excluded, *before)) continue;
            (excluded ? changed : dirty_addresses_).push_back(key);
        }
    };
    if (router.link && !router.model->is_owner()) {
        claim_all(router.model->addresses, false);
        claim_all(router.model->excluded_addresses, true);
        if (changed.size() <= few) dirty_addresses_.insert(dirty_addresses_.end(), changed.begin(), changed.end());
    }
    for (const auto* keys : {&old_keys, &old_excluded})
        for (const auto& key : *keys) {
            const auto at = addresses_.find(key);
            if (at == addresses_.end() || !at->second.dropped) continue;
            at->second = AddressSlot{.counted = at->second.counted,
                                     .operation = at->second.operation,
                                     .adding = at->second.adding,
                                     .removing = at->second.removing};
            statics_stale_ = true;
            dropped.push_back(key);
        }
    dirty_addresses_.insert(dirty_addresses_.begin() + static_cast<std::ptrdiff_t>(fresh), dropped.begin(),
                            dropped.end());
    count_addresses(router);
    listen_for_announcements(router);
    settle_needed_ = router.view_changed = view_changed_ = true;
}

/// Whether it was the router's before, with the same settings.
bool Engine::claim(Router& router, const AddressKey& key, std::uint32_t item, bool excluded,
                   const model::Instance& before) {
    auto& slot = addresses_[key];
    slot.fixed.reset();
    const bool is_kept = slot.dropped && slot.excluded == excluded;
    const auto& address = (excluded ? router.model->excluded_addresses : router.model->addresses)[item];
    const bool same = is_kept && (excluded ? before.excluded_addresses : before.addresses)[slot.item] == address;
    slot.router = router.slot;
    slot.has_router = true;
    slot.dropped = false;
    slot.excluded = excluded;
    slot.item = item;
    (excluded ? router.excluded.keys : router.keys).push_back(key);
    if (same) return true;
    slot.renew_at = router.serves() ? now_ : never;
    slot.announce_on_confirm = router.serves();
    slot.release_at = never;
    return false;
}

void Engine::count_addresses(Router& router) {
    const auto count = [&](const std::vector<AddressKey>& keys) {
        std::size_t there = 0;
        for (const auto& key : keys)
            there += (addresses_[key].there = kernel_.address(key) != nullptr) ? 1U : 0U;
        return there;
    };
    router.keys_there = count(router.keys);
    router.excluded.there = count(router.excluded.keys);
    router.excluded.begin();
}

void Engine::drop_claims(Router& router) {
    const auto link = std::exchange(router.link, std::nullopt);
    exchange_addresses(router, router.model);
    router.link = link;
}

/// A new master announces each address when the kernel confirms it. One that is there already (adopted, resumed, or not ours) is
/// confirmed by its renewal; where there is nothing to renew, it is announced right away.
void Engine::expect_confirmations(Router& router) {
    if (router.model->is_owner()) { // RFC 9568 6.4.1: the owner announces as soon as it is master
        for (const Prefix& prefix : router.model->addresses)
            if (router.link) announce_first(router, {*router.link, prefix});
        return start_rounds(router, 1);
    }
    for (const auto& key : router.keys) {
        auto& slot = addresses_[key];
        slot.release_at = never;
        const auto* known = kernel_.address(key);
        const bool there_for_good = known && (!lease_on(router, key.link) || !known->ours);
        slot.announce_on_confirm = !there_for_good;
        if (known) slot.renew_at = now_;
        if (!there_for_good) continue;
        announce_first(router, key);
        start_rounds(router, router.reason == vrrp::Reason::adopted ? rounds_of_takeover : 1);
    }
    router.excluded.renewed_from = now_;
}

void Engine::mark_addresses(Router& router) {
    dirty_addresses_.insert(dirty_addresses_.end(), router.keys.begin(), router.keys.end());
    extras_.mark(router.slot);
    router.excluded.begin();
    settle_needed_ = links_dirty_ = true;
    router.view_changed = view_changed_ = true;
}

std::optional<Duration> Engine::lease_of(const Router& router) const {
    return lease_on(router, router.address_link.value_or(LinkIndex{}));
}

std::optional<Duration> Engine::lease_on(const Router& router, LinkIndex link) const {
    const auto& model = *router.model;
    if (!model.lease.on || model.is_owner()) return std::nullopt;
    const auto promoted = promoted_.find(link);
    if (promoted != promoted_.end() && promoted->second == Promote::refused) return std::nullopt;
    auto lease = std::max(shortest_lease, vrrp::master_down(router.self, router.self.interval) + 1s);
    if (addresses_.size() > cheap_addresses)
        lease = std::max(lease, stretched_lease_each * static_cast<long>(addresses_.size()));
    return std::chrono::ceil<std::chrono::seconds>(lease);
}

/// The kernel was asked to hold one of its addresses for a while.
bool Engine::is_under_lease(const Router& router) const {
    return std::ranges::any_of(router.keys, [this](const AddressKey& key) {
        const auto at = addresses_.find(key);
        return at != addresses_.end() && at->second.issued_lease;
    });
}

std::optional<DesiredAddress> Engine::desired(const AddressKey& key, const AddressSlot& slot) const {
    const auto* router = router_of(slot);
    if (slot.fixed && !router) return desired_static(key, *slot.fixed);
    if (!router) return std::nullopt;
    // Those that nobody advertises come last.
    if (slot.excluded && router->keys_there < router->keys.size() && !kernel_.address(key)) return std::nullopt;
    const bool waits = waits_for_hook(*router, key);
    if (now_ >= slot.release_at && !waits) return std::nullopt;
    // A leaving router keeps what it has; it does not add what it is about to give away.
    if (std::holds_alternative<vrrp::Leaving>(router->state) && !kernel_.address(key)) return std::nullopt;
    if (waits_for_table(*router, key)) return std::nullopt;
    const bool kept_for_adoption = may_come_back(*router) && kernel_.address(key);
    if (!vrrp::holds_addresses(router->state) && !kept_for_adoption && !waits) return std::nullopt;
    DesiredAddress result;
    if (const auto lease = lease_on(*router, key.link)) result.lease = std::chrono::ceil<std::chrono::seconds>(*lease);
    const auto& address = wanted(slot);
    result.options = address.options();
    result.prefix_route = address.prefix_route.value_or(key.prefix.length < full_prefix(key.prefix.address.family) &&
                                                        !is_covered_by_others(*router, key));
    return result;
}

/// The interface under a macvlan has the way to the prefix as well; to a link-local one every link has its own.
bool Engine::is_covered_by_others(const Router& router, const AddressKey& key) const {
    if (kernel_.covered_by_others(key)) return true;
    return router.is_on_macvlan(key) && router.link && !key.prefix.address.is_link_local() &&
           kernel_.covered_by_others({*router.link, key.prefix});
}

} // namespace holdfast::engine
