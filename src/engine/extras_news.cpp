// What the kernel tells of routes and rules, or keeps to itself; and what others see of them.

#include "engine/extras.hpp"

#include <algorithm>

namespace holdfast::engine {

void Extras::on(const RouteChanged& event, Turn turn) {
    if (!event.route.ours && event.replaces && turn.kernel.route(event.route.id)) gone(event.route.id, true, turn);
    turn.kernel.set(event.route, event.replaces);
    if (event.route.ours) dirty_.emplace_back(event.route.id);
}

void Extras::on(const RouteRemoved& event, Turn turn) {
    const bool known = event.route.ours && turn.kernel.route(event.route.id);
    turn.kernel.remove(event.route);
    if (known) gone(event.route.id, true, turn);
}

void Extras::on(const RuleChanged& event, Turn turn) {
    turn.kernel.set(event.rule);
    dirty_.emplace_back(*event.rule);
}

void Extras::on(const RuleRemoved& event, Turn turn) {
    if (!turn.kernel.has(*event.rule)) return;
    turn.kernel.remove(*event.rule);
    gone(*event.rule, true, turn);
}

/// Deleted or replaced by others, or the kernel took it along with a link or an address: back as soon as it can be.
void Extras::gone(const ExtraKey& key, bool told, Turn turn) {
    const auto at = slots_.find(key);
    if (at == slots_.end()) return;
    auto& slot = at->second;
    if (slot.operation) slot.gone_meanwhile = true;
    dirty_.push_back(key);
    concern_group_of(slot, turn);
    turn.host.extras_changed(slot.owner());
    slot.stale = true;
    if (slot.removing && slot.operation) return;
    if (!slot.is_static && !slot.is_wanted()) return;
    if (!turn.host.wants_extras(slot.owner(), true)) return;
    slot.was_deleted = told;
    if (slot.restores.is_fought_over(turn.now)) slot.not_before = turn.now + RestorePace::pause;
}

void Extras::kernel_listed(const std::set<ExtraKey>& before, Turn turn) {
    for (const auto& key : before)
        if (!is_installed(key, turn.kernel)) gone(key, false, turn);
    const auto there = installed_in(turn.kernel);
    dirty_.insert(dirty_.end(), there.begin(), there.end());
    mark_all(turn);
}

std::set<ExtraKey> Extras::installed_in(const KernelView& kernel) {
    std::set<ExtraKey> keys;
    for (const auto& [id, route] : kernel.routes())
        keys.emplace(id);
    for (const auto& rule : kernel.rules())
        keys.emplace(rule);
    return keys;
}

bool Extras::any_comes_from(const IpAddress& source) const {
    return std::ranges::any_of(slots_, [&](const auto& entry) {
        const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&entry.second.wish);
        return route && (*route)->source == source;
    });
}

bool Extras::are_gone(const KernelView& kernel) const {
    return std::ranges::none_of(
        slots_, [&](const auto& entry) { return entry.second.operation || is_installed(entry.first, kernel); });
}

bool Extras::are_gone(std::uint32_t router, const KernelView& kernel) const {
    return std::ranges::none_of(slots_, [&](const auto& entry) {
        const auto& [key, slot] = entry;
        return slot.is_of(router) && (slot.operation || is_installed(key, kernel));
    });
}

std::optional<std::string> Extras::why_lost(const ExtraKey& key, const KernelView& kernel) const {
    const auto at = slots_.find(key);
    if (at == slots_.end() || is_installed(key, kernel)) return std::nullopt;
    const auto& slot = at->second;
    const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&slot.wish);
    if (!slot.is_refused() && (!route || are_links_up(**route, kernel))) return std::nullopt;
    return slot.refused.empty() ? "its link is not up" : slot.refused;
}

ExtraView Extras::view(const ExtraKey& key, std::string text, const KernelView& kernel) const {
    const auto at = slots_.find(key);
    const bool is_there = is_installed(key, kernel);
    return {std::move(text), is_there, at == slots_.end() || is_there ? "" : at->second.refused};
}

std::vector<ExtraView> Extras::views(const std::vector<model::Route>& routes, const KernelView& kernel) const {
    std::vector<ExtraView> shown;
    for (const auto& route : routes)
        shown.push_back(view(route.id(), model::to_string(route), kernel));
    return shown;
}

std::vector<ExtraView> Extras::views(const std::vector<model::Rule>& rules, const KernelView& kernel) const {
    std::vector<ExtraView> shown;
    for (const auto& rule : rules)
        shown.push_back(view(rule.id(), model::to_string(rule), kernel));
    return shown;
}

} // namespace holdfast::engine
