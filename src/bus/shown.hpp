// What the views show at this moment: the newest snapshot, the facts around it, and where the process stands.
#pragma once

#include "bus/messages.hpp"

#include <memory>
#include <string_view>

namespace holdfast::bus {

struct Shown {
    std::shared_ptr<const engine::Snapshot> snapshot; ///< never null
    std::shared_ptr<const NodeFacts> facts;           ///< never null
    bool ready{false}, reloading{false};
};

struct Census {
    std::uint32_t instances{}, masters{}, faults{};
    bool operator==(const Census&) const = default;
};
Census count(const engine::Snapshot&);

/// "starting" "running" "degraded" "reloading" "stopping"
std::string_view node_state(const Shown&);

/// Null when there is none of this name. Instances are sorted by name, trackers too.
std::shared_ptr<const engine::InstanceView> find_instance(const engine::Snapshot&, std::string_view name);
std::shared_ptr<const engine::GroupView> find_group(const engine::Snapshot&, std::string_view name);
std::shared_ptr<const engine::VirtualServerView> find_server(const engine::Snapshot&, std::string_view name);
std::shared_ptr<const engine::TrackerView> find_tracker(const engine::Snapshot&, std::string_view name);

/// The active router as far as this node knows: itself, a peer, or an invalid address (priority 0).
struct ActiveRouter {
    std::string address;
    Priority priority{};
    Time last_seen{};
    bool itself{false};
};
ActiveRouter active_router(const engine::InstanceView&);

} // namespace holdfast::bus
