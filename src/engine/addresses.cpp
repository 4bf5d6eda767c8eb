// Addresses: from states to kernel operations, under the lease.

#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration shortest_lease = 3s;
/// Up to this many addresses a renewal round is cheap; above, the lease is stretched (PROTOCOL.md, "The lease").
constexpr std::size_t cheap_addresses = 2000;
constexpr Duration stretched_lease_each = 6ms;

constexpr Duration refusal_pause = 100ms;
constexpr Duration refusal_time = 3s; ///< how long a router whose address was refused stays out
constexpr Duration duplicate_retry = 1s;

} // namespace

Router* Engine::router_of(const AddressSlot& slot) const {
    return slot.has_router ? routers_[slot.router].get() : nullptr;
}

// ---- who wants what -----------------------------------------------------------------------------------------------------

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
    const auto claim_all = [&](const std::vector<model::VirtualAddress>& addresses, bool excluded) {
        for (std::uint32_t item = 0; item < addresses.size(); ++item)
            if (const auto link = link_of(router, addresses[item]))
                claim(router, {*link, addresses[item].prefix()}, item, excluded, *before);
    };
    if (router.link && !router.model->is_owner()) {
        claim_all(router.model->addresses, false);
        claim_all(router.model->excluded_addresses, true);
    }
    for (const auto* keys : {&old_keys, &old_excluded})
        for (const auto& key : *keys) {
            const auto at = addresses_.find(key);
            if (at == addresses_.end() || !at->second.dropped) continue;
            at->second = AddressSlot{.counted = at->second.counted,
                                     .operation = at->second.operation,
                                     .adding = at->second.adding,
                                     .removing = at->second.removing};
            dropped.push_back(key);
        }
    dirty_addresses_.insert(dirty_addresses_.begin() + static_cast<std::ptrdiff_t>(fresh), dropped.begin(),
                            dropped.end());
    count_addresses(router);
    listen_for_announcements(router);
    settle_needed_ = router.view_changed = view_changed_ = true;
}

void Engine::claim(Router& router, const AddressKey& key, std::uint32_t item, bool excluded,
                   const model::Instance& before) {
    auto& slot = addresses_[key];
    const bool is_kept = slot.dropped && slot.excluded == excluded;
    const auto& address = (excluded ? router.model->excluded_addresses : router.model->addresses)[item];
    const bool same = is_kept && (excluded ? before.excluded_addresses : before.addresses)[slot.item] == address;
    slot.router = router.slot;
    slot.has_router = true;
    slot.dropped = false;
    slot.excluded = excluded;
    slot.item = item;
    (excluded ? router.excluded.keys : router.keys).push_back(key);
    if (same) return;
    slot.renew_at = router.serves() ? now_ : never;
    slot.announce_on_confirm = router.serves();
    slot.release_at = never;
    if (!excluded) dirty_addresses_.push_back(key); // the others are swept: count_addresses() begins
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
    mark_extras(router);
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

std::optional<DesiredAddress> Engine::desired(const AddressKey& key, const AddressSlot& slot) const {
    const auto* router = router_of(slot);
    if (!router) return std::nullopt;
    // Those that nobody advertises come last.
    if (slot.excluded && router->keys_there < router->keys.size() && !kernel_.address(key)) return std::nullopt;
    const bool waits = waits_for_hook(*router, key);
    if (now_ >= slot.release_at && !waits) return std::nullopt;
    // A leaving router keeps what it has; it does not add what it is about to give away.
    if (std::holds_alternative<vrrp::Leaving>(router->state) && !kernel_.address(key)) return std::nullopt;
    const bool kept_for_adoption = router->candidate && now_ < router->candidate->until && kernel_.address(key);
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

// ---- reconciling --------------------------------------------------------------------------------------------------------

void Engine::reconcile() {
    reconcile_extras();
    sweep_excluded(true);
    std::vector<AddressKey> dirty;
    dirty.swap(dirty_addresses_);
    for (const auto& key : dirty)
        reconcile(key);
    while (!put_off_.empty() && may_issue_bulk()) {
        const auto key = put_off_.back();
        put_off_.pop_back();
        reconcile(key);
    }
    sweep_excluded(false);
}

void Engine::reconcile(const AddressKey& key) {
    auto at = addresses_.find(key);
    const auto* observed = kernel_.address(key);
    if (at == addresses_.end()) {
        if (!observed || !observed->ours) return;
        at = addresses_.try_emplace(key).first; // left behind by a process before us
    }
    if (is_bulk(at->second) && !may_issue_bulk()) return put_off_.push_back(key);
    reconcile(at->first, at->second);
    if (!at->second.has_router && !at->second.operation && !kernel_.address(key)) addresses_.erase(at);
}

void Engine::reconcile(const AddressKey& key, AddressSlot& slot) {
    note_presence(key, slot);
    if (slot.operation) return; // its answer marks the address again
    auto* router = router_of(slot);
    const auto wish = desired(key, slot);
    const auto* observed = kernel_.address(key);
    if (wish && observed && !observed->ours) {
        complain(
            Severity::warning, NoteKind::address_foreign, *router, 0,
            fmt::format(
                "{}: {} is on {} already, and not by holdfast: it is left alone; remove it there, or it stays when "
                "this host is backup",
                router->name(), to_string(key.prefix), kernel_.link(key.link)->name));
    }
    const auto body = plan(key, observed, wish, slot.renew_at, now_);
    if (!body && wish && observed) announce_confirmed(*router, key, slot); // no answer will come that could confirm it
    if (!body) return;
    // What failed waits before it is tried again; its opposite does not: a router that backs off from adding leaves at once.
    if (now_ < slot.not_before && std::holds_alternative<RemoveAddress>(*body) == slot.removing) {
        retry_at_ = std::min(retry_at_, slot.not_before);
        if (slot.excluded && router) router->excluded.backs_off = true;
        return;
    }
    if (now_ < slot.add_after && std::holds_alternative<AddAddress>(*body)) {
        retry_at_ = std::min(retry_at_, slot.add_after);
        if (slot.excluded && router) router->excluded.backs_off = true;
        return;
    }
    Operation operation{OperationId{next_operation_++}, never, *body};
    slot.operation = operation.id;
    slot.adding = std::holds_alternative<AddAddress>(*body);
    slot.removing = std::holds_alternative<RemoveAddress>(*body);
    slot.gone_meanwhile = false;
    slot.issued = now_;
    slot.issued_lease = wish ? std::optional<Duration>{wish->lease} : std::nullopt;
    if (!slot.removing && router) operation.not_after = router->lease_deadline;
    operations_.emplace(operation.id.value, key);
    slot.counted = is_bulk(slot);
    if (slot.counted) ++bulk_in_flight_;
    if (router) router->view_changed = view_changed_ = true;
    out_->emplace_back(operation);
}

void Engine::handle(const OperationDone& event) {
    if (const auto promotion = promotions_.find(event.id.value); promotion != promotions_.end()) {
        const auto index = promotion->second;
        promotions_.erase(promotion);
        return promotion_done(index, event.error);
    }
    if (extra_done(event) || link_operation_done(event)) return;
    const auto at = operations_.find(event.id.value);
    if (at == operations_.end()) return;
    const auto key = at->second;
    operations_.erase(at);
    const auto entry = addresses_.find(key);
    if (entry == addresses_.end()) return;
    auto& slot = entry->second;
    slot.operation.reset();
    if (std::exchange(slot.counted, false)) --bulk_in_flight_;
    dirty_addresses_.push_back(key);
    settle_needed_ = true;
    auto* router = router_of(slot);
    if (router) router->view_changed = view_changed_ = true;
    if (!router || router->model->has_own_link()) links_dirty_ = true; // a macvlan goes with its last address
    if (slot.removing) {
        if (event.error == 0 || event.error == EADDRNOTAVAIL || event.error == ENODEV)
            kernel_.remove(key);
        else
            slot.not_before = now_ + 1s;
    } else if (event.error == 0 && slot.gone_meanwhile) {
        out_->push_back(ListKernel{}); // before it or behind it? the kernel knows
    } else if (event.error == 0) {
        confirmed(key, slot);
    } else {
        refuse(key, slot, event.error);
    }
}

/// The kernel has the address, with a lifetime that began no earlier than the operation was issued.
void Engine::confirmed(const AddressKey& key, AddressSlot& slot) {
    auto* router = router_of(slot);
    const auto* known = kernel_.address(key);
    KernelAddress address{.link = key.link, .prefix = key.prefix, .ours = true};
    if (slot.issued_lease) address.lifetime = slot.issued + *slot.issued_lease - now_;
    if (known) address.traits = known->traits;
    if (router && slot.adding) address.traits = traits_of(wanted(slot), key.prefix.address.family);
    // Until the kernel says that nobody else has it.
    address.tentative = known ? known->tentative : router && slot.adding && wanted(slot).dad;
    kernel_.set(address, now_);
    if (!router) return;
    if (slot.issued_lease) {
        // When a third has passed, but never with less than master-down left: dying right before the renewal must not take the
        // address away before a standby has it.
        const auto spare = *slot.issued_lease - vrrp::master_down(router->self, router->self.interval);
        slot.renew_at = slot.issued + std::clamp(spare, Duration{0}, *slot.issued_lease / 3);
        next_renewal_ = std::min(next_renewal_, slot.renew_at);
        if (router->serves() && !slot.excluded) { // those are always younger
            router->lease_deadline = slot.issued + *slot.issued_lease;
            lease_watch_ = std::min(lease_watch_, router->lease_deadline);
        }
        if (!slot.adding) ++router->counters.lease_renewals;
    }
    if (slot.excluded && slot.adding) slot.announce_on_confirm = true; // each by itself, however long the others take
    announce_confirmed(*router, key, slot);
    run_adding_hook(*router);
}

/// The kernel has the address that a new master owes the link an announcement of.
void Engine::announce_confirmed(Router& router, const AddressKey& key, AddressSlot& slot) {
    const auto* known = kernel_.address(key);
    if (!slot.announce_on_confirm || !std::holds_alternative<vrrp::Master>(router.state) || (known && known->tentative))
        return;
    slot.announce_on_confirm = false;
    announce_first(router, key);
    if (!slot.excluded) start_rounds(router, router.reason == vrrp::Reason::adopted ? rounds_of_takeover : 1);
}

void Engine::refuse(const AddressKey& key, AddressSlot& slot, int error) {
    auto* router = router_of(slot);
    if (error == ECANCELED || !router)
        return; // it came too late to be safe; whether it is still wanted is decided anew
    slot.not_before = now_ + refusal_pause;
    if (error == EEXIST || error == ENODEV) {
        out_->push_back(ListKernel{}); // what we believe of the kernel is out of date
        return;
    }
    const auto* link = kernel_.link(key.link);
    const auto why = error == EPERM ? "permission denied: the daemon needs CAP_NET_ADMIN"
                     : error == EINVAL && wanted(slot).scope
                         ? "Invalid argument: every address of a prefix on one link has the same scope"
                         : std::strerror(error);
    auto text = fmt::format("the kernel refused {} on {}: {}", to_string(key.prefix),
                            link ? link->name : "a link that went", why);
    if (!wanted(slot).track) {
        slot.not_before = now_ + refusal_time;
        complain(Severity::warning, NoteKind::address_refused, *router, static_cast<unsigned>(error),
                 fmt::format("{}: {}; it is tried again", router->name(), text));
        return find(*router, {"address_refused", std::move(text)});
    }
    router->refused = std::move(text);
    router->refused_until = now_ + refusal_time;
    router->needs_assessment = true;
    complain(Severity::error, NoteKind::address_refused, *router, static_cast<unsigned>(error),
             fmt::format("{}: {}; this host gives the address up for {}", router->name(), router->refused,
                         to_string(refusal_time)));
}

void Engine::promotion_done(LinkIndex index, int error) {
    if (error == ENODEV) { // the link went meanwhile; whoever attaches to it next asks again
        promoted_.erase(index);
        return;
    }
    promoted_[index] = error ? Promote::refused : Promote::granted;
    if (!error) return;
    for (auto& router : routers_) {
        const bool concerns =
            router && (router->link == index ||
                       std::ranges::any_of(router->keys, [&](const AddressKey& key) { return key.link == index; }));
        if (!concerns) continue;
        complain(Severity::warning, NoteKind::lease_unsafe, *router, 0,
                 fmt::format(
                     "{}: promote_secondaries can't be set on {} ({}), so its addresses have no lease: an expiring one "
                     "could take this host's own address with it; set net.ipv4.conf.{}.promote_secondaries=1",
                     router->name(), kernel_.link(index) ? kernel_.link(index)->name : "its link", std::strerror(error),
                     kernel_.link(index) ? kernel_.link(index)->name : "IFACE"));
        mark_addresses(*router);
    }
}

// ---- what the kernel tells ----------------------------------------------------------------------------------------------

void Engine::handle(const AddressChanged& event) {
    const AddressKey key{event.address.link, event.address.prefix};
    const auto* before = kernel_.address(key);
    const bool is_news = !before || before->ours != event.address.ours ||
                         before->tentative != event.address.tentative || before->traits != event.address.traits ||
                         before->is_duplicate != event.address.is_duplicate;
    kernel_.set(event.address, now_);
    if (!is_news) return;
    if (const auto at = addresses_.find(key); event.address.is_duplicate && at != addresses_.end())
        found_duplicate(key, at->second);
    if (event.address.ours || addresses_.contains(key)) {
        dirty_addresses_.push_back(key);
        settle_needed_ = true;
    }
    if (const auto* link = kernel_.link(key.link); link && !event.address.ours) mark(link->name);
}

void Engine::handle(const AddressRemoved& event) {
    const AddressKey key{event.link, event.prefix};
    const auto entry = addresses_.find(key);
    if (entry != addresses_.end() && entry->second.operation) entry->second.gone_meanwhile = true;
    const auto* known = kernel_.address(key);
    if (!known) return; // our own removal, or an echo of something older
    const auto before = *known;
    kernel_.remove(key);
    const auto comes_from_it = [&](const auto& extra) {
        const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&extra.second.wish);
        return route && (*route)->source == key.prefix.address;
    };
    if (!before.ours || std::ranges::any_of(extras_, comes_from_it)) expect_lost_routes();
    if (!before.ours)
        if (const auto* link = kernel_.link(key.link)) mark(link->name);
    if (entry == addresses_.end()) return;
    auto& slot = entry->second;
    dirty_addresses_.push_back(key);
    settle_needed_ = true;
    auto* router = router_of(slot);
    const bool expired = now_ >= before.expires;
    if (!router || expired || slot.removing || !desired(key, slot)) return;
    if (before.ours && before.tentative && found_duplicate(key, slot)) return;
    ++router->counters.addresses_restored;
    slot.announce_on_confirm = true;
    if (slot.restores.is_fought_over(now_)) slot.not_before = now_ + RestorePace::pause;
    complain(
        Severity::warning, NoteKind::address_deleted, *router, 0,
        fmt::format("{}: somebody deleted {} from {}: put back; with systemd-networkd set KeepConfiguration=yes there",
                    router->name(), to_string(key.prefix),
                    kernel_.link(key.link) ? kernel_.link(key.link)->name : "its link"));
}

/// The kernel drops an address with a lifetime that duplicate address detection found elsewhere, and keeps another one unused.
/// False: detection was not asked for.
bool Engine::found_duplicate(const AddressKey& key, AddressSlot& slot) {
    auto* router = router_of(slot);
    if (!router || !wanted(slot).dad) return false;
    slot.add_after = now_ + duplicate_retry;
    slot.announce_on_confirm = true;
    auto text = fmt::format("another host on the link has {}: it is tried again each {}; find that host, or remove dad",
                            to_string(key.prefix.address), to_string(duplicate_retry));
    complain(Severity::error, NoteKind::duplicate_address, *router, 1, fmt::format("{}: {}", router->name(), text));
    find(*router, {"duplicate_address", std::move(text)});
    return true;
}

// ---- renewing -----------------------------------------------------------------------------------------------------------

/// The lease that runs was measured by other settings.
void Engine::renew_early(Router& router) {
    if (!router.serves()) return;
    for (const auto& key : router.keys) {
        auto& slot = addresses_[key];
        slot.renew_at = std::min(slot.renew_at, now_);
    }
    router.excluded.renewed_from = now_;
    mark_addresses(router);
}

/// All addresses of the host in one round, so that many instances cost one batch.
void Engine::renew_round() {
    next_renewal_ = never;
    for (auto& router : routers_) {
        if (!router) continue;
        for (const auto& key : router->keys) {
            auto& slot = addresses_[key];
            if (slot.renew_at == never || !desired(key, slot)) continue;
            slot.renew_at = now_;
            dirty_addresses_.push_back(key);
        }
        if (!vrrp::holds_addresses(router->state)) continue;
        router->excluded.renewed_from = now_;
        router->excluded.begin();
    }
    settle_needed_ = true;
}

bool Engine::addresses_are_gone() const {
    if (!operations_.empty() || !extras_are_gone(std::nullopt)) return false; // before the many are looked at
    return std::ranges::all_of(addresses_, [this](const auto& entry) {
        const auto* observed = kernel_.address(entry.first);
        return !entry.second.operation && (!observed || !observed->ours);
    });
}

std::string_view Engine::address_state(const AddressKey& key) const {
    const auto at = addresses_.find(key);
    const auto* observed = kernel_.address(key);
    if (at != addresses_.end() && at->second.operation) {
        if (at->second.adding) return "adding";
        if (at->second.removing) return "removing";
    }
    if (!observed) return "absent";
    return observed->ours ? "assigned" : "foreign";
}

} // namespace holdfast::engine
