// Addresses: from what is wanted (claims.cpp) to kernel operations, under the lease.

#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration refusal_pause = 100ms;
constexpr Duration refusal_time = 3s; ///< how long a router whose address was refused stays out
constexpr Duration duplicate_retry = 1s;

} // namespace

// ---- reconciling --------------------------------------------------------------------------------------------------------

void Engine::reconcile() {
    retry_at_ = std::min(retry_at_, extras_.reconcile(extras_turn()));
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
    if (!at->second.has_router && !at->second.fixed && !at->second.operation && !kernel_.address(key))
        addresses_.erase(at);
}

void Engine::reconcile(const AddressKey& key, AddressSlot& slot) {
    note_presence(key, slot);
    if (slot.operation) return; // its answer marks the address again
    auto* router = router_of(slot);
    const auto wish = desired(key, slot);
    const auto* observed = kernel_.address(key);
    if (router && wish && observed && !observed->ours) {
        complain(
            Severity::warning, NoteKind::address_foreign, *router, 0,
            fmt::format(
                "{}: {} is on {} already, and not by holdfast: it is left alone; remove it there, or it stays when "
                "this host is backup",
                router->name(), to_string(key.prefix), kernel_.link(key.link)->name));
    }
    const auto body = plan(key, observed, wish, slot.renew_at, now_);
    if (!body && wish && observed && router)
        announce_confirmed(*router, key, slot); // no answer will come that could confirm it
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
    if (extras_.done(event, extras_turn()) || link_operation_done(event)) return;
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
    if (slot.fixed && slot.adding) address.traits = traits_of(slot.fixed->address, key.prefix.address.family);
    // Until the kernel says that nobody else has it.
    address.tentative = known ? known->tentative : router && slot.adding && wanted(slot).dad;
    kernel_.set(address, now_);
    if (slot.fixed) statics_moved();
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
    if (slot.fixed && !router) return refuse_static(key, slot, error);
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
    if (!event.address.ours) {
        hosts_stale_ = true;
        if (const auto* link = kernel_.link(key.link)) mark(link->name);
    }
    if (!role_.addresses.empty()) links_dirty_ = settle_needed_ = true; // somebody may ask there now
}

void Engine::handle(const AddressRemoved& event) {
    const AddressKey key{event.link, event.prefix};
    const auto entry = addresses_.find(key);
    if (entry != addresses_.end() && entry->second.operation) entry->second.gone_meanwhile = true;
    const auto* known = kernel_.address(key);
    if (!known) return; // our own removal, or an echo of something older
    const auto before = *known;
    kernel_.remove(key);
    if (!before.ours || extras_.any_comes_from(key.prefix.address)) expect_lost_routes();
    if (!before.ours) {
        hosts_stale_ = true;
        if (const auto* link = kernel_.link(key.link)) mark(link->name);
    }
    if (entry == addresses_.end()) return;
    auto& slot = entry->second;
    dirty_addresses_.push_back(key);
    settle_needed_ = true;
    auto* router = router_of(slot);
    const bool expired = now_ >= before.expires;
    if (slot.fixed && !router && !slot.removing && desired(key, slot)) return static_deleted(key, slot);
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
    if (!operations_.empty() || !extras_.are_gone(kernel_)) return false; // before the many are looked at
    return std::ranges::all_of(addresses_, [this](const auto& entry) {
        const auto* observed = kernel_.address(entry.first);
        return !entry.second.operation && (!observed || !observed->ours || outlives_us(entry.second));
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
