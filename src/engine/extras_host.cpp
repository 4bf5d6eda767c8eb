// Where routes and rules meet virtual routers: whether a router wants those of its own now, and what becomes of it when they
// are deleted or refused. Everything else of routes and rules is Extras' own.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration refusal_time = 30s;  ///< a standby may have better luck, and needs time for it
constexpr Duration lists_gather = 20ms; ///< what the kernel took along silently is looked for so much later

} // namespace

void Engine::handle(const RouteChanged& event) {
    extras_.on(event, extras_turn());
    if (event.route.ours) settle_needed_ = true;
    observe_routes();
}

void Engine::handle(const RouteRemoved& event) {
    extras_.on(event, extras_turn());
    observe_routes();
}

void Engine::handle(const RuleChanged& event) {
    extras_.on(event, extras_turn());
    settle_needed_ = true;
}

void Engine::handle(const RuleRemoved& event) {
    extras_.on(event, extras_turn());
}

/// IPv4 routes vanish without a word when their link goes down or their source goes.
void Engine::expect_lost_routes() {
    if (!kernel_.routes().empty() || !kernel_.other_routes().empty())
        list_at_ = std::min(list_at_, now_ + lists_gather);
}

void Engine::claim_extras(Router& router) {
    extras_.claim(router.slot, router.model->routes, router.model->rules, router.model);
    settle_needed_ = view_changed_ = router.view_changed = true;
}

// ---- what they ask ------------------------------------------------------------------------------------------------------

/// While the router's addresses are there for good: the first of them that is released takes its routes along.
bool Engine::wants_extras(Extras::Owner owner, bool installed) const {
    if (!owner) return !stopping_;
    const auto& router = *routers_[*owner];
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

bool Engine::may_replace_extras(Extras::Owner owner) const {
    return !owner || std::holds_alternative<vrrp::Master>(routers_[*owner]->state);
}

bool Engine::has_source(std::uint32_t owner, const IpAddress& source) const {
    const auto& router = *routers_[owner];
    const auto& excluded = router.model->excluded_addresses;
    const auto at = std::ranges::find(excluded, source, &Prefix::address);
    if (at == excluded.end()) return true;
    const auto link = link_of(router, *at);
    return link && kernel_.address({*link, at->prefix()});
}

// ---- what they tell -----------------------------------------------------------------------------------------------------

void Engine::extras_changed(Extras::Owner owner) {
    settle_needed_ = view_changed_ = true;
    if (owner) routers_[*owner]->view_changed = true;
}

void Engine::extra_restored(Extras::Owner owner, const std::string& text) {
    if (!owner) return tell(Severity::warning, NoteKind::route_deleted, "", text);
    auto& router = *routers_[*owner];
    ++router.counters.routes_restored;
    complain(Severity::warning, NoteKind::route_deleted, router, 0, fmt::format("{}: {}", router.name(), text));
}

void Engine::extra_refused(Extras::Owner owner, const std::string& text) {
    if (!owner)
        return tell_limited(std::hash<std::string>{}(text), Severity::warning, NoteKind::route_refused, "", text);
    auto& router = *routers_[*owner];
    complain(Severity::warning, NoteKind::route_refused, router, 0, fmt::format("{}: {}", router.name(), text));
    find(router, {"route_refused", text});
}

void Engine::tracked_extra_refused(std::uint32_t owner, int error, const std::string& text) {
    auto& router = *routers_[owner];
    router.refused = text;
    router.refused_until = now_ + refusal_time;
    router.needs_assessment = true;
    complain(
        Severity::error, NoteKind::route_refused, router, static_cast<unsigned>(error),
        fmt::format("{}: {}; this host gives its addresses up for {}", router.name(), text, to_string(refusal_time)));
}

} // namespace holdfast::engine
