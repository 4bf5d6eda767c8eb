// ICMP echo by an unprivileged socket (icmp(7), net.ipv4.ping_group_range). Each probe has a socket of its own: the kernel
// then tells the answers and the ICMP errors of different probes apart, and source, interface and mark are those of
// every other probe.
#pragma once

#include "prober/talk.hpp"

namespace holdfast::prober {

/// `number` stands in the request and has to come back; nobody else should be able to guess it.
Conversation ping_probe(Family family, std::uint64_t number);

} // namespace holdfast::prober
