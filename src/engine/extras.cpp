// Routes and rules from states to kernel operations: behind the addresses when a router takes over, before them when it leaves.
// The same slots carry the static ones, which the daemon itself wants as long as it runs.

#include "engine/engine.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <set>
#include <span>

namespace holdfast::engine {
namespace {

constexpr Duration retry_soon = 100ms, retry_later = 5s;
constexpr Duration refusal_time = 30s; ///< a standby may have better luck, and needs time for it

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

bool is_tracked(const ExtraSlot& slot) {
    if (const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&slot.wish)) return (*route)->track;
    if (const auto* rule = std::get_if<std::shared_ptr<const model::Rule>>(&slot.wish)) return (*rule)->track;
    return false;
}

bool stands_beside_others(const ExtraSlot& slot) {
    const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&slot.wish);
    return route && (*route)->place != model::RoutePlace::alone;
}

bool same(const ExtraWish& a, const ExtraWish& b) {
    if (a.index() != b.index()) return false;
    if (const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&a))
        return **route == *std::get<std::shared_ptr<const model::Route>>(b);
    return true; // a rule is its key
}

} // namespace

// ---- who wants what -----------------------------------------------------------------------------------------------------

void Engine::claim_extra(const ExtraKey& key, ExtraWish wish, std::optional<std::uint32_t> router) {
    auto& slot = extras_[key];
    slot.stale = slot.stale || !same(slot.wish, wish);
    slot.wish = std::move(wish);
    slot.is_static = !router;
    slot.router = router.value_or(0);
    slot.refusals = 0;
    slot.not_before = {};
    dirty_extras_.push_back(key);
}

/// The slots of this owner follow its model; what it wants no longer is nobody's.
template <typename Routes, typename Rules>
void Engine::claim_all_extras(std::optional<std::uint32_t> router, const Routes& routes, const Rules& rules,
                              const std::shared_ptr<const void>& keeper) {
    std::set<ExtraKey> kept;
    for (const auto& route : routes) {
        claim_extra(route.id(), std::shared_ptr<const model::Route>{keeper, &route}, router);
        kept.insert(route.id());
    }
    for (const auto& rule : rules) {
        claim_extra(rule.id(), std::shared_ptr<const model::Rule>{keeper, &rule}, router);
        kept.insert(rule.id());
    }
    for (auto& [key, slot] : extras_) {
        if (!slot.is_wanted() || slot.is_static == router.has_value() || (router && slot.router != *router)) continue;
        if (kept.contains(key)) continue;
        slot.wish = std::monostate{};
        dirty_extras_.push_back(key);
    }
    settle_needed_ = view_changed_ = true;
}

void Engine::claim_extras(Router& router) {
    claim_all_extras(router.slot, router.model->routes, router.model->rules, router.model);
    router.view_changed = true;
}

void Engine::drop_extras(Router& router) {
    claim_all_extras(router.slot, std::span<const model::Route>{}, std::span<const model::Rule>{}, nullptr);
}

void Engine::claim_static_extras() {
    claim_all_extras(std::nullopt, config_->static_routes, config_->static_rules, config_);
    for (auto& router : routers_)
        if (router) router->needs_assessment = true; // its group may depend on others now
}

void Engine::mark_extras(const Router& router) {
    for (const auto& [key, slot] : extras_)
        if (slot.is_wanted() && !slot.is_static && slot.router == router.slot) dirty_extras_.push_back(key);
}

/// An address came: those that wait for it.
void Engine::mark_waiting_extras(const Router& router) {
    if (router.model->routes.empty() && router.model->rules.empty()) return;
    for (const auto& [key, slot] : extras_)
        if (slot.is_wanted() && !slot.is_static && slot.router == router.slot && !is_installed(key))
            dirty_extras_.push_back(key);
    settle_needed_ = true;
}

void Engine::mark_all_extras() {
    for (const auto& [key, slot] : extras_) {
        dirty_extras_.push_back(key);
        mark_group_of(slot);
    }
    if (!dirty_extras_.empty()) settle_needed_ = true;
}

Router* Engine::router_of(const ExtraSlot& slot) const {
    return slot.is_wanted() && !slot.is_static ? routers_[slot.router].get() : nullptr;
}

bool Engine::is_installed(const ExtraKey& key) const {
    return std::visit(Overloaded{[this](const model::RouteId& id) { return kernel_.route(id) != nullptr; },
                                 [this](const model::Rule& rule) { return kernel_.has(rule); }},
                      key);
}

/// While the router's addresses are there for good: the first of them that is released takes its routes along.
bool Engine::wants_extras(const Router& router, bool installed) const {
    const bool waits = router.hook_until && now_ < *router.hook_until && installed;
    const bool adopts = may_come_back(router) && installed;
    if (waits || adopts) return true;
    if (!vrrp::holds_addresses(router.state)) return false;
    const auto is_released = [this](const AddressKey& key) {
        const auto at = addresses_.find(key);
        return at != addresses_.end() && now_ >= at->second.release_at;
    };
    if (std::ranges::any_of(router.keys, is_released)) return false;
    if (installed) return true;
    return std::holds_alternative<vrrp::Master>(router.state) && router.keys_there == router.keys.size();
}

/// A link that a route names must be there and up; a source of its own router must be there.
bool Engine::can_be_added(const Router* router, const model::Route& route) const {
    const auto is_up = [this](const std::string& name) {
        if (name.empty()) return true;
        const auto* link = kernel_.link(name);
        return link && link->up;
    };
    const auto ready = [&](const model::Nexthop& hop) { return is_up(hop.interface); };
    if (!is_up(route.interface) || !std::ranges::all_of(route.nexthops, ready)) return false;
    if (!router || !route.source) return true;
    const auto& excluded = router->model->excluded_addresses;
    const auto at = std::ranges::find(excluded, *route.source, &Prefix::address);
    if (at == excluded.end()) return true;
    const auto link = link_of(*router, *at);
    return link && kernel_.address({*link, at->prefix()});
}

bool Engine::desired(const ExtraKey& key, const ExtraSlot& slot) const {
    if (!slot.is_wanted()) return false;
    const bool installed = is_installed(key);
    const auto* router = router_of(slot);
    if (slot.is_static ? stopping_ : !router || !wants_extras(*router, installed)) return false;
    const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&slot.wish);
    return installed || !route || can_be_added(router, **route);
}

// ---- reconciling --------------------------------------------------------------------------------------------------------

/// Removals before those of addresses, rules first; additions in the reverse order. What is neither is done with.
void Engine::reconcile_extras() {
    if (dirty_extras_.empty()) return;
    std::vector<ExtraKey> dirty;
    dirty.swap(dirty_extras_);
    std::ranges::sort(dirty);
    dirty.erase(std::ranges::unique(dirty).begin(), dirty.end());
    for (const bool removals : {true, false}) {
        if (removals) std::ranges::reverse(dirty);
        for (const auto& key : dirty)
            reconcile_extra(key, removals);
        if (removals) std::ranges::reverse(dirty);
    }
    for (const auto& key : dirty) {
        const auto at = extras_.find(key);
        if (at != extras_.end() && !at->second.is_wanted() && !at->second.operation && !is_installed(key))
            extras_.erase(at);
    }
}

void Engine::reconcile_extra(const ExtraKey& key, bool removals) {
    if (!extras_.contains(key) && !is_installed(key)) return;
    auto& slot = extras_[key];  // perhaps left behind by a process before us
    if (slot.operation) return; // its answer marks it again
    const auto* router = router_of(slot);
    const bool may_replace = slot.is_static || (router && std::holds_alternative<vrrp::Master>(router->state));
    auto step = plan(is_installed(key), slot.stale && may_replace, desired(key, slot));
    // The kernel replaces the first one of an identity, which beside others may be theirs.
    if (step == ExtraStep::replace && stands_beside_others(slot)) step = ExtraStep::remove;
    if (step == ExtraStep::none || (step == ExtraStep::remove) != removals) return;
    if (now_ < slot.not_before && (step == ExtraStep::remove) == slot.removing) {
        retry_at_ = std::min(retry_at_, slot.not_before);
        return;
    }
    // A rule has nothing that could differ.
    if (step == ExtraStep::replace && std::holds_alternative<model::Rule>(key)) {
        slot.stale = false;
        return;
    }
    slot.removing = step == ExtraStep::remove;
    slot.gone_meanwhile = false;
    const Operation operation{OperationId{next_operation_++}, never, body_of(key, slot, step)};
    slot.operation = operation.id;
    extra_operations_.emplace(operation.id.value, key);
    out_->emplace_back(operation);
}

OperationBody Engine::body_of(const ExtraKey& key, const ExtraSlot& slot, ExtraStep step) const {
    if (const auto* rule = std::get_if<model::Rule>(&key)) {
        auto shared = std::make_shared<const model::Rule>(*rule);
        if (step == ExtraStep::remove) return RemoveRule{std::move(shared)};
        return PutRule{std::move(shared)};
    }
    if (step == ExtraStep::remove) return RemoveRoute{std::get<model::RouteId>(key)};
    const auto& route = std::get<std::shared_ptr<const model::Route>>(slot.wish);
    const auto index_of = [this](const std::string& name) {
        const auto* link = name.empty() ? nullptr : kernel_.link(name);
        return link ? link->index : LinkIndex{};
    };
    std::vector<LinkIndex> links;
    for (const auto& hop : route->nexthops)
        links.push_back(index_of(hop.interface));
    if (links.empty()) links.push_back(index_of(route->interface));
    return PutRoute{route, std::move(links), step == ExtraStep::replace};
}

/// True when the operation was one of these.
bool Engine::extra_done(const OperationDone& event) {
    const auto at = extra_operations_.find(event.id.value);
    if (at == extra_operations_.end()) return false;
    const auto key = at->second;
    extra_operations_.erase(at);
    auto& slot = extras_[key];
    slot.operation.reset();
    dirty_extras_.push_back(key);
    settle_needed_ = view_changed_ = true;
    if (auto* router = router_of(slot)) router->view_changed = true;
    if (slot.removing)
        removed_extra(key, slot, event.error);
    else if (event.error != 0)
        refuse_extra(key, slot, event.error);
    else if (slot.gone_meanwhile)
        out_->push_back(ListKernel{}); // before it or behind it? the kernel knows
    else
        installed_extra(key, slot);
    return true;
}

void Engine::removed_extra(const ExtraKey& key, ExtraSlot& slot, int error) {
    if (error != 0 && error != ESRCH && error != ENOENT && error != ENODEV) {
        slot.not_before = now_ + 1s;
        return;
    }
    std::visit(Overloaded{[this](const model::RouteId& id) { kernel_.forget(id); },
                          [this](const model::Rule& rule) { kernel_.remove(rule); }},
               key);
    slot.stale = true;
}

void Engine::installed_extra(const ExtraKey& key, ExtraSlot& slot) {
    if (const auto* id = std::get_if<model::RouteId>(&key)) {
        if (!kernel_.route(*id)) kernel_.set(KernelRoute{.id = *id, .ours = true}, false);
    } else {
        kernel_.set(std::make_shared<const model::Rule>(std::get<model::Rule>(key)));
    }
    slot.stale = slot.foreign = false;
    slot.refusals = 0;
    slot.refused.clear();
    mark_group_of(slot);
    if (!std::exchange(slot.was_deleted, false)) return;
    auto* router = router_of(slot);
    const auto text = fmt::format("somebody deleted {}: put back; with systemd-networkd set ManageForeignRoutes=no and "
                                  "ManageForeignRoutingPolicyRules=no",
                                  text_of(key));
    if (!router) return tell(Severity::warning, NoteKind::route_deleted, "", text);
    ++router->counters.routes_restored;
    complain(Severity::warning, NoteKind::route_deleted, *router, 0, fmt::format("{}: {}", router->name(), text));
}

void Engine::refuse_extra(const ExtraKey& key, ExtraSlot& slot, int error) {
    auto* router = router_of(slot);
    ++slot.refusals;
    slot.was_deleted = false;
    mark_group_of(slot);
    if (error == EEXIST) {
        if (!std::exchange(slot.foreign, true)) out_->push_back(ListKernel{}); // or is it ours, and we did not know?
        slot.not_before = now_ + (slot.refusals > 1 ? retry_later : retry_soon);
        slot.refused = "one of others is in its place and is left alone";
        if (slot.refusals < 2) return;
        return warn_of_extra(router, fmt::format("{}: {}; remove that one, or give this one another metric or priority",
                                                 text_of(key), slot.refused));
    }
    slot.not_before = now_ + (slot.refusals > refusals_at_once ? retry_later : retry_soon);
    slot.refused = explain(error, key);
    if (slot.refusals < refusals_at_once) return;
    const auto text = fmt::format("the kernel refused {}: {}", text_of(key), slot.refused);
    if (!router || !is_tracked(slot)) return warn_of_extra(router, text + "; it is tried again");
    slot.refusals = 0;
    router->refused = text;
    router->refused_until = now_ + refusal_time;
    router->needs_assessment = true;
    complain(
        Severity::error, NoteKind::route_refused, *router, static_cast<unsigned>(error),
        fmt::format("{}: {}; this host gives its addresses up for {}", router->name(), text, to_string(refusal_time)));
}

void Engine::warn_of_extra(Router* router, const std::string& text) {
    if (!router)
        return tell_limited(std::hash<std::string>{}(text), Severity::warning, NoteKind::route_refused, "", text);
    complain(Severity::warning, NoteKind::route_refused, *router, 0, fmt::format("{}: {}", router->name(), text));
    find(*router, {"route_refused", text});
}

} // namespace holdfast::engine
