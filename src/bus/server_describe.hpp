// What of virtual servers more than one view shows: counters as last read from the kernel, and JSON. Pure.
#pragma once

#include "engine/snapshot.hpp"

#include <map>
#include <string>
#include <vector>

namespace holdfast::bus {

using CounterList = std::map<std::string, std::uint64_t>;

/// "ipvs" or "nginx".
std::string kind_name(const engine::VirtualServerView&);
/// Of ip_vs, or nginx's way to balance.
std::string scheduler(const engine::VirtualServerView&);
/// "tcp 192.0.2.10:80", ...; of nginx its upstream's file: "nginx web.conf".
std::vector<std::string> service_names(const engine::VirtualServerView&);
/// Its address; empty: there is none.
std::string sorry_server(const engine::VirtualServerView&);
/// `listed` may be null: all are 0.
CounterList counters(const engine::VirtualServerView&, const engine::IpvsListed* listed);
CounterList counters(const engine::RealServerView&, const engine::IpvsListed* listed);

std::string describe(const engine::VirtualServerView&, const engine::IpvsListed* listed);
std::string describe(const engine::RealServerView&, const engine::IpvsListed* listed);

} // namespace holdfast::bus
