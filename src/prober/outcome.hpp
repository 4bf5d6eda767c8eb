// What a driver says of one probe, whatever the protocol.
#pragma once

#include "ipc/message.hpp"

#include <functional>
#include <string>

namespace holdfast::prober {

struct Outcome {
    bool ok{false};
    std::string detail; ///< printable, "status 404"
    Duration latency{0};
    bool our_fault{false}; ///< the probe could not be made (no descriptors, no memory): says nothing about the server
};

/// Called from a driver's `on_socket` and `on_timer`, never from its `start`; it may start and cancel probes.
using Done = std::function<void(ipc::WatchId, const Outcome&)>;

/// The errors of socket(2) that are this host's own.
bool lacks_resources(int error);

} // namespace holdfast::prober
