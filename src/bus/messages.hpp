// What the loop and the bus thread say to each other, through one mailbox each way; all of it immutable values. The
// loop never calls sdbus, the journal or sd_notify itself, because each of these can block.
#pragma once

#include "base/fd.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"
#include "engine/snapshot.hpp"
#include "model/server_change.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::bus {

// ---- loop to bus thread
// -------------------------------------------------------------------------------------------------

/// What a Snapshot does not know: the process around the engine.
struct NodeFacts {
    std::string config_path;
    std::string config_hash;                     ///< 16 hex digits
    std::int64_t started_usec{};                 ///< CLOCK_REALTIME
    std::int64_t config_loaded_usec{};           ///< likewise
    std::string last_reload_result{"ok"};        ///< "ok" or "failed"
    std::vector<std::string> last_reload_errors; ///< rendered diagnostics
    std::vector<std::string> missing;            ///< "not real-time: ...", "no journal": one sentence each
    bool operator==(const NodeFacts&) const = default;
};

struct Published {
    std::shared_ptr<const engine::Snapshot> snapshot;
    std::shared_ptr<const NodeFacts> facts;
};
/// A reload has begun (RELOADING=1) or ended; `commands` are the D-Bus calls that wait for it.
struct ReloadBegan {};
struct ReloadEnded {
    std::vector<std::uint64_t> commands;
    bool ok{true};
    std::vector<std::string> problems; ///< rendered diagnostics
};
/// READY=1: configuration read, kernel listed, sockets asked for.
struct Ready {};
struct Heartbeat {}; ///< the loop turns; WATCHDOG=1 follows
struct WatchUnit {
    std::string tracker, unit;
};
struct UnwatchUnit {
    std::string tracker;
};
/// Once; a refusal comes back as an observation of the tracker.
struct RestartUnit {
    std::string tracker, unit;
};
/// Start and stop systemd units with an instance's state; what is refused is said in the journal.
struct MoveUnits {
    std::string object; ///< the instance
    std::vector<std::string> start, stop;
};
/// Ask systemd to reload a unit; answered by UnitReloaded.
struct ReloadUnit {
    std::uint64_t id{};
    std::string unit;
};
/// What became of a MaintenanceRequested; the state itself comes with the Snapshot.
struct MaintenanceAnswered {
    std::uint64_t command{};
    std::string problem; ///< empty: it is done
};
/// What became of a ServerChangeRequested, behind the snapshot that shows it.
struct ServerChanged {
    std::uint64_t command{};
    std::optional<model::ChangeRefusal> refusal; ///< none: it is done
    std::string text;                            ///< what was done, or why not
};
/// For the next process (FDSTORE=1): a descriptor, until it is forgotten or the unit stops.
struct KeepDescriptor {
    std::string name; ///< letters, digits and dashes
    Fd fd;
};
struct ForgetDescriptor {
    std::string name;
};
/// Is it a restart that SIGTERM came for? Answered by OwnJobKnown, always.
struct AskOwnJob {};
struct Quit {}; ///< say STOPPING=1 if not said, flush, end the thread

using ToBus = std::variant<Published, engine::Note, engine::Reply, ReloadBegan, ReloadEnded, Ready, Heartbeat,
                           WatchUnit, UnwatchUnit, RestartUnit, MoveUnits, ReloadUnit, MaintenanceAnswered,
                           ServerChanged, KeepDescriptor, ForgetDescriptor, AskOwnJob, Quit>;

// ---- bus thread to loop
// -------------------------------------------------------------------------------------------------

/// A D-Bus Failover; answered by engine::Reply with its id.
struct CommandReceived {
    engine::Commanded command;
};
/// A command for a real server; answered likewise.
struct ServerCommandReceived {
    engine::ServerCommanded command;
};
/// A D-Bus Reload; answered by ReloadEnded with its id.
struct ReloadRequested {
    std::uint64_t command{};
};
/// A D-Bus SetMaintenance; answered by MaintenanceAnswered.
struct MaintenanceRequested {
    std::uint64_t command{};
    std::optional<std::string> reason; ///< nothing: it is over
};
/// A D-Bus AddServer or RemoveServer; answered by ServerChanged.
struct ServerChangeRequested {
    std::uint64_t command{};
    model::ServerChange change;
};
struct UnitObserved {
    engine::TrackerObserved observed;
};
struct UnitReloaded {
    std::uint64_t id{};
    std::string problem; ///< why not, for people; empty: it has, or does not run
};
struct OwnJobKnown {
    bool restart{false};
};
/// Something that is not there: "no D-Bus: ...". Shown in the status; empty `text` takes it back.
struct Missing {
    std::string what; ///< "bus", "journal", ...
    std::string text;
};

using ToLoop = std::variant<CommandReceived, ServerCommandReceived, ReloadRequested, UnitObserved, UnitReloaded,
                            MaintenanceRequested, ServerChangeRequested, OwnJobKnown, Missing>;

} // namespace holdfast::bus
