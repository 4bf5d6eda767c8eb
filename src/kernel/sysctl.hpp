// The settings that netlink has no attribute for. Written where /proc/sys can be written; a sandbox that keeps it read-only
// (ProtectKernelTunables=) goes without.
#pragma once

#include "base/id.hpp"
#include "engine/ipvs.hpp"

namespace holdfast::kernel {

/// net.ipv4.vs of this network namespace; empty members where there is no ip_vs or it is hidden.
engine::IpvsReuse read_ipvs_reuse();
/// 0, or the errno of what could not be written.
int set_ipvs_reuse(const engine::IpvsReuse& reuse);

/// net.ipv6.conf.LINK.accept_ra = 0: a macvlan of ours takes no address of its own from a router's advertisement.
void refuse_router_advertisements(LinkIndex link);

} // namespace holdfast::kernel
