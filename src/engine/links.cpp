// The macvlans of virtual MACs, and ipvlans: made, set up, raised with the addresses and taken away again, all from what the
// routers want now. One invariant: such a link is up only while its router holds addresses, so no backup ever sends from it.

#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <ranges>
#include <set>

namespace holdfast::engine {
namespace {

constexpr Duration look_again = 1s;   ///< when what we know of a link turns out to be old
constexpr Duration refusal_time = 3s; ///< how long a router whose macvlan or ipvlan was refused stays out

/// The interface under it must not ask by ARP in the name of a virtual address: under a macvlan clients would learn the wrong
/// MAC address, under an ipvlan the answer would go to the ipvlan, and the packet that waits for it would never leave.
bool quiets_parent(const model::Instance& model) {
    return model.has_own_link() && model.family == Family::ipv4;
}

std::string explain_ipvlan(int error) {
    switch (error) {
    case EOPNOTSUPP: return "this kernel has no ipvlan: load the module (modprobe ipvlan)";
    case EBUSY: return "the interface under it is a bridge's or has macvlans, which leave no room for an ipvlan";
    case EINVAL: return "no ipvlan can be made on this interface";
    default: return std::strerror(error);
    }
}

std::string explain_refusal(const OperationBody& body, int error) {
    const bool raising = std::holds_alternative<SetLinkUp>(body);
    const auto* add = std::get_if<AddLink>(&body);
    if (error == EPERM) return "permission denied: the daemon needs CAP_NET_ADMIN";
    if (add && add->ipvlan) return explain_ipvlan(error);
    switch (error) {
    case EOPNOTSUPP: return "this kernel has no macvlan: load the module (modprobe macvlan)";
    case EBUSY:
        return raising ? "another interface has this MAC address already: give virtual_mac another address"
                       : "the interface under it is in use by something that allows no macvlan on it";
    case EINVAL: return "no macvlan can be made on this interface";
    default: return std::strerror(error);
    }
}

bool is_same_step(const OperationBody& one, const OperationBody& other) {
    const auto *set = std::get_if<SetLinkUp>(&one), *other_set = std::get_if<SetLinkUp>(&other);
    return one.index() == other.index() && (!set || set->up == other_set->up);
}

} // namespace

// ---- what is wanted -------------------------------------------------------------------------------------------------------

bool Engine::holds_address(const Router& router) const {
    if (!router.address_link) return false;
    const auto held = [&](const AddressKey& key) {
        const auto at = addresses_.find(key);
        return key.link == router.address_link && at != addresses_.end() && router_of(at->second) == &router &&
               desired(key, at->second);
    };
    return std::ranges::any_of(router.keys, held) ||
           (!router.excluded.keys.empty() && vrrp::holds_addresses(router.state) &&
            std::ranges::any_of(router.excluded.keys, held));
}

/// It goes with the router, when the last address has left it.
bool Engine::is_done_with_link(const Router& router) const {
    if ((!stopping_ && !router.retiring) || !std::holds_alternative<vrrp::Init>(router.state)) return false;
    const auto is_left = [&](const AddressKey& key) {
        const auto at = addresses_.find(key);
        const auto* observed = kernel_.address(key);
        return at != addresses_.end() && (at->second.operation || (observed && observed->ours));
    };
    return std::ranges::none_of(router.keys, is_left) &&
           std::ranges::none_of(router.excluded.keys | std::views::reverse, is_left);
}

std::optional<DesiredLink> Engine::desired_link(const Router& router) const {
    const auto& model = *router.model;
    if (!model.has_own_link() || !router.link || is_done_with_link(router)) return std::nullopt;
    const auto parent = parents_.find(*router.link);
    return DesiredLink{.name = model.address_interface(),
                       .parent = *router.link,
                       .mac = model.address_mac().value_or(MacAddress{}),
                       .ipvlan = model.ipvlan ? std::optional{model.ipvlan->mode} : std::nullopt,
                       .alias =
                           parent == parents_.end() ? "holdfast" : to_alias(model.interface, parent->second.before),
                       .up = holds_address(router)};
}

/// The addresses are claimed where they are to live as soon as that is set up. Later drift is mended without moving them.
void Engine::find_address_link(Router& router) {
    auto link = router.link;
    if (router.model->has_own_link()) {
        if (link && quiets_parent(*router.model)) remember_parent(*link);
        const auto wish = desired_link(router);
        const auto* macvlan = wish ? kernel_.link(wish->name) : nullptr;
        const bool there = macvlan && is_same(*macvlan, *wish);
        const bool ready = there && is_configured(*macvlan, *wish) && is_parent_ready(*wish);
        link = ready || (there && router.address_link == macvlan->index) ? std::optional{macvlan->index} : std::nullopt;
    }
    if (link == router.address_link) return;
    router.address_link = link;
    claim_addresses(router);
    record_changed_ = true;
}

bool Engine::is_parent_ready(const DesiredLink& wish) const {
    const auto parent = parents_.find(wish.parent);
    const auto* link = kernel_.link(wish.parent);
    if (parent == parents_.end()) return true; // nothing to be set for IPv6
    return parent->second.refused || (link && link->ipv4.arp == parent_settings(parent->second.before));
}

std::optional<FaultCause> Engine::find_link_fault(const Router& router) const {
    if (!router.model->has_own_link()) return std::nullopt;
    const std::string word = router.model->virtual_mac ? "virtual_mac" : "ipvlan";
    const auto name = router.model->address_interface();
    const auto* link = kernel_.link(name);
    if (link && !link->ours)
        return FaultCause{word,
                          fmt::format("there is an interface {} already, and not by holdfast: remove it, or choose "
                                      "another name with {}: {{interface: NAME}}",
                                      name, word)};
    const auto slot = link_slots_.find(name);
    if (slot == link_slots_.end() || slot->second.refused.empty()) return std::nullopt;
    return FaultCause{word, slot->second.refused};
}

// ---- reconciling ----------------------------------------------------------------------------------------------------------

void Engine::reconcile_links() {
    if (!std::exchange(links_dirty_, false)) return;
    std::set<std::string> wanted;
    recall_parents();
    auto parents = links_of_role();
    for (const auto& [index, why] : parents)
        remember_parent(index);
    // Who leaves comes first: a name that a reload gave to another router is free only then.
    for (const bool retiring : {true, false})
        for (auto& router : routers_) {
            if (!router || router->retiring != retiring || !router->model->has_own_link()) continue;
            if (router->link && quiets_parent(*router->model) && !is_done_with_link(*router)) {
                parents[*router->link].insert(Quiet::macvlan);
                remember_parent(*router->link);
            }
            const auto wish = desired_link(*router);
            if (wish && wanted.insert(wish->name).second) reconcile_link(*router, *wish);
        }
    for (const auto& [index, link] : kernel_.links())
        if (link.ours && !wanted.contains(link.name) && read_alias(link.alias)) remember_parent(link.parent);
    reconcile_parents(parents);
    for (const auto& [index, link] : kernel_.links()) {
        if (!link.ours || wanted.contains(link.name)) continue;
        auto& slot = link_slots_[link.name];
        if (!slot.operation && now_ >= slot.not_before)
            slot.operation = start_link_operation(link.name, RemoveLink{index}, never);
    }
}

void Engine::reconcile_link(Router& router, const DesiredLink& wish) {
    auto& slot = link_slots_[wish.name];
    if (slot.operation) return; // its answer looks again
    const auto* observed = kernel_.link(wish.name);
    const auto body = plan(observed, wish);
    if (!body) return;
    // A step waits before it is tried again; any other does not: a router that can't raise it lowers it at once, and one whose
    // link is there after all goes on.
    if (now_ < slot.not_before && slot.waiting && is_same_step(*slot.waiting, *body)) {
        retry_at_ = std::min(retry_at_, slot.not_before);
        return;
    }
    const auto* set = std::get_if<SetLinkUp>(&*body);
    slot.operation = start_link_operation(wish.name, *body, set && set->up ? router.lease_deadline : never);
}

OperationId Engine::start_link_operation(const std::string& name, const OperationBody& body, Time not_after) {
    const OperationId id{next_operation_++};
    link_operations_.emplace(id.value, LinkOperation{name, body});
    out_->push_back(Operation{id, not_after, body});
    return id;
}

/// What it had before us: a macvlan that a dead process left knows better than the interface itself.
void Engine::remember_parent(LinkIndex index) {
    if (parents_.contains(index)) return;
    const auto* link = kernel_.link(index);
    if (!link) return;
    Parent parent{.before = link->ipv4.arp};
    for (const auto& [other, each] : kernel_.links())
        if (each.ours && each.parent == index)
            if (const auto before = read_alias(each.alias)) parent.before = *before;
    for (const auto& recorded : recorded_links_)
        if (recorded.link == index && recorded.name == link->name) parent.before = recorded.before;
    parents_.emplace(index, parent);
    record_changed_ = true;
}

/// What a process before us set is put back, unless it is wanted again.
void Engine::recall_parents() {
    if (recorded_links_.empty() || !kernel_.listed()) return;
    for (const auto& recorded : std::vector{recorded_links_})
        if (const auto* const link = kernel_.link(recorded.link); link && link->name == recorded.name) {
            remember_parent(recorded.link);
            role_links_.insert(recorded.link); // until the last address of the role has gone
        }
    recorded_links_.clear();
    record_changed_ = true;
}

/// An interface is set when a macvlan on it remembers what it had, and set back before the last one goes.
void Engine::reconcile_parents(const QuietLinks& wanted) {
    for (auto at = parents_.begin(); at != parents_.end();) {
        auto& [index, parent] = *at;
        const auto* link = kernel_.link(index);
        const auto want = wanted.find(index);
        const bool by_macvlan = want != wanted.end() && want->second.contains(Quiet::macvlan);
        const bool by_role = want != wanted.end() && want->second.contains(Quiet::role);
        const auto wish = by_macvlan ? parent_settings(parent.before)
                          : by_role  ? role_settings(parent.before)
                                     : parent.before;
        if (!link || (!by_macvlan && !by_role && !parent.operation && link->ipv4.arp == wish)) {
            at = parents_.erase(at);
            record_changed_ = true;
            continue;
        }
        ++at;
        const bool remembered = std::ranges::any_of(kernel_.links(), [&](const auto& entry) {
            return entry.second.ours && entry.second.parent == index && read_alias(entry.second.alias);
        });
        if (parent.operation || parent.refused || link->ipv4.arp == wish) continue;
        if (by_role && !parent.recorded) { // first to the record, then to the kernel
            record_changed_ = true;
            retry_at_ = std::min(retry_at_, now_ + 1ms);
            if (!by_macvlan || !remembered) continue;
        }
        if (by_macvlan && !by_role && !remembered) continue;
        parent.operation = start_link_operation("", SetArp{index, wish}, never);
    }
}

// ---- answers --------------------------------------------------------------------------------------------------------------

bool Engine::link_operation_done(const OperationDone& event) {
    const auto at = link_operations_.find(event.id.value);
    if (at == link_operations_.end()) return false;
    const auto done = std::move(at->second);
    link_operations_.erase(at);
    links_dirty_ = settle_needed_ = true;
    if (const auto* set = std::get_if<SetArp>(&done.body)) {
        parent_done(*set, event);
        return true;
    }
    auto& slot = link_slots_[done.name];
    slot.operation.reset();
    if (event.error == 0) {
        slot.refused.clear();
        link_changed_by_us(done);
    } else {
        link_refused(done, event.error);
    }
    mark(done.name);
    return true;
}

void Engine::wait_to_repeat(const LinkOperation& done, Duration how_long) {
    auto& slot = link_slots_[done.name];
    slot.waiting = done.body;
    slot.not_before = now_ + how_long;
    retry_at_ = std::min(retry_at_, slot.not_before);
}

/// The mirror follows the answer: a link that is down is not told about by the kernel.
void Engine::link_changed_by_us(const LinkOperation& done) {
    if (std::holds_alternative<AddLink>(done.body) && !kernel_.link(done.name)) // its news is on the way
        wait_to_repeat(done, look_again);
    if (const auto* removed = std::get_if<RemoveLink>(&done.body)) {
        link_slots_.erase(done.name);
        return handle(LinkRemoved{removed->link});
    }
    const auto* known = kernel_.link(done.name);
    if (!known) return;
    auto link = *known;
    if (const auto* configured = std::get_if<ConfigureLink>(&done.body)) {
        link.alias = configured->alias;
        link.ipv4 = configured->ipv4;
        if (configured->has_ipv6) link.makes_ipv6_addresses = false;
        promoted_[link.index] = Promote::granted;
    }
    const auto* set = std::get_if<SetLinkUp>(&done.body);
    if (set) link.admin_up = set->up;
    kernel_.set(link);
    if (!set || !set->up) return;
    // What it had before was deaf and mute meanwhile; what is being added speaks for itself.
    for (auto& router : routers_) {
        if (!router || router->address_link != link.index || !std::holds_alternative<vrrp::Master>(router->state))
            continue;
        for (const auto& key : router->keys)
            if (kernel_.address(key) && !addresses_[key].operation) announce_first(*router, key);
        ask_for(*router, Announced::excluded, 1);
    }
}

void Engine::link_refused(const LinkOperation& done, int error) {
    if (error == ECANCELED) return;
    if (error == EEXIST || error == ENODEV) { // what we believe of the kernel is out of date
        wait_to_repeat(done, look_again);
        out_->push_back(ListKernel{});
        return;
    }
    wait_to_repeat(done, refusal_time);
    const auto* set = std::get_if<SetLinkUp>(&done.body);
    const auto* known = kernel_.link(done.name);
    const auto* add = std::get_if<AddLink>(&done.body);
    const bool is_ipvlan = add ? add->ipvlan.has_value() : known && known->ipvlan;
    const auto text = fmt::format("the kernel refused the {} {}{}: {}", is_ipvlan ? "ipvlan" : "interface", done.name,
                                  is_ipvlan ? "" : " of the virtual MAC", explain_refusal(done.body, error));
    const bool raising = set && set->up;
    if (!set) link_slots_[done.name].refused = text;
    for (auto& router : routers_) {
        if (!router || router->model->address_interface() != done.name) continue;
        if (raising) {
            router->refused = text;
            router->refused_until = now_ + refusal_time;
        }
        complain(Severity::error, NoteKind::address_refused, *router, static_cast<unsigned>(error),
                 fmt::format("{}: {}; tried again in {}", router->name(), text, to_string(refusal_time)));
    }
}

void Engine::parent_done(const SetArp& set, const OperationDone& event) {
    const int error = event.error;
    const auto parent = parents_.find(set.link);
    // An interface that went may come back with the same index: what is answered for the first says nothing of the other.
    if (parent == parents_.end() || parent->second.operation != event.id) return;
    parent->second.operation.reset();
    parent->second.refused = error != 0;
    const auto* known = kernel_.link(set.link);
    if (!known) return;
    if (error == 0) {
        auto link = *known;
        link.ipv4.arp = set.arp;
        kernel_.set(link);
    } else if (asks_for_role(*known)) {
        role_refused(*known, error);
    }
    for (const auto& [key, slot] : addresses_)
        if (slot.fixed) dirty_addresses_.push_back(key); // those of a role wait for it
    for (auto& router : routers_) {
        if (!router || router->link != set.link || !router->model->has_own_link()) continue;
        router->needs_assessment = true;
        if (error != 0)
            complain(Severity::warning, NoteKind::address_refused, *router, 0,
                     fmt::format("{}: arp_ignore and arp_announce can't be set on {} ({}), so {}; set "
                                 "net.ipv4.conf.{}.arp_ignore=1 and arp_announce=2",
                                 router->name(), known->name, std::strerror(error),
                                 router->model->virtual_mac ? "clients may learn its own MAC address"
                                                            : "its answers may not find their clients",
                                 known->name));
    }
}

/// A stop waits for the last macvlan, unless the kernel keeps it against our will.
bool Engine::links_are_gone() const {
    if (!link_operations_.empty()) return false;
    return std::ranges::none_of(kernel_.links(), [this](const auto& entry) {
        const auto slot = link_slots_.find(entry.second.name);
        return entry.second.ours && (slot == link_slots_.end() || slot->second.refused.empty());
    });
}

} // namespace holdfast::engine
