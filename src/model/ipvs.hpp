// What the operator asks of the kernel's load balancer as a whole: connections kept in step between two directors, and how long
// the kernel remembers them (ipvsadm(8), --start-daemon and --set).
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::model {

/// Connections are multicast from the master to the others, which know them when they take over.
struct ConnectionSync {
    std::string interface;
    std::string
        while_master; ///< sends while this instance or sync group is master here, else listens; empty: does both always
    std::uint8_t id{0}; ///< only the same id is listened to
    std::uint16_t port{8848};
    std::uint8_t ttl{1};
    std::optional<IpAddress> group; ///< nothing: 224.0.0.81
    std::uint16_t max_length{0};    ///< bytes of a message; 0: what the interface's MTU allows
    bool operator==(const ConnectionSync&) const = default;
};

/// Of connections that are silent; 0s: as the kernel has it.
struct ConnectionTimeouts {
    Duration tcp{0}, tcp_fin{0}, udp{0};
    bool operator==(const ConnectionTimeouts&) const = default;
};

/// What becomes of the real server's role (role.hpp) when the daemon is stopped.
enum class AtStop : std::uint8_t {
    keep, ///< it stays: another director goes on sending clients here
    end,  ///< it goes, and everything is as it was before
};

struct Ipvs {
    std::optional<ConnectionSync> sync;
    ConnectionTimeouts timeouts;
    AtStop role_at_stop{AtStop::keep};
    std::optional<bool> forget_stale; ///< nothing: where this host directs and serves
    bool operator==(const Ipvs&) const = default;
};

} // namespace holdfast::model
