#include "engine/link_plan.hpp"

#include <charconv>
#include <fmt/format.h>

namespace holdfast::engine {

bool is_same(const Link& observed, const DesiredLink& desired) {
    return observed.ours && observed.ipvlan == desired.ipvlan && observed.parent == desired.parent &&
           (desired.ipvlan || observed.mac == desired.mac);
}

bool is_configured(const Link& observed, const DesiredLink& desired) {
    return observed.alias == desired.alias && observed.ipv4 == macvlan_settings &&
           !observed.makes_ipv6_addresses.value_or(false);
}

std::optional<OperationBody> plan(const Link* observed, const std::optional<DesiredLink>& desired) {
    if (!desired) {
        if (observed && observed->ours) return RemoveLink{observed->index};
        return std::nullopt;
    }
    if (!observed) return AddLink{desired->name, desired->parent, desired->mac, desired->ipvlan};
    if (!observed->ours) return std::nullopt;
    if (!is_same(*observed, *desired)) return RemoveLink{observed->index};
    // Down comes before everything else: it is what ends a backup's claim.
    if (observed->admin_up && !desired->up) return SetLinkUp{observed->index, false};
    if (!is_configured(*observed, *desired))
        return ConfigureLink{observed->index, desired->alias, macvlan_settings,
                             observed->makes_ipv6_addresses.has_value()};
    if (!observed->admin_up && desired->up) return SetLinkUp{observed->index, true};
    return std::nullopt;
}

ArpSettings parent_settings(const ArpSettings& before) {
    const bool answers_less = before.arp_ignore == 2 || before.arp_ignore == 8;
    return {.arp_ignore = answers_less ? before.arp_ignore : std::uint8_t{1}, .arp_filter = 1, .arp_announce = 2};
}

ArpSettings role_settings(const ArpSettings& before) {
    auto result = parent_settings(before);
    result.arp_filter = before.arp_filter;
    return result;
}

// ---- the alias ------------------------------------------------------------------------------------------------------------

namespace {

/// The number behind `word`, or nothing.
std::optional<std::uint8_t> number_behind(std::string_view text, std::string_view word) {
    const auto at = text.find(word);
    if (at == std::string_view::npos) return std::nullopt;
    const auto* const start = text.data() + at + word.size();
    const auto* const end = text.data() + text.size();
    std::uint8_t value = 0;
    const auto [rest, error] = std::from_chars(start, end, value);
    if (error != std::errc{} || (rest != end && *rest != ' ')) return std::nullopt;
    return value;
}

} // namespace

std::string to_alias(const std::string& parent, const ArpSettings& before) {
    return fmt::format("holdfast: {} had arp_ignore={} arp_filter={} arp_announce={}", parent, before.arp_ignore,
                       before.arp_filter, before.arp_announce);
}

std::optional<ArpSettings> read_alias(std::string_view alias) {
    if (!alias.starts_with("holdfast: ")) return std::nullopt;
    const auto ignore = number_behind(alias, " arp_ignore="), filter = number_behind(alias, " arp_filter="),
               announce = number_behind(alias, " arp_announce=");
    if (!ignore || !filter || !announce) return std::nullopt;
    return ArpSettings{*ignore, *filter, *announce};
}

} // namespace holdfast::engine
