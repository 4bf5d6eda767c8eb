// Static routes and rules that a sync group depends on (track_group): while one of them can't be there, the group is in fault.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {

/// One that was deleted and is just being put back is not lost yet.
bool Engine::is_lost(const ExtraKey& key) const {
    const auto at = extras_.find(key);
    if (stopping_ || at == extras_.end() || is_installed(key)) return false;
    const auto& slot = at->second;
    if (slot.is_refused()) return true;
    const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&slot.wish);
    return route && !can_be_added(nullptr, **route);
}

std::optional<FaultCause> Engine::find_static_fault(const Router& router) const {
    if (router.group.empty()) return std::nullopt;
    const auto fault = [&](const ExtraKey& key, const std::string& text) {
        const auto& refused = extras_.at(key).refused;
        return FaultCause{"static_route", fmt::format("{}, which sync group {} tracks, can't be there: {}", text,
                                                      router.group, refused.empty() ? "its link is not up" : refused)};
    };
    for (const auto& route : config_->static_routes)
        if (route.track_group == router.group && is_lost(route.id()))
            return fault(route.id(), "route " + model::to_string(route.id()));
    for (const auto& rule : config_->static_rules)
        if (rule.track_group == router.group && is_lost(rule.id()))
            return fault(rule.id(), "rule " + model::to_string(rule));
    for (const auto& address : config_->static_addresses)
        if (address.track_group == router.group && is_lost(address))
            return FaultCause{"static_route",
                              fmt::format("address {} on {}, which sync group {} tracks, can't be there",
                                          to_string(address.prefix()), address.interface, router.group)};
    return std::nullopt;
}

void Engine::mark_group_of(const ExtraSlot& slot) {
    if (!slot.is_static || slot.track_group().empty()) return;
    const auto members = group_members_.find(slot.track_group());
    if (members == group_members_.end()) return;
    for (auto* router : members->second)
        router->needs_assessment = true;
    settle_needed_ = true;
}

} // namespace holdfast::engine
