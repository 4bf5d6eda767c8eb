// What of virtual servers more than one view shows, and their JSON. Pure.
#pragma once

#include "engine/snapshot.hpp"

#include <string>
#include <vector>

namespace holdfast::bus {

/// "ipvs" or "nginx".
std::string kind_name(const engine::VirtualServerView&);
/// Of ip_vs, or nginx's way to balance.
std::string scheduler(const engine::VirtualServerView&);
/// "tcp 192.0.2.10:80", ...; of nginx its upstream's file: "nginx web.conf".
std::vector<std::string> service_names(const engine::VirtualServerView&);
/// Its address; empty: there is none.
std::string sorry_server(const engine::VirtualServerView&);
/// `listed`, of the kernel, may be null: its counters are all 0 then.
std::string describe(const engine::VirtualServerView&, const engine::IpvsListed* listed);
std::string describe(const engine::RealServerView&, const engine::IpvsListed* listed);

} // namespace holdfast::bus
