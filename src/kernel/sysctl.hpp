// The one setting that rtnetlink has no attribute for. Written where /proc/sys can be written; a sandbox that keeps it read-only
// (ProtectKernelTunables=) goes without.
#pragma once

#include "base/id.hpp"

namespace holdfast::kernel {

/// net.ipv6.conf.LINK.accept_ra = 0: a macvlan of ours takes no address of its own from a router's advertisement.
void refuse_router_advertisements(LinkIndex link);

} // namespace holdfast::kernel
