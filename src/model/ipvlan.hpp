// An interface of the virtual router's own with the MAC address of the one under it: where a switch or a cloud takes frames of
// one MAC address only. The kernel tells its packets from the interface's own by the IP address (ipvlan, layer 2).
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::model {

/// Which ipvlans of one interface reach each other without leaving the host. All of an interface have the same.
enum class IpvlanMode : std::uint8_t {
    bridge,   ///< all
    private_, ///< none
    vepa,     ///< none, but for a switch that sends frames back
};

struct Ipvlan {
    std::string interface; ///< of the ipvlan; empty: vrrp.VRID, or vrrp6.VRID for IPv6
    IpvlanMode mode{IpvlanMode::bridge};
    bool operator==(const Ipvlan&) const = default;
};

} // namespace holdfast::model
