// What the operator wants balanced: virtual servers, their pools of real servers, and the kernel's own options (ip_vs(9)
// has none; linux/ip_vs.h and ipvsadm(8) are the reference). A finished value: names resolved, ranges expanded, defaults set.
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"
#include "model/check.hpp"
#include "model/notify.hpp"
#include "model/origin.hpp"
#include "model/upstream.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::model {

enum class Protocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 };
std::string_view name(Protocol);

/// What the kernel knows a service by: an address, port and protocol, or a firewall mark.
struct ServiceKey {
    Family family{};
    std::uint32_t mark{0}; ///< 0: none, and the three below say it
    Protocol protocol{Protocol::tcp};
    IpAddress address;
    std::uint16_t port{0}; ///< 0: every port
    friend auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
    bool operator==(const ServiceKey&) const = default;
};
/// As the kernel compares them: marks differ by family alone.
ServiceKey kernel_key(const ServiceKey&);
/// "tcp 192.0.2.10:80", "tcp [2001:db8::10]:80", "mark 7 ipv4".
std::string to_string(const ServiceKey&);

enum class TunnelKind : std::uint8_t { ipip = 0, gue = 1, gre = 2 };         // IP_VS_CONN_F_TUNNEL_TYPE_*
enum class TunnelChecksum : std::uint8_t { none = 0, full = 1, remote = 2 }; // IP_VS_TUNNEL_ENCAP_FLAG_*
struct Tunnel {
    TunnelKind kind{TunnelKind::ipip};
    std::uint16_t port{0}; ///< of gue
    TunnelChecksum checksum{TunnelChecksum::none};
    friend auto operator<=>(const Tunnel&, const Tunnel&) = default;
    bool operator==(const Tunnel&) const = default;
};
/// How a packet reaches a real server.
struct Forwarding {
    enum class Method : std::uint8_t { nat = 0, tunnel = 2, dr = 3 }; // IP_VS_CONN_F_FWD_MASK
    Method method{Method::nat};
    Tunnel tunnel{};
    friend auto operator<=>(const Forwarding&, const Forwarding&) = default;
    bool operator==(const Forwarding&) const = default;
};
std::string_view name(Forwarding::Method);

struct RealServer {
    std::string name;
    IpAddress address;
    std::uint16_t port{0}; ///< 0: the service's
    std::uint32_t weight{1};
    Forwarding forwarding;
    std::uint32_t upper_threshold{0}, lower_threshold{0}; ///< connections; 0: none
    bool inhibit_on_failure{false};                       ///< a server that is down stays, with weight 0
    std::string host;                                     ///< the node that it is; empty: none of ours
    std::vector<Check> checks;                            ///< all have to be up
    Words notify_up, notify_down;
    ServerNotify notify;
    Origin origin{Origin::file};
    bool operator==(const RealServer&) const = default;
};

/// When all real servers are down and there is no sorry server.
enum class AllDown : std::uint8_t {
    drop, ///< no server is in the table: clients are refused
    keep, ///< the last ones stay
};

struct VirtualServer {
    std::string name;
    std::vector<ServiceKey>
        services;                    ///< sorted, at least one (an address, a range, a group or a mark); none with nginx
    std::optional<Upstream> nginx{}; ///< instead of the kernel, nginx balances
    Protocol protocol{Protocol::tcp};
    std::string scheduler{"wlc"};
    std::uint32_t scheduler_flags{0};   ///< IP_VS_SVC_F_SCHED1 to 3
    Duration persistence{0};            ///< whole seconds; 0: none
    std::uint8_t persistence_prefix{0}; ///< clients of one network count as one; 0: each on its own
    std::string persistence_engine;     ///< "sip"; empty: none
    bool one_packet{false};
    std::string while_master;               ///< an instance or sync group; empty: programmed always
    Words directors;                        ///< nodes that have it in their table; none: every one
    bool guard{false};                      ///< what another director forwarded is not scheduled here again
    std::uint32_t quorum{1}, hysteresis{0}; ///< of weight
    Words quorum_up, quorum_down;
    ServerNotify notify;                    ///< of the quorum
    std::optional<RealServer> sorry_server; ///< without checks; `inhibit_on_failure`: stays in the table with weight 0
    AllDown all_down{AllDown::drop};
    bool alpha{false};                    ///< a server without a verdict is down
    bool omega{false};                    ///< notify_down and quorum_down run at the daemon's end too
    Duration drain_timeout{0};            ///< a server that leaves keeps its connections so long; 0: it leaves at once
    Duration slow_start{0};               ///< a server that comes up takes so long to its whole weight
    std::vector<RealServer> real_servers; ///< sorted by name
    bool operator==(const VirtualServer&) const = default;
};
bool is_directed_by(const VirtualServer&, const std::string& node);
/// Its packets reach the real server with the service's address.
bool keeps_destination(const RealServer&);
/// The real server is this node, and packets reach it with their destination unchanged.
bool is_on(const RealServer&, const std::string& node);
bool is_served_on(const VirtualServer&, const std::string& node);

} // namespace holdfast::model
