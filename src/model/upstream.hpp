// An `upstream` block of nginx (ngx_http_upstream_module) that a virtual server fills instead of the kernel's table: what is
// asked for, and who stands in it.
#pragma once

#include "base/ip.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::model {

struct Upstream {
    enum class Balance : std::uint8_t { round_robin, least_conn, ip_hash, random };
    std::string file;                  ///< its name in the daemon's directory of upstreams, without one
    std::string unit{"nginx.service"}; ///< whose reload by systemd makes nginx read it
    std::string pid_file; ///< absolute: the master process is told by a signal, not by systemd; empty: by systemd
    Balance balance{Balance::round_robin};
    std::uint32_t keepalive{0}; ///< idle connections that each worker keeps; 0: none
    bool operator==(const Upstream&) const = default;

    /// Which nginx it is: what is reloaded once for all its upstreams.
    const std::string& nginx() const { return pid_file.empty() ? unit : pid_file; }
};

/// As nginx and the file write it.
constexpr std::string_view name(Upstream::Balance balance) {
    switch (balance) {
    case Upstream::Balance::round_robin: return "round_robin";
    case Upstream::Balance::least_conn: return "least_conn";
    case Upstream::Balance::ip_hash: return "ip_hash";
    case Upstream::Balance::random: return "random";
    }
    return {};
}

struct UpstreamPeer {
    std::string name; ///< the real server's
    IpAddress address;
    std::uint16_t port{0};
    std::uint32_t weight{0};           ///< 0: down
    std::uint32_t most_connections{0}; ///< 0: no limit
    bool backup{false};
    bool operator==(const UpstreamPeer&) const = default;
};

} // namespace holdfast::model
