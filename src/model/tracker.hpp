// What the operator wants watched. A tracker knows nothing of instances: they name it in `track:`.
#pragma once

#include "base/time.hpp"
#include "model/bfd.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace holdfast::model {

/// The link exists, is up and has a carrier.
struct InterfaceTracker {
    std::string interface;
    bool operator==(const InterfaceTracker&) const = default;
};
/// At least `quorum` processes of this name (/proc/PID/comm, proc(5)) run in our network namespace.
struct ProcessTracker {
    std::string process;
    unsigned quorum{1};
    bool operator==(const ProcessTracker&) const = default;
};
/// The systemd unit is active (ActiveState of org.freedesktop.systemd1.Unit).
struct UnitTracker {
    std::string unit;
    bool operator==(const UnitTracker&) const = default;
};
/// A GET on a loopback address answers with a status of 200 to 299.
struct HttpTracker {
    std::string url;
    bool operator==(const HttpTracker&) const = default;
};

using TrackerKind = std::variant<InterfaceTracker, ProcessTracker, UnitTracker, HttpTracker, BfdTracker>;

struct Tracker {
    std::string name;
    TrackerKind kind;
    Duration interval{1s};
    Duration timeout{0}; ///< of one probe; config/ sets it to `interval` when the file leaves it out
    unsigned rise{1};    ///< observations in a row that make it up, 1 to 1000
    unsigned fall{1};    ///< observations in a row that make it down, 1 to 1000
    bool operator==(const Tracker&) const = default;
};

/// "interface", "process", "unit", "http", "bfd": the word of the file.
std::string_view kind_name(const TrackerKind&);
/// What is watched: the interface, process, unit, URL or neighbor.
std::string target(const TrackerKind&);

} // namespace holdfast::model
