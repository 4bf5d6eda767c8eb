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

constexpr Duration restore_window = 100ms; ///< quicker deletions than this are a fight with another program
constexpr unsigned restores_at_once = 5;
constexpr Duration refusal_time = 3s; ///< how long a router whose address was refused stays out

} // namespace

Router* Engine::router_of(const AddressSlot& slot) const {
    return slot.has_router ? routers_[slot.router].get() : nullptr;
}

// ---- who wants what -----------------------------------------------------------------------------------------------------

/// Every address of the router belongs to it on its link from now on. An owner's addresses are the interface's own.
void Engine::claim_addresses(Router& router) {
    if (!router.address_link || router.model->is_owner()) return;
    for (const auto& prefix : router.model->addresses) {
        auto& slot = addresses_[{*router.address_link, prefix}];
        slot.router = router.slot;
        slot.has_router = true;
        if (router.serves()) {
            slot.renew_at = now_;
            slot.announce_on_confirm = true;
        }
    }
    mark_addresses(router);
}

void Engine::drop_claims(Router& router) {
    mark_addresses(router);
    for (auto& [key, slot] : addresses_)
        if (router_of(slot) == &router)
            slot = AddressSlot{.operation = slot.operation, .adding = slot.adding, .removing = slot.removing};
}

/// A new master announces each address when the kernel confirms it. One that is there already (adopted, resumed, or not ours) is
/// confirmed by its renewal; where there is nothing to renew, it is announced right away.
void Engine::expect_confirmations(Router& router) {
    if (router.model->is_owner()) { // RFC 9568 6.4.1: the owner announces as soon as it is master
        announce(router);
        return start_rounds(router, 1);
    }
    const bool leased = lease_of(router).has_value();
    for (auto& [key, slot] : addresses_) {
        if (router_of(slot) != &router) continue;
        slot.release_at = never;
        const auto* known = kernel_.address(key);
        const bool there_for_good = known && (!leased || !known->ours);
        slot.announce_on_confirm = !there_for_good;
        if (known) slot.renew_at = now_;
        if (!there_for_good) continue;
        announce(router, key);
        start_rounds(router, router.reason == vrrp::Reason::adopted ? rounds_of_takeover : 1);
    }
}

void Engine::mark_addresses(Router& router) {
    for (const auto& [key, slot] : addresses_)
        if (router_of(slot) == &router) dirty_addresses_.push_back(key);
    settle_needed_ = links_dirty_ = true;
    router.view_changed = view_changed_ = true;
}

std::optional<Duration> Engine::lease_of(const Router& router) const {
    const auto& model = *router.model;
    if (!model.lease.on || model.is_owner()) return std::nullopt;
    const auto promoted = router.address_link ? promoted_.find(*router.address_link) : promoted_.end();
    if (promoted != promoted_.end() && promoted->second == Promote::refused) return std::nullopt;
    auto lease = std::max(shortest_lease, vrrp::master_down(router.self, router.self.interval) + 1s);
    if (addresses_.size() > cheap_addresses)
        lease = std::max(lease, stretched_lease_each * static_cast<long>(addresses_.size()));
    return std::chrono::ceil<std::chrono::seconds>(lease);
}

std::optional<DesiredAddress> Engine::desired(const AddressKey& key, const AddressSlot& slot) const {
    const auto* router = router_of(slot);
    if (!router) return std::nullopt;
    const bool waits = waits_for_hook(*router, key);
    if (now_ >= slot.release_at && !waits) return std::nullopt;
    // A leaving router keeps what it has; it does not add what it is about to give away.
    if (std::holds_alternative<vrrp::Leaving>(router->state) && !kernel_.address(key)) return std::nullopt;
    const bool kept_for_adoption = router->candidate && now_ < router->candidate->until && kernel_.address(key);
    if (!vrrp::holds_addresses(router->state) && !kept_for_adoption && !waits) return std::nullopt;
    DesiredAddress result;
    if (const auto lease = lease_of(*router)) result.lease = std::chrono::ceil<std::chrono::seconds>(*lease);
    result.prefix_route =
        key.prefix.length < full_prefix(key.prefix.address.family) && !is_covered_by_others(*router, key);
    return result;
}

/// The interface under a macvlan has the way to the prefix as well; to a link-local one every link has its own.
bool Engine::is_covered_by_others(const Router& router, const AddressKey& key) const {
    if (kernel_.covered_by_others(key)) return true;
    return router.link && router.link != key.link && !key.prefix.address.is_link_local() &&
           kernel_.covered_by_others({*router.link, key.prefix});
}

// ---- reconciling --------------------------------------------------------------------------------------------------------

void Engine::reconcile() {
    std::vector<AddressKey> dirty;
    dirty.swap(dirty_addresses_);
    for (const auto& key : dirty) {
        auto at = addresses_.find(key);
        const auto* observed = kernel_.address(key);
        if (at == addresses_.end()) {
            if (!observed || !observed->ours) continue;
            at = addresses_.try_emplace(key).first; // left behind by a process before us
        }
        reconcile(at->first, at->second);
        if (!at->second.has_router && !at->second.operation && !kernel_.address(key)) addresses_.erase(at);
    }
}

void Engine::reconcile(const AddressKey& key, AddressSlot& slot) {
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
                router->name(), to_string(key.prefix), router->model->address_interface()));
    }
    const auto body = plan(key, observed, wish, slot.renew_at, now_);
    if (!body && wish && observed) announce_confirmed(*router, key, slot); // no answer will come that could confirm it
    if (!body) return;
    // What failed waits before it is tried again; its opposite does not: a router that backs off from adding leaves at once.
    if (now_ < slot.not_before && std::holds_alternative<RemoveAddress>(*body) == slot.removing) {
        retry_at_ = std::min(retry_at_, slot.not_before);
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
    if (router) router->view_changed = view_changed_ = true;
    out_->emplace_back(operation);
}

void Engine::handle(const OperationDone& event) {
    if (const auto promotion = promotions_.find(event.id.value); promotion != promotions_.end()) {
        const auto index = promotion->second;
        promotions_.erase(promotion);
        return promotion_done(index, event.error);
    }
    if (link_operation_done(event)) return;
    const auto at = operations_.find(event.id.value);
    if (at == operations_.end()) return;
    const auto key = at->second;
    operations_.erase(at);
    const auto entry = addresses_.find(key);
    if (entry == addresses_.end()) return;
    auto& slot = entry->second;
    slot.operation.reset();
    dirty_addresses_.push_back(key);
    settle_needed_ = links_dirty_ = true;
    if (auto* router = router_of(slot)) router->view_changed = view_changed_ = true;
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
    KernelAddress address{.link = key.link, .prefix = key.prefix, .ours = true};
    if (slot.issued_lease) address.lifetime = slot.issued + *slot.issued_lease - now_;
    kernel_.set(address, now_);
    auto* router = router_of(slot);
    if (!router) return;
    if (slot.issued_lease) {
        // When a third has passed, but never with less than master-down left: dying right before the renewal must not take the
        // address away before a standby has it.
        const auto spare = *slot.issued_lease - vrrp::master_down(router->self, router->self.interval);
        slot.renew_at = slot.issued + std::clamp(spare, Duration{0}, *slot.issued_lease / 3);
        next_renewal_ = std::min(next_renewal_, slot.renew_at);
        if (router->serves()) {
            router->lease_deadline = slot.issued + *slot.issued_lease;
            lease_watch_ = std::min(lease_watch_, router->lease_deadline);
        }
        if (!slot.adding) ++router->counters.lease_renewals;
    }
    announce_confirmed(*router, key, slot);
    run_adding_hook(*router);
}

/// The kernel has the address that a new master owes the link an announcement of.
void Engine::announce_confirmed(Router& router, const AddressKey& key, AddressSlot& slot) {
    if (!slot.announce_on_confirm || !std::holds_alternative<vrrp::Master>(router.state)) return;
    slot.announce_on_confirm = false;
    announce(router, key);
    start_rounds(router, router.reason == vrrp::Reason::adopted ? rounds_of_takeover : 1);
}

void Engine::refuse(const AddressKey& key, AddressSlot& slot, int error) {
    auto* router = router_of(slot);
    if (error == ECANCELED || !router)
        return; // it came too late to be safe; whether it is still wanted is decided anew
    slot.not_before = now_ + restore_window;
    if (error == EEXIST || error == ENODEV) {
        out_->push_back(ListKernel{}); // what we believe of the kernel is out of date
        return;
    }
    router->refused =
        fmt::format("the kernel refused {} on {}: {}", to_string(key.prefix), router->model->address_interface(),
                    error == EPERM ? "permission denied: the daemon needs CAP_NET_ADMIN" : std::strerror(error));
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
        if (!router || router->address_link != index) continue;
        complain(Severity::warning, NoteKind::lease_unsafe, *router, 0,
                 fmt::format(
                     "{}: promote_secondaries can't be set on {} ({}), so its addresses have no lease: an expiring one "
                     "could take this host's own address with it; set net.ipv4.conf.{}.promote_secondaries=1",
                     router->name(), router->model->interface, std::strerror(error), router->model->interface));
        mark_addresses(*router);
    }
}

// ---- what the kernel tells ----------------------------------------------------------------------------------------------

void Engine::handle(const AddressChanged& event) {
    const AddressKey key{event.address.link, event.address.prefix};
    const auto* before = kernel_.address(key);
    const bool is_news = !before || before->ours != event.address.ours || before->tentative != event.address.tentative;
    kernel_.set(event.address, now_);
    if (!is_news) return;
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
    if (!before.ours)
        if (const auto* link = kernel_.link(key.link)) mark(link->name);
    if (entry == addresses_.end()) return;
    auto& slot = entry->second;
    dirty_addresses_.push_back(key);
    settle_needed_ = true;
    auto* router = router_of(slot);
    const bool expired = now_ >= before.expires;
    if (!router || expired || slot.removing || !desired(key, slot)) return;
    ++router->counters.addresses_restored;
    slot.restores = now_ - slot.last_restore < restore_window ? slot.restores + 1 : 0;
    slot.last_restore = now_;
    slot.announce_on_confirm = true;
    if (slot.restores > restores_at_once) slot.not_before = now_ + restore_window;
    complain(
        Severity::warning, NoteKind::address_deleted, *router, 0,
        fmt::format("{}: somebody deleted {} from {}: put back; with systemd-networkd set KeepConfiguration=yes there",
                    router->name(), to_string(key.prefix), router->model->address_interface()));
}

// ---- renewing -----------------------------------------------------------------------------------------------------------

/// The lease that runs was measured by other settings.
void Engine::renew_early(Router& router) {
    if (!router.serves()) return;
    for (auto& [key, slot] : addresses_)
        if (router_of(slot) == &router) slot.renew_at = std::min(slot.renew_at, now_);
    mark_addresses(router);
}

/// All addresses of the host in one round, so that many instances cost one batch.
void Engine::renew_round() {
    next_renewal_ = never;
    for (auto& [key, slot] : addresses_) {
        if (slot.renew_at == never || !desired(key, slot)) continue;
        slot.renew_at = now_;
        dirty_addresses_.push_back(key);
    }
    settle_needed_ = true;
}

bool Engine::addresses_are_gone() const {
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
