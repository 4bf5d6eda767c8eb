// What is counted, by name: the property Counters and the same in Describe(). Pure.
#pragma once

#include "engine/snapshot.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace holdfast::bus {

using CounterList = std::map<std::string, std::uint64_t>;

/// "adverts_sent", ..., "rejected_checksum", ...
CounterList counters(const engine::Counters&);
/// "runs", ..., "run_time_10ms", ...
CounterList counters(const engine::TrackerView&);
/// As last read from the kernel. `listed` may be null: all are 0.
CounterList counters(const engine::VirtualServerView&, const engine::IpvsListed* listed);
CounterList counters(const engine::RealServerView&, const engine::IpvsListed* listed);

} // namespace holdfast::bus
