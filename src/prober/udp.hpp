// UDP: a datagram is answered as it should be, or at least not refused by ICMP.
#pragma once

#include "prober/talk.hpp"

namespace holdfast::prober {

/// Of a reply of `size` bytes, of which `bytes` are the first.
Outcome udp_reply(const model::UdpCheck& check, ByteView bytes, std::size_t size);

/// `check` outlives the probe.
Conversation udp_probe(const model::UdpCheck& check);

} // namespace holdfast::prober
