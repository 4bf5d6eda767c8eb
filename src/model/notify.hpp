// Whom an instance or a sync group tells what becomes of it: scripts, a FIFO, units of systemd, and two hooks in the order of its addresses.
#pragma once

#include "base/time.hpp"
#include "model/tracker.hpp"

#include <string>

namespace holdfast::model {

struct Notify {
    /// Run when the state is entered, one at a time, in order. `deleted`: a reload took the instance away. `priority`: the
    /// effective priority changed. `lower_advert`: a master heard a lower one.
    Words master, backup, fault, stop, deleted, priority, lower_advert;
    /// Behind each of these, with keepalived's four arguments: INSTANCE or GROUP, name, state, priority.
    Words all;
    bool mail{false};      ///< as Config::mail says where
    std::string fifo;      ///< a line for each, in keepalived's format
    std::string user;      ///< of all scripts; empty: whom the runner runs as
    Duration timeout{30s}; ///< then SIGTERM, 2 s later SIGKILL
    /// Started when the state is entered, stopped when it is left.
    std::vector<std::string> master_units, backup_units;
    /// Before a leaving node's addresses are removed, after priority 0 was sent; these wait for it, `hook_timeout` at most.
    Words before_removal;
    Words after_adding; ///< when the kernel has all addresses of a new master; nothing waits for it
    Duration hook_timeout{500ms};

    bool wants_priority() const { return !priority.empty(); }
    bool wants_lower_advert() const { return !lower_advert.empty(); }
    bool operator==(const Notify&) const = default;
};

/// Of a virtual server and its real servers, who name their programs one by one.
struct ServerNotify {
    bool mail{false};
    std::string fifo;
    std::string user;      ///< of the programs; empty: whom the runner runs as
    Duration timeout{30s}; ///< of a program; then SIGTERM, 2 s later SIGKILL
    bool operator==(const ServerNotify&) const = default;
};

} // namespace holdfast::model
