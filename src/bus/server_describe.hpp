// What of virtual servers more than one view shows: counters as last read from the kernel, and JSON. Pure.
#pragma once

#include "engine/snapshot.hpp"

#include <map>
#include <string>
#include <vector>

namespace holdfast::bus {

using CounterList = std::map<std::string, std::uint64_t>;

std::vector<std::string> service_names(const engine::VirtualServerView&);
/// Its address; empty: there is none.
std::string sorry_server(const engine::VirtualServerView&);
/// `listed` may be null: all are 0.
CounterList counters(const engine::VirtualServerView&, const engine::IpvsListed* listed);
CounterList counters(const engine::RealServerView&, const engine::IpvsListed* listed);

std::string describe(const engine::VirtualServerView&, const engine::IpvsListed* listed);
std::string describe(const engine::RealServerView&, const engine::IpvsListed* listed);
/// A JSON array of all, as text.
std::string describe_servers(const engine::Snapshot&);

} // namespace holdfast::bus
