// plan(observed, desired) for the macvlan of a virtual MAC, or for an ipvlan: which kernel operation brings it one step nearer
// to what a router wants. Start, takeover, reload and crash recovery all come through here. A link without our tag is never
// touched.
#pragma once

#include "engine/link.hpp"
#include "engine/plan.hpp"

#include <optional>
#include <string>

namespace holdfast::engine {

/// What a router wants its macvlan or ipvlan to be.
struct DesiredLink {
    std::string name;
    LinkIndex parent{};
    MacAddress mac; ///< of a macvlan
    std::optional<model::IpvlanMode> ipvlan{};
    std::string alias;
    bool up{false}; ///< the router holds its addresses: only then may a frame leave from its MAC address
};

/// Of every one of them. It answers ARP for its own addresses alone, and asks in no other name. rp_filter 2 (loose) holds whatever net.ipv4.conf.all says:
/// requests come in by the macvlan, but the route back leads over the parent, which the strict filter (1) takes for forged.
inline constexpr Ipv4Settings macvlan_settings{.arp = {.arp_ignore = 1, .arp_filter = 0, .arp_announce = 2},
                                               .accept_local = 1,
                                               .rp_filter = 2,
                                               .promote_secondaries = 1};

/// Nothing to do gives nothing.
std::optional<OperationBody> plan(const Link* observed, const std::optional<DesiredLink>& desired);

/// The same interface: ours, of this kind, on this parent, with this MAC address.
bool is_same(const Link& observed, const DesiredLink&);
bool is_configured(const Link& observed, const DesiredLink&);

/// What the interface under a macvlan has to be set to, so that clients hear of no other MAC address than the virtual one: it
/// neither answers for the addresses (arp_ignore) nor asks in their name when it sends their packets (arp_announce).
ArpSettings parent_settings(const ArpSettings& before);

/// The same of an interface where clients ask for an address that this host only has on `lo`, and another host answers for.
ArpSettings role_settings(const ArpSettings& before);

/// What the parent had before its first macvlan of ours stands in the alias of each of them, so that it outlives the process:
/// "holdfast: eth0 had arp_ignore=0 arp_filter=0 arp_announce=0".
std::string to_alias(const std::string& parent, const ArpSettings& before);
std::optional<ArpSettings> read_alias(std::string_view alias);

} // namespace holdfast::engine
