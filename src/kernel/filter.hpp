// The kernel's part of refusing packets: classic BPF programs (bpf(4)) that run before anything wakes us up.
#pragma once

#include "base/fd.hpp"
#include "base/id.hpp"
#include "base/ip.hpp"

namespace holdfast::kernel {

// On false errno says why.

/// An AF_PACKET socket: what other hosts announce of themselves. ARP whose sender address is its target address
/// (RFC 5227 3), or neighbor advertisements.
bool filter_announcements(const Fd&, Family);
/// A raw socket of protocol 112: adverts of these virtual routers. A packet too short to say its VRID passes, to be
/// counted and named.
bool filter_adverts(const Fd&, Family, const VridSet&);
/// A raw socket of protocol 51: authentication headers around adverts of these virtual routers.
bool filter_ah(const Fd&, const VridSet&);

} // namespace holdfast::kernel
