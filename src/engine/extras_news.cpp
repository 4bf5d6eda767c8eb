// What the kernel tells of routes and rules, or keeps to itself; and what views show of them.

#include "engine/engine.hpp"

#include <algorithm>
#include <set>

namespace holdfast::engine {
namespace {

constexpr Duration lists_gather = 20ms; ///< what the kernel took along silently is looked for so much later

} // namespace

void Engine::handle(const RouteChanged& event) {
    if (!event.route.ours && event.replaces && kernel_.route(event.route.id)) extra_gone(event.route.id, true);
    kernel_.set(event.route, event.replaces);
    if (event.route.ours) {
        dirty_extras_.emplace_back(event.route.id);
        settle_needed_ = true;
    }
    observe_routes();
}

void Engine::handle(const RouteRemoved& event) {
    const bool known = event.route.ours && kernel_.route(event.route.id);
    kernel_.remove(event.route);
    if (known) extra_gone(event.route.id, true);
    observe_routes();
}

void Engine::handle(const RuleChanged& event) {
    kernel_.set(event.rule);
    dirty_extras_.emplace_back(*event.rule);
    settle_needed_ = true;
}

void Engine::handle(const RuleRemoved& event) {
    if (!kernel_.has(*event.rule)) return;
    kernel_.remove(*event.rule);
    extra_gone(*event.rule, true);
}

/// Deleted or replaced by others, or the kernel took it along with a link or an address: back as soon as it can be.
void Engine::extra_gone(const ExtraKey& key, bool told) {
    const auto at = extras_.find(key);
    if (at == extras_.end()) return;
    auto& slot = at->second;
    if (slot.operation) slot.gone_meanwhile = true;
    dirty_extras_.push_back(key);
    settle_needed_ = view_changed_ = true;
    mark_group_of(slot);
    auto* router = router_of(slot);
    if (router) router->view_changed = true;
    slot.stale = true;
    if (slot.removing && slot.operation) return;
    if (slot.is_static ? stopping_ : !router || !wants_extras(*router, true)) return;
    slot.was_deleted = told;
    if (slot.restores.is_fought_over(now_)) slot.not_before = now_ + RestorePace::pause;
}

/// IPv4 routes vanish without a word when their link goes down or their source goes.
void Engine::expect_lost_routes() {
    if (!kernel_.routes().empty() || !kernel_.other_routes().empty())
        list_at_ = std::min(list_at_, now_ + lists_gather);
}

void Engine::kernel_listed_extras(const std::set<ExtraKey>& before) {
    for (const auto& key : before)
        if (!is_installed(key)) extra_gone(key, false);
    for (const auto& [id, route] : kernel_.routes())
        dirty_extras_.emplace_back(id);
    for (const auto& rule : kernel_.rules())
        dirty_extras_.emplace_back(rule);
    mark_all_extras();
    observe_routes();
}

std::set<ExtraKey> Engine::installed_extras() const {
    std::set<ExtraKey> keys;
    for (const auto& [id, route] : kernel_.routes())
        keys.emplace(id);
    for (const auto& rule : kernel_.rules())
        keys.emplace(rule);
    return keys;
}

bool Engine::extras_are_gone(const std::optional<std::uint32_t>& router) const {
    return std::ranges::all_of(extras_, [&](const auto& entry) {
        const auto& [key, slot] = entry;
        if (router && (!slot.is_wanted() || slot.is_static || slot.router != *router)) return true;
        return !slot.operation && !is_installed(key);
    });
}

ExtraView Engine::view_of(const ExtraKey& key, const std::string& text) const {
    const auto at = extras_.find(key);
    return {text, is_installed(key), at == extras_.end() || is_installed(key) ? "" : at->second.refused};
}

void Engine::view_extras(const std::vector<model::Route>& routes, const std::vector<model::Rule>& rules,
                         std::vector<ExtraView>& shown_routes, std::vector<ExtraView>& shown_rules) const {
    for (const auto& route : routes)
        shown_routes.push_back(view_of(route.id(), model::to_string(route)));
    for (const auto& rule : rules)
        shown_rules.push_back(view_of(rule.id(), model::to_string(rule)));
}

} // namespace holdfast::engine
