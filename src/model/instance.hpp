// What the operator asked of one virtual router: finished values, every default here and nowhere else. A YAML object with
// addresses of both families is two of these, `web/ipv4` and `web/ipv6` (config/ splits it).
#pragma once

#include "base/id.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"
#include "model/address.hpp"
#include "model/announce.hpp"
#include "model/authentication.hpp"
#include "model/ipvlan.hpp"
#include "model/notify.hpp"
#include "model/route.hpp"
#include "model/virtual_mac.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::model {

enum class Version : std::uint8_t { v2 = 2, v3 = 3 };

/// What a failing tracker does to an instance.
struct TrackUse {
    std::string tracker;
    /// Added to the priority: a positive weight while the tracker is up, a negative one while it is down
    /// (-253 to 253, not 0); of a file tracker the number in the file times the weight. Nothing: a failing tracker is a
    /// fault.
    std::optional<int> weight{};
    bool reverse{false}; ///< the weight is subtracted; without weight: an *up* tracker is a fault
    bool operator==(const TrackUse&) const = default;
};

/// Another host of the router, where adverts go by unicast.
struct UnicastPeer {
    IpAddress address;
    std::uint8_t min_ttl{1}, max_ttl{255}; ///< of what it sends, as it arrives here
    bool operator==(const UnicastPeer&) const = default;
};
struct Unicast {
    std::vector<UnicastPeer> peers; ///< of the instance's family; this host's own address among them is ignored
    std::uint8_t ttl{255};          ///< of what we send
    bool check_source{true};        ///< drop what is not from a peer
    bool operator==(const Unicast&) const = default;
};

/// What the checksum of a version 3 advert over IPv4 covers, when we send. Both are accepted.
enum class Checksum : std::uint8_t { pseudo_header, message };

/// How long the kernel keeps an address that nobody renews (PROTOCOL.md, "The lease").
struct Lease {
    bool on{true};
    bool operator==(const Lease&) const = default;
};

struct Instance {
    std::string name; ///< of the object: `web`, or `web/ipv4` and `web/ipv6` for a pair
    std::string interface;
    Family family{Family::ipv4};
    Vrid vrid{};
    Version version{Version::v3};
    Priority priority{100}; ///< 255: this node owns the addresses (RFC 9568 1.6)
    /// v3: 10 ms to 40.95 s in steps of 10 ms; v2: whole seconds, 1 to 255 s.
    Duration advert_interval{1s};
    bool preempt{true};
    Duration preempt_delay{0};
    bool prompt{true}; ///< prompt takeover (PROTOCOL.md)
    bool accept{true};
    bool track_link{true};          ///< the interface's being down is a fault
    Duration startup_delay{0};      ///< after start and after each link-up
    Duration boot_delay{0};         ///< after the host's boot (CLOCK_MONOTONIC)
    Duration handover_timeout{3s};  ///< the most that leaving may take; 0: addresses go at once
    Duration announce_refresh{30s}; ///< gratuitous ARP or NA while master; 0: never
    unsigned announce_refresh_repeat{1};
    Duration announce_delay{0};        ///< one more burst that long after a takeover; 0: none
    unsigned announce_repeat{1};       ///< of each address in that burst
    Duration announce_lower_delay{0};  ///< one more burst that long after the answer to a lower advert; 0: none
    unsigned announce_lower_repeat{1}; ///< of each address in either
    Duration announce_interval{0};     ///< the least time between two announcements on an interface
    OtherLinks announce_other_links;
    Lease lease{};
    std::optional<Unicast> unicast;  ///< nothing: multicast
    std::optional<IpAddress> source; ///< where adverts come from; nothing: the interface's primary address
    IpAddress multicast_group4{vrrp_group(Family::ipv4)}, multicast_group6{vrrp_group(Family::ipv6)};
    Checksum checksum{Checksum::pseudo_header};
    unsigned down_adverts{3}; ///< adverts that a standby misses before it takes over, 1 to 100; RFC 9568 6.1 has 3
    std::optional<Authentication> authentication; ///< pass: version 2 only; ah: version 2 over IPv4 only
    /// In the packet's order: the file's, IPv6 link-local ones first (RFC 9568 5.2.9). All of `family`, at most 255.
    std::vector<VirtualAddress> addresses;
    std::vector<VirtualAddress> excluded_addresses; ///< taken along, but not in the advert; of any family
    std::vector<Route> routes; ///< in the kernel while the addresses are: added behind them, removed before
    std::vector<Rule> rules;   ///< likewise
    std::vector<TrackUse> track;
    Notify notify;
    std::optional<VirtualMac> virtual_mac; ///< nothing: the addresses are at the interface's own MAC address
    std::optional<Ipvlan> ipvlan;          ///< never beside virtual_mac

    bool is_owner() const { return priority == owner_priority; }
    /// Where its adverts go when they go by multicast. Another group is another virtual router, whatever its VRID.
    const IpAddress& group() const { return family == Family::ipv4 ? multicast_group4 : multicast_group6; }
    /// Its addresses live on an interface that is made for it.
    bool has_own_link() const { return virtual_mac || ipvlan; }
    /// Where the addresses live: on the macvlan of the virtual MAC, on the ipvlan, else on the interface itself.
    std::string address_interface() const;
    /// What clients find the addresses at; nothing: at the interface's own.
    std::optional<MacAddress> address_mac() const;
    /// The Ethernet source of adverts; nothing: the interface's own.
    std::optional<MacAddress> advert_mac() const;
    bool operator==(const Instance&) const = default;
};

/// The YAML object an instance comes from: `web` for `web/ipv4`. Commands take this name for both.
std::string object_name(const std::string& instance_name);

} // namespace holdfast::model
