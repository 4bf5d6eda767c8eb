// What the engine remembers of each thing that it programs or listens on: what is in flight, what was refused, when it may be
// tried again. What is wanted follows from the routers and is not kept here.
#pragma once

#include "engine/action.hpp"
#include "engine/event.hpp"
#include "engine/link_plan.hpp"
#include "engine/restore_pace.hpp"
#include "engine/static_address.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace holdfast::engine {

/// An address of the daemon's own, or of the real server's role.
using StaticWish = std::shared_ptr<const StaticClaim>;

/// An address on a link, of a router unless it is fixed.
struct AddressSlot {
    std::uint32_t router{}; ///< its slot, with has_router
    bool has_router{false};
    bool excluded{false};
    std::uint32_t item{};                 ///< in the router's model, in `addresses` or `excluded_addresses`
    bool counted{false};                  ///< its operation is one of bulk_in_flight_
    bool dropped{false};                  ///< while claims are exchanged: it had a router
    bool there{false};                    ///< the router counted it
    Time add_after{};                     ///< another host had it: not before
    std::optional<OperationId> operation; ///< in flight
    bool adding{false}, removing{false};  ///< what is in flight
    bool gone_meanwhile{false};           ///< a deletion was told while it was
    Time issued{};
    std::optional<Duration> issued_lease;
    Time renew_at{never};
    Time release_at{never}; ///< the successor announced it: served a moment longer, for what is in flight
    bool announce_on_confirm{false};
    Time not_before{}; ///< back-off when somebody keeps deleting it
    RestorePace restores;
    StaticWish fixed{}; ///< nothing: it is a router's, or nobody's
};

/// The sockets of a link and family.
struct Listener {
    enum class State : std::uint8_t { asked, open, failed } state{State::asked};
    int error{0};
    Time retry_at{never};
    unsigned users{0};
    VridSet vrids; ///< as the sockets were told
    std::vector<IpAddress> groups;
};

/// A macvlan or ipvlan of ours, by name.
struct LinkSlot {
    std::optional<OperationId> operation; ///< in flight
    std::optional<OperationBody> waiting; ///< the step that is not tried again before not_before
    Time not_before{};
    std::string refused; ///< why the kernel does not let it be
};

/// A step of one of these that is in flight.
struct LinkOperation {
    std::string name; ///< empty: of a parent
    OperationBody body;
};

/// An interface with macvlans of ours on it, or one where clients could ask for an address that is only on `lo`.
struct Parent {
    ArpSettings before;
    std::optional<OperationId> operation;
    bool refused{false};
    bool recorded{false}; ///< how it was before stands in the record
};

/// Why a link must not answer for, or ask in the name of, addresses that it does not have.
enum class Quiet : std::uint8_t { role, macvlan };
using QuietLinks = std::map<LinkIndex, std::set<Quiet>>;

/// Whether secondary addresses survive their primary there (promote_secondaries).
enum class Promote : std::uint8_t { asked, granted, refused };

/// The packet filter's table.
struct FilterSlot {
    std::optional<OperationId> operation;  ///< in flight
    std::vector<IpAddress> asked, applied; ///< sorted
    Guard asked_guard, guard;
    bool left_behind{false};    ///< a process before us had a table
    Time guarded_since{never};  ///< the guard's table is in force; it knew no other director then
    bool director_heard{false}; ///< an advert came since, by which the table learnt its sender
    std::string problem;
    Time not_before{};
};

/// Of the record of a process before us.
struct RecoveredRouter {
    RecordedRouter router;
    Time until{};
};

} // namespace holdfast::engine
