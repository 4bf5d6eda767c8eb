// The kernel's load balancer as values: what is asked of it, and what it says is there (net/netfilter/ipvs/ip_vs_ctl.c,
// linux/ip_vs.h). Nothing here knows of pools or health.
#pragma once

#include "base/id.hpp"
#include "model/server.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::engine {

/// What people choose of IP_VS_SVC_F_*: _PERSISTENT, _ONEPACKET and _SCHED1 to 3. The others (_HASHED) are the kernel's own:
/// never asked for, never told.
inline constexpr std::uint32_t ipvs_persistent = 0x01, ipvs_one_packet = 0x04, ipvs_service_flags = 0x3d;

/// A service as the kernel holds it.
struct IpvsService {
    model::ServiceKey key; ///< of a mark: the other three as they are in a default ServiceKey
    std::string scheduler;
    std::uint32_t flags{0};        ///< of ipvs_service_flags
    std::uint32_t timeout{0};      ///< of persistence, seconds
    std::uint8_t prefix_length{0}; ///< of persistence: 32 or 128 when each client counts on its own
    std::string engine;            ///< of persistence; empty: none
    bool operator==(const IpvsService&) const = default;
};

/// Where a destination is, which is what the kernel knows it by within its service.
struct IpvsEndpoint {
    IpAddress address;
    std::uint16_t port{0}; ///< host order; of DR and tunnels the service's
    friend auto operator<=>(const IpvsEndpoint&, const IpvsEndpoint&) = default;
    bool operator==(const IpvsEndpoint&) const = default;
};
struct IpvsDestination {
    IpvsEndpoint at;
    model::Forwarding forwarding; ///< the kernel says `local` (IP_VS_CONN_F_LOCALNODE) as dr
    std::uint32_t weight{0};
    std::uint32_t upper_threshold{0}, lower_threshold{0};
    bool operator==(const IpvsDestination&) const = default;
};

/// Read back, for people. Counters and rates of struct ip_vs_stats64 / ip_vs_kstats.
struct IpvsStatistics {
    std::uint64_t connections{0}, packets_in{0}, packets_out{0}, bytes_in{0}, bytes_out{0};
    std::uint64_t connection_rate{0}, packet_rate_in{0}, packet_rate_out{0}, byte_rate_in{0},
        byte_rate_out{0}; ///< a second
    bool operator==(const IpvsStatistics&) const = default;
};
struct IpvsListedDestination {
    IpvsDestination destination;
    std::uint32_t active{0}, inactive{0}, persistent{0}; ///< connections
    IpvsStatistics statistics;
};
struct IpvsListedService {
    IpvsService service;
    std::vector<IpvsListedDestination> destinations;
    IpvsStatistics statistics;
};

/// The connection synchronisation daemon; the kernel runs one of each role at most. Asked for, 0 and nothing are the kernel's
/// defaults; told, they are what these are: compare only what was asked for.
struct IpvsSync {
    enum class Role : std::uint8_t { master = 1, backup = 2 }; // IP_VS_STATE_*
    Role role{};
    std::string interface;
    std::uint8_t id{0};
    std::uint16_t max_length{0};    ///< of a message; 0: the kernel's default
    std::uint16_t port{0};          ///< 0: 8848
    std::uint8_t ttl{0};            ///< 0: 1
    std::optional<IpAddress> group; ///< nothing: 224.0.0.81
    bool operator==(const IpvsSync&) const = default;
};
/// Of connections, in seconds; 0: as it is.
struct IpvsTimeouts {
    std::uint32_t tcp{0}, tcp_fin{0}, udp{0};
    bool operator==(const IpvsTimeouts&) const = default;
};

/// net.ipv4.vs.expire_nodest_conn and conn_reuse_mode, of this network namespace (Documentation/networking/ipvs-sysctl.rst);
/// nothing: can't be read, or is not to be set.
struct IpvsReuse {
    std::optional<std::uint32_t> expire_nodest, mode;
    bool operator==(const IpvsReuse&) const = default;
};

// ---- what is asked ------------------------------------------------------------------------------------------------------
/// EEXIST is told; `edit`: it is there and changed in place, ESRCH is told (of a destination ENOENT). A scheduler or engine of
/// persistence that the kernel lacks is ENOENT.
struct PutService {
    IpvsService service;
    bool edit{false};
};
/// With all its destinations.
struct RemoveService {
    model::ServiceKey key;
};
struct PutDestination {
    model::ServiceKey service;
    IpvsDestination destination;
    bool edit{false};
};
struct RemoveDestination {
    model::ServiceKey service;
    IpvsEndpoint at;
};
struct StartSync {
    IpvsSync sync;
};
struct StopSync {
    IpvsSync sync;
};
struct SetTimeouts {
    IpvsTimeouts timeouts;
};
/// EROFS where /proc/sys can't be written.
struct SetReuse {
    IpvsReuse reuse;
};
using IpvsStep = std::variant<PutService, RemoveService, PutDestination, RemoveDestination, StartSync, StopSync,
                              SetTimeouts, SetReuse>;

/// Names one batch until its answer.
using IpvsBatchId = Id<struct IpvsBatchTag, std::uint64_t>;

/// Done in order, all of it, whatever fails on the way; answered by IpvsDone.
struct ProgramIpvs {
    IpvsBatchId id{};
    std::vector<IpvsStep> steps;
};
/// The whole table; answered by IpvsListed.
struct ListIpvs {
    /// The services alone, and the rest only when they are others than in the last list, or when steps were taken since.
    /// Answered by nothing but that when they are not.
    bool glance{false};
};

// ---- what is answered -----------------------------------------------------------------------------------------------
/// The errnos are the kernel's, but for ENOBUFS: its answer was lost, only a list tells. All with ENOENT or EPERM: as in
/// IpvsListed.
struct IpvsDone {
    IpvsBatchId id{};
    std::vector<std::pair<std::uint32_t, int>> failed{}; ///< index of the step and errno, ascending
};
struct IpvsListed {
    std::vector<IpvsListedService> services{}; ///< sorted by key; destinations sorted by endpoint
    std::vector<IpvsSync> sync{};
    IpvsTimeouts timeouts{};
    IpvsReuse reuse{};
    /// errno, and then nothing else; ENOENT: there is no ip_vs in this kernel; EPERM: not for us; EINTR: it changed all the time.
    int error{0};
};

} // namespace holdfast::engine
