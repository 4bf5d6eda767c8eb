// What the operator wants watched. A tracker knows nothing of instances: they name it in `track:`.
#pragma once

#include "base/time.hpp"
#include "model/bfd.hpp"
#include "model/route.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace holdfast::model {

/// A program and its arguments, as given to execve(2): no shell reads them.
using Words = std::vector<std::string>;

/// The link exists, is up and has a carrier; when its driver is asked, it has to see one too. A change counts when it has lasted for the delay.
struct InterfaceTracker {
    std::string interface;
    Duration up_delay{0}, down_delay{0};
    Duration poll{0}; ///< how often its driver is asked too, for one that does not tell the kernel; 0: never
    bool operator==(const InterfaceTracker&) const = default;
};
/// How a process's words are compared with the wanted ones.
enum class Match : std::uint8_t {
    exact,   ///< the same, and no more
    initial, ///< these come first, others may follow
    partial, ///< as `initial`, and of the last one only its beginning is given
};
/// At least `quorum` and at most `quorum_max` matching processes run in our network namespace. They match by name
/// (/proc/PID/comm, proc(5)) and, if given, `arguments`; or by their whole command line, the program included.
struct ProcessTracker {
    std::string process;
    unsigned quorum{1};
    std::optional<unsigned> quorum_max; ///< nothing: no limit; 0: none may run, and `quorum` has no meaning
    Words arguments, command;           ///< compared by `match`; empty: not compared
    Match match{Match::exact};
    Duration fork_delay{0}, terminate_delay{0}; ///< how long enough, and too few or too many, have to last
    bool operator==(const ProcessTracker&) const = default;
};
/// The systemd unit is active (ActiveState of org.freedesktop.systemd1.Unit).
struct UnitTracker {
    std::string unit;
    Duration restart{0}; ///< a unit that failed is restarted once and has so long to be active again; 0: never
    bool operator==(const UnitTracker&) const = default;
};
/// A GET on a loopback address answers with a status of 200 to 299.
struct HttpTracker {
    std::string url;
    bool operator==(const HttpTracker&) const = default;
};
/// A connection can be made.
struct TcpTracker {
    std::string address; ///< "192.0.2.1:80", "[2001:db8::1]:80"
    bool operator==(const TcpTracker&) const = default;
};
/// The program ends with status 0 within the timeout.
struct ScriptTracker {
    Words script;
    std::string user; ///< empty: whom the runner runs as
    bool operator==(const ScriptTracker&) const = default;
};
/// A number in a text file: 0 is up; multiplied with a use's weight otherwise.
struct FileTracker {
    std::string file;
    std::int32_t init{0}; ///< what a missing file counts as
    bool operator==(const FileTracker&) const = default;
};

/// Such a route is in the kernel's table, whoever made it.
struct RouteTracker {
    Prefix route;
    std::uint32_t table{table_main};
    std::string interface;        ///< empty: any
    std::optional<IpAddress> via; ///< nothing: any
    bool operator==(const RouteTracker&) const = default;
};

/// The virtual server has its quorum.
struct ServerTracker {
    std::string server;
    bool operator==(const ServerTracker&) const = default;
};

using TrackerKind = std::variant<InterfaceTracker, ProcessTracker, UnitTracker, HttpTracker, TcpTracker, ScriptTracker,
                                 FileTracker, BfdTracker, RouteTracker, ServerTracker>;

struct Tracker {
    std::string name;
    TrackerKind kind;
    Duration interval{1s};
    Duration timeout{0};   ///< of one probe; config/ sets it to `interval` when the file leaves it out
    unsigned rise{1};      ///< observations in a row that make it up, 1 to 1000
    unsigned fall{1};      ///< observations in a row that make it down, 1 to 1000
    bool init_fail{false}; ///< down until the first good observation, instead of pending
    bool operator==(const Tracker&) const = default;
};

/// "interface", "process", "unit", "http", "tcp", "script", "file", "bfd", "route", "virtual_server".
std::string_view kind_name(const TrackerKind&);
/// What is watched: the interface, process, command, unit, URL, address, file, neighbor or virtual server.
std::string target(const TrackerKind&);

/// How long a change must last before it counts.
struct Delays {
    Duration up{0}, down{0};
};
Delays delays(const TrackerKind&);

} // namespace holdfast::model
