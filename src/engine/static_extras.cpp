// Static routes and rules that a sync group depends on (track_group): while one of them can't be there, the group is in fault.

#include "engine/engine.hpp"

#include <fmt/format.h>

namespace holdfast::engine {

std::optional<FaultCause> Engine::find_static_fault(const Router& router) const {
    if (router.group.empty() || stopping_) return std::nullopt;
    const auto fault = [&](const std::string& text, const std::string& why) {
        return FaultCause{"static_route",
                          fmt::format("{}, which sync group {} tracks, can't be there: {}", text, router.group, why)};
    };
    for (const auto& route : config_->static_routes) {
        if (route.track_group != router.group) continue;
        if (const auto why = extras_.why_lost(route.id(), kernel_))
            return fault("route " + model::to_string(route.id()), *why);
    }
    for (const auto& rule : config_->static_rules) {
        if (rule.track_group != router.group) continue;
        if (const auto why = extras_.why_lost(rule.id(), kernel_)) return fault("rule " + model::to_string(rule), *why);
    }
    for (const auto& address : config_->static_addresses)
        if (address.track_group == router.group && is_lost(address))
            return FaultCause{"static_route",
                              fmt::format("address {} on {}, which sync group {} tracks, can't be there",
                                          to_string(address.prefix()), address.interface, router.group)};
    return std::nullopt;
}

void Engine::concern_group(const std::string& group) {
    const auto members = group_members_.find(group);
    if (members == group_members_.end()) return;
    for (auto* router : members->second)
        router->needs_assessment = true;
    settle_needed_ = true;
}

} // namespace holdfast::engine
