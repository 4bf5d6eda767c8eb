// diff(old snapshot, new snapshot): which D-Bus properties differ. Only these are signalled; what changes with every
// advert (counters, when a peer was last heard) is no change. Pure.
#pragma once

#include "bus/shown.hpp"

#include <string>
#include <vector>

namespace holdfast::bus {

std::vector<std::string> changed_properties(const engine::InstanceView& before, const engine::InstanceView& after);
std::vector<std::string> changed_properties(const engine::TrackerView& before, const engine::TrackerView& after);
std::vector<std::string> changed_properties(const engine::GroupView& before, const engine::GroupView& after);
std::vector<std::string> changed_properties(const engine::VirtualServerView& before,
                                            const engine::VirtualServerView& after);
std::vector<std::string> changed_properties(const engine::RealServerView& before, const engine::RealServerView& after);
std::vector<std::string> changed_properties(const Shown& before, const Shown& after);

/// False: what D-Bus calls constant differs, so it is another object under the same name.
bool same_object(const engine::InstanceView&, const engine::InstanceView&);
bool same_object(const engine::TrackerView&, const engine::TrackerView&);
bool same_object(const engine::GroupView&, const engine::GroupView&);
bool same_object(const engine::VirtualServerView&, const engine::VirtualServerView&);
bool same_object(const engine::RealServerView&, const engine::RealServerView&);

} // namespace holdfast::bus
