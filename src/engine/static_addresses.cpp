// Addresses that no router claims: `static_addresses:`, and those of the real server's role. They take the way of all addresses
// (plan, operation, confirmation, repair), without a lease and unannounced. At the end they go behind the routers, or stay.

#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <set>

namespace holdfast::engine {
namespace {

constexpr Duration retry_soon = 100ms, retry_later = 5s;

} // namespace

std::vector<StaticClaim> Engine::wanted_statics() const {
    std::vector<StaticClaim> result;
    for (const auto& address : config_->static_addresses)
        result.push_back({address, false});
    for (const auto& address : role_.addresses) {
        StaticClaim claim{model::VirtualAddress{address, full_prefix(address.family)}, true};
        claim.address.interface = role_link;
        // Never chosen as the source of this host's own connections.
        if (address.family == Family::ipv4) claim.address.scope = model::scope_host;
        result.push_back(std::move(claim));
    }
    return result;
}

/// Links come and go, and each may have another index.
void Engine::claim_statics() {
    if (!std::exchange(statics_stale_, false)) return;
    std::set<AddressKey> kept;
    for (const auto& claim : wanted_statics()) {
        const auto* const link = kernel_.link(claim.address.interface);
        if (!link) continue;
        const AddressKey key{link->index, claim.address.prefix()};
        auto& slot = addresses_[key];
        if (slot.has_router || !kept.insert(key).second) continue;
        if (slot.fixed && *slot.fixed == claim) continue;
        slot.fixed = std::make_shared<const StaticClaim>(claim);
        slot.not_before = {};
        dirty_addresses_.push_back(key);
    }
    for (auto& [key, slot] : addresses_) {
        if (!slot.fixed || kept.contains(key)) continue;
        slot.fixed.reset();
        dirty_addresses_.push_back(key);
    }
    links_dirty_ = settle_needed_ = true;
    statics_moved();
}

std::optional<DesiredAddress> Engine::desired_static(const AddressKey& key, const StaticClaim& claim) const {
    if (statics_released_ && !(claim.is_role && config_->ipvs.role_at_stop == model::AtStop::keep)) return std::nullopt;
    const bool ipv4 = key.prefix.address.family == Family::ipv4;
    if (claim.is_role && ipv4 && !kernel_.address(key) && !is_role_quiet()) return std::nullopt;
    DesiredAddress result;
    result.options = claim.address.options();
    result.prefix_route = claim.address.prefix_route.value_or(
        key.prefix.length < full_prefix(key.prefix.address.family) && !kernel_.covered_by_others(key));
    return result;
}

/// A stop does not take it away: another director goes on sending clients here.
bool Engine::outlives_us(const AddressSlot& slot) const {
    return slot.fixed && slot.fixed->is_role && config_->ipvs.role_at_stop == model::AtStop::keep;
}

bool Engine::routers_are_gone() const {
    const auto stopped = [](const auto& router) {
        return !router || std::holds_alternative<vrrp::Init>(router->state);
    };
    const auto left = [this](const auto& entry) {
        const auto* const observed = kernel_.address(entry.first);
        return !entry.second.fixed && observed && observed->ours;
    };
    return std::ranges::all_of(routers_, stopped) && std::ranges::none_of(addresses_, left);
}

/// Behind the last address of a router.
void Engine::release_statics() {
    if (statics_released_ || !routers_are_gone()) return;
    statics_released_ = links_dirty_ = true;
    for (const auto& [key, slot] : addresses_)
        if (slot.fixed) dirty_addresses_.push_back(key);
    reconcile();
    reconcile_links();
}

void Engine::refuse_static(const AddressKey& key, AddressSlot& slot, int error) {
    if (error == EEXIST || error == ENODEV) { // what we believe of the kernel is out of date
        slot.not_before = now_ + retry_soon;
        out_->push_back(ListKernel{});
        return;
    }
    slot.not_before = now_ + retry_later;
    statics_moved();
    const auto* const link = kernel_.link(key.link);
    tell_limited(
        std::hash<IpAddress>{}(key.prefix.address), Severity::error, NoteKind::address_refused, "",
        fmt::format("the kernel refused {} on {}: {}; it is tried again each {}", to_string(key.prefix),
                    link ? link->name : "a link that went",
                    error == EPERM ? "permission denied: the daemon needs CAP_NET_ADMIN" : std::strerror(error),
                    to_string(retry_later)));
}

void Engine::static_deleted(const AddressKey& key, AddressSlot& slot) {
    statics_moved();
    if (slot.restores.is_fought_over(now_)) slot.not_before = now_ + RestorePace::pause;
    const auto* const link = kernel_.link(key.link);
    tell_limited(std::hash<IpAddress>{}(key.prefix.address) + 1, Severity::warning, NoteKind::address_deleted, "",
                 fmt::format("somebody deleted {} from {}: put back; with systemd-networkd set KeepConfiguration=yes "
                             "there",
                             to_string(key.prefix), link ? link->name : "its link"));
}

/// They are shown, and a sync group may depend on them.
void Engine::statics_moved() {
    statics_view_.reset();
    view_changed_ = true;
    const auto is_tracked = [](const model::StaticAddress& address) { return !address.track_group.empty(); };
    if (std::ranges::none_of(config_->static_addresses, is_tracked)) return;
    for (auto& router : routers_)
        if (router && !router->group.empty()) router->needs_assessment = true;
    settle_needed_ = true;
}

std::vector<AddressView> Engine::view_statics() const {
    std::vector<AddressView> result;
    for (const auto& claim : wanted_statics()) {
        auto& shown = result.emplace_back(claim.address.prefix(), "absent", claim.address.interface);
        const auto* const link = kernel_.link(shown.link);
        if (!link) continue;
        const AddressKey key{link->index, shown.prefix};
        shown.state = address_state(key);
        const auto at = addresses_.find(key);
        if (shown.state == "absent" && at != addresses_.end() && now_ < at->second.not_before) shown.state = "refused";
    }
    return result;
}

/// Not there, and not just being put back.
bool Engine::is_lost(const model::StaticAddress& address) const {
    const auto* const link = kernel_.link(address.interface);
    if (stopping_ || !link || !link->admin_up) return !stopping_;
    const AddressKey key{link->index, address.prefix()};
    const auto at = addresses_.find(key);
    return !kernel_.address(key) && at != addresses_.end() && !at->second.operation && now_ < at->second.not_before;
}

} // namespace holdfast::engine
