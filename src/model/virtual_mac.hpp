// A virtual router with a MAC address of its own (RFC 9568 7.3), so that it moves between hosts without any client learning
// anew. The addresses live on a macvlan of the instance's interface, which is up only while this node holds them.
#pragma once

#include "base/id.hpp"
#include "base/ip.hpp"

#include <optional>
#include <string>

namespace holdfast::model {

/// Which MAC address the adverts leave from.
enum class AdvertsFrom : std::uint8_t { virtual_mac, parent };

struct VirtualMac {
    std::string interface; ///< of the macvlan; empty: vrrp.VRID, or vrrp6.VRID for IPv6
    AdvertsFrom adverts_from{AdvertsFrom::virtual_mac};
    std::optional<MacAddress> address; ///< nothing: the RFC's, 00:00:5e:00:01:VRID, or :02:VRID for IPv6
    bool operator==(const VirtualMac&) const = default;
};

/// 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6.
MacAddress vrrp_mac(Family, Vrid);
/// "vrrp.51", "vrrp6.51": of the interface that is made for a router, whatever its kind.
std::string default_own_link(Family, Vrid);

} // namespace holdfast::model
