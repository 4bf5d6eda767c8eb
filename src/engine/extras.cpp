// Routes and rules from states to kernel operations: behind the addresses when a router takes over, before them when it leaves.
// The same slots carry the static ones, which the daemon itself wants as long as it runs.

#include "engine/extras.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration retry_soon = 100ms, retry_later = 5s;

std::string text_of(const ExtraKey& key) {
    return std::visit(Overloaded{[](const model::RouteId& id) { return "route " + model::to_string(id); },
                                 [](const model::Rule& rule) { return "rule " + model::to_string(rule); }},
                      key);
}

std::string explain(int error, const ExtraKey& key) {
    const bool is_route = std::holds_alternative<model::RouteId>(key);
    switch (error) {
    case EPERM: return "permission denied: the daemon needs CAP_NET_ADMIN";
    case ENETUNREACH: return "Network is unreachable: no route of this host leads to its gateway";
    case EHOSTUNREACH: return "No route to host: its gateway is not on the link";
    case ENETDOWN: return "Network is down: its link is not up";
    case ENODEV: return "there is no such link";
    case EINVAL:
        return is_route ? "Invalid argument: is its source an address of this host, and its gateway on a link?"
                        : "Invalid argument: does the rule that it goes to come behind it?";
    case EOPNOTSUPP: return "Operation not supported: this kernel lacks what it asks for";
    default: return std::strerror(error);
    }
}

} // namespace

const std::string& Extras::Slot::track_group() const {
    static const std::string none;
    if (const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&wish)) return (*route)->track_group;
    if (const auto* rule = std::get_if<std::shared_ptr<const model::Rule>>(&wish)) return (*rule)->track_group;
    return none;
}

bool Extras::Slot::is_tracked() const {
    if (const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&wish)) return (*route)->track;
    if (const auto* rule = std::get_if<std::shared_ptr<const model::Rule>>(&wish)) return (*rule)->track;
    return false;
}

bool Extras::Slot::stands_beside_others() const {
    const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&wish);
    return route && (*route)->place != model::RoutePlace::alone;
}

bool Extras::same(const Wish& a, const Wish& b) {
    if (a.index() != b.index()) return false;
    if (const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&a))
        return **route == *std::get<std::shared_ptr<const model::Route>>(b);
    return true; // a rule is its key
}

// ---- who wants what -----------------------------------------------------------------------------------------------------

void Extras::claim_one(const ExtraKey& key, Wish wish, Owner owner) {
    auto& slot = slots_[key];
    slot.stale = slot.stale || !same(slot.wish, wish);
    slot.wish = std::move(wish);
    slot.is_static = !owner;
    slot.router = owner.value_or(0);
    slot.refusals = 0;
    slot.not_before = {};
    dirty_.push_back(key);
}

void Extras::claim(Owner owner, std::span<const model::Route> routes, std::span<const model::Rule> rules,
                   const std::shared_ptr<const void>& keeper) {
    std::set<ExtraKey> kept;
    for (const auto& route : routes) {
        claim_one(route.id(), std::shared_ptr<const model::Route>{keeper, &route}, owner);
        kept.insert(route.id());
    }
    for (const auto& rule : rules) {
        claim_one(rule.id(), std::shared_ptr<const model::Rule>{keeper, &rule}, owner);
        kept.insert(rule.id());
    }
    for (auto& [key, slot] : slots_) {
        if (!slot.is_wanted() || slot.owner() != owner || kept.contains(key)) continue;
        slot.wish = std::monostate{};
        dirty_.push_back(key);
    }
}

void Extras::mark(std::uint32_t router) {
    for (const auto& [key, slot] : slots_)
        if (slot.is_of(router)) dirty_.push_back(key);
}

void Extras::mark_waiting(std::uint32_t router, const KernelView& kernel) {
    for (const auto& [key, slot] : slots_)
        if (slot.is_of(router) && !is_installed(key, kernel)) dirty_.push_back(key);
}

void Extras::mark_all(Turn turn) {
    for (const auto& [key, slot] : slots_) {
        dirty_.push_back(key);
        concern_group_of(slot, turn);
    }
}

void Extras::concern_group_of(const Slot& slot, Turn turn) {
    if (slot.is_static && !slot.track_group().empty()) turn.host.concern_group(slot.track_group());
}

bool Extras::is_installed(const ExtraKey& key, const KernelView& kernel) {
    return std::visit(Overloaded{[&](const model::RouteId& id) { return kernel.route(id) != nullptr; },
                                 [&](const model::Rule& rule) { return kernel.has(rule); }},
                      key);
}

bool Extras::are_links_up(const model::Route& route, const KernelView& kernel) {
    const auto is_up = [&](const std::string& name) {
        if (name.empty()) return true;
        const auto* link = kernel.link(name);
        return link && link->up;
    };
    const auto ready = [&](const model::Nexthop& hop) { return is_up(hop.interface); };
    return is_up(route.interface) && std::ranges::all_of(route.nexthops, ready);
}

/// A link that a route names must be there and up; a source of its own router must be there.
bool Extras::can_be_added(Owner owner, const model::Route& route, Turn turn) {
    if (!are_links_up(route, turn.kernel)) return false;
    return !owner || !route.source || turn.host.has_source(*owner, *route.source);
}

bool Extras::desired(const ExtraKey& key, const Slot& slot, Turn turn) {
    if (!slot.is_wanted()) return false;
    const bool is_there = is_installed(key, turn.kernel);
    if (!turn.host.wants_extras(slot.owner(), is_there)) return false;
    const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&slot.wish);
    return is_there || !route || can_be_added(slot.owner(), **route, turn);
}

// ---- reconciling --------------------------------------------------------------------------------------------------------

/// Removals before those of addresses, rules first; additions in the reverse order. What is neither is done with.
Time Extras::reconcile(Turn turn) {
    Time again_at = never;
    std::vector<ExtraKey> dirty;
    dirty.swap(dirty_);
    std::ranges::sort(dirty);
    dirty.erase(std::ranges::unique(dirty).begin(), dirty.end());
    for (const bool removals : {true, false}) {
        if (removals) std::ranges::reverse(dirty);
        for (const auto& key : dirty)
            again_at = std::min(again_at, reconcile(key, removals, turn));
        if (removals) std::ranges::reverse(dirty);
    }
    for (const auto& key : dirty) {
        const auto at = slots_.find(key);
        if (at != slots_.end() && !at->second.is_wanted() && !at->second.operation && !is_installed(key, turn.kernel))
            slots_.erase(at);
    }
    return again_at;
}

/// When it is to be tried again, if it backs off.
Time Extras::reconcile(const ExtraKey& key, bool removals, Turn turn) {
    const bool is_there = is_installed(key, turn.kernel);
    if (!slots_.contains(key) && !is_there) return never;
    auto& slot = slots_[key];         // perhaps left behind by a process before us
    if (slot.operation) return never; // its answer marks it again
    const bool may_replace = slot.is_wanted() && turn.host.may_replace_extras(slot.owner());
    auto step = plan(is_there, slot.stale && may_replace, desired(key, slot, turn));
    // The kernel replaces the first one of an identity, which beside others may be theirs.
    if (step == ExtraStep::replace && slot.stands_beside_others()) step = ExtraStep::remove;
    if (step == ExtraStep::none || (step == ExtraStep::remove) != removals) return never;
    if (turn.now < slot.not_before && (step == ExtraStep::remove) == slot.removing) return slot.not_before;
    // A rule has nothing that could differ.
    if (step == ExtraStep::replace && std::holds_alternative<model::Rule>(key)) {
        slot.stale = false;
        return never;
    }
    slot.removing = step == ExtraStep::remove;
    slot.gone_meanwhile = false;
    const Operation operation{OperationId{turn.next_operation++}, never, body_of(key, slot, step, turn.kernel)};
    slot.operation = operation.id;
    operations_.emplace(operation.id.value, key);
    turn.out.emplace_back(operation);
    return never;
}

OperationBody Extras::body_of(const ExtraKey& key, const Slot& slot, ExtraStep step, const KernelView& kernel) {
    if (const auto* rule = std::get_if<model::Rule>(&key)) {
        auto shared = std::make_shared<const model::Rule>(*rule);
        if (step == ExtraStep::remove) return RemoveRule{std::move(shared)};
        return PutRule{std::move(shared)};
    }
    if (step == ExtraStep::remove) return RemoveRoute{std::get<model::RouteId>(key)};
    const auto& route = std::get<std::shared_ptr<const model::Route>>(slot.wish);
    const auto index_of = [&](const std::string& name) {
        const auto* link = name.empty() ? nullptr : kernel.link(name);
        return link ? link->index : LinkIndex{};
    };
    std::vector<LinkIndex> links;
    for (const auto& hop : route->nexthops)
        links.push_back(index_of(hop.interface));
    if (links.empty()) links.push_back(index_of(route->interface));
    return PutRoute{route, std::move(links), step == ExtraStep::replace};
}

bool Extras::done(const OperationDone& event, Turn turn) {
    const auto at = operations_.find(event.id.value);
    if (at == operations_.end()) return false;
    const auto key = at->second;
    operations_.erase(at);
    auto& slot = slots_[key];
    slot.operation.reset();
    dirty_.push_back(key);
    turn.host.extras_changed(slot.owner());
    if (slot.removing)
        removed(key, slot, event.error, turn);
    else if (event.error != 0)
        refuse(key, slot, event.error, turn);
    else if (slot.gone_meanwhile)
        turn.out.push_back(ListKernel{}); // before it or behind it? the kernel knows
    else
        installed(key, slot, turn);
    return true;
}

void Extras::removed(const ExtraKey& key, Slot& slot, int error, Turn turn) {
    if (error != 0 && error != ESRCH && error != ENOENT && error != ENODEV) {
        slot.not_before = turn.now + 1s;
        return;
    }
    std::visit(Overloaded{[&](const model::RouteId& id) { turn.kernel.forget(id); },
                          [&](const model::Rule& rule) { turn.kernel.remove(rule); }},
               key);
    slot.stale = true;
}

void Extras::installed(const ExtraKey& key, Slot& slot, Turn turn) {
    if (const auto* id = std::get_if<model::RouteId>(&key)) {
        if (!turn.kernel.route(*id)) turn.kernel.set(KernelRoute{.id = *id, .ours = true}, false);
    } else {
        turn.kernel.set(std::make_shared<const model::Rule>(std::get<model::Rule>(key)));
    }
    slot.stale = slot.foreign = false;
    slot.refusals = 0;
    slot.refused.clear();
    concern_group_of(slot, turn);
    if (!std::exchange(slot.was_deleted, false)) return;
    turn.host.extra_restored(
        slot.owner(), fmt::format("somebody deleted {}: put back; with systemd-networkd set ManageForeignRoutes=no and "
                                  "ManageForeignRoutingPolicyRules=no",
                                  text_of(key)));
}

void Extras::refuse(const ExtraKey& key, Slot& slot, int error, Turn turn) {
    const auto owner = slot.owner();
    ++slot.refusals;
    slot.was_deleted = false;
    concern_group_of(slot, turn);
    if (error == EEXIST) {
        if (!std::exchange(slot.foreign, true)) turn.out.push_back(ListKernel{}); // or is it ours, and we did not know?
        slot.not_before = turn.now + (slot.refusals > 1 ? retry_later : retry_soon);
        slot.refused = "one of others is in its place and is left alone";
        if (slot.refusals < 2) return;
        return turn.host.extra_refused(
            owner, fmt::format("{}: {}; remove that one, or give this one another metric or priority", text_of(key),
                               slot.refused));
    }
    slot.not_before = turn.now + (slot.refusals > refusals_at_once ? retry_later : retry_soon);
    slot.refused = explain(error, key);
    if (slot.refusals < refusals_at_once) return;
    const auto text = fmt::format("the kernel refused {}: {}", text_of(key), slot.refused);
    if (!owner || !slot.is_tracked()) return turn.host.extra_refused(owner, text + "; it is tried again");
    slot.refusals = 0;
    turn.host.tracked_extra_refused(*owner, error, text);
}

} // namespace holdfast::engine
