// A link as the kernel describes it (rtnetlink(7), RTM_NEWLINK), with what a macvlan or ipvlan of ours needs to be known for:
// whose it is, what it hangs on, and how it is set. Ours is what carries our tag as its group (IFLA_GROUP), because a link has
// it from the moment it exists.
#pragma once

#include "base/id.hpp"
#include "base/ip.hpp"
#include "model/ipvlan.hpp"

#include <optional>
#include <string>

namespace holdfast::engine {

/// How a link asks and answers by ARP (net.ipv4.conf.LINK).
struct ArpSettings {
    std::uint8_t arp_ignore{0}, arp_filter{0}, arp_announce{0};
    bool operator==(const ArpSettings&) const = default;
};
/// net.ipv4.conf.LINK, as far as a virtual MAC is concerned.
struct Ipv4Settings {
    ArpSettings arp;
    std::uint8_t accept_local{0}, rp_filter{0}, promote_secondaries{0};
    bool operator==(const Ipv4Settings&) const = default;
};

struct Link {
    LinkIndex index{};
    std::string name;
    bool up{false}; ///< administratively up and with carrier (IFF_UP and IFF_LOWER_UP)
    MacAddress mac;
    unsigned mtu{1500};
    bool has_arp{true}; ///< false: nothing is announced on it (IFF_NOARP, loopback)

    bool admin_up{false};                      ///< IFF_UP
    bool ours{false};                          ///< a macvlan or ipvlan with our tag
    std::optional<model::IpvlanMode> ipvlan{}; ///< of ours; nothing: a macvlan
    LinkIndex parent{};                        ///< of ours (IFLA_LINK)
    std::string alias;                         ///< of ours (IFLA_IFALIAS): what the parent's settings were before us
    Ipv4Settings ipv4{};
    std::optional<bool> makes_ipv6_addresses{}; ///< IFLA_INET6_ADDR_GEN_MODE is not `none`; nothing: it has no IPv6
    bool operator==(const Link&) const = default;
};

} // namespace holdfast::engine
