// The states of one virtual router (RFC 9568 6.3; Active and Backup there are `master` and `backup` here), each with the
// deadlines that belong to it, so that no timer of another state can exist. The addresses follow from the state:
// holds_addresses().
#pragma once

#include "base/id.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace holdfast::vrrp {

/// Another router's accepted advertisement, reduced to what the election needs.
struct Heard {
    IpAddress from;
    Priority priority{};
    Duration interval{};
    bool operator==(const Heard&) const = default;
};

/// Why a state was entered; the code stands on the bus and in the journal.
enum class Reason : std::uint8_t {
    starting,        ///< not begun yet, or stopped
    ready,           ///< link, address and group are there: listening for a master
    owner,           ///< this node owns the addresses
    master_silent,   ///< master-down elapsed without an advert
    master_left,     ///< the master announced priority 0
    preempted,       ///< the master's priority was below ours
    higher_priority, ///< a master of higher order was heard
    leaving,         ///< serving on until the successor is heard
    failover,        ///< handed over on command
    no_successor,    ///< a failover found nobody; serving on
    stopped,         ///< the daemon stops
    fault,           ///< see the faults
    adopted,         ///< mastership of the process before us
    lease_lost,      ///< slept past our own lease while another master took over
    taken_over,      ///< on command
    sync_group,      ///< another member of the sync group moved
};
inline constexpr auto reason_count = std::size_t{std::to_underlying(Reason::sync_group)} + 1; // the last one

/// Not taking part: starting, stopping, or held by `startup_delay`.
struct Init {
    bool operator==(const Init&) const = default;
};

struct Backup {
    Time master_down{};                     ///< when we take over
    Duration master_interval{};             ///< as learnt from the master, ours until then
    std::optional<Heard> master;            ///< whose advert was accepted last in this stay
    bool followed{false};                   ///< its priority was at least ours when it was accepted
    std::optional<Heard> lower_master;      ///< a master below us that we wait to preempt
    std::optional<Time> preempt_at;         ///< end of `preempt_delay`
    Reason takeover{Reason::master_silent}; ///< what the next takeover will be due to
    bool preempting{false};                 ///< `preempt_delay` is over and pulled master_down forward
    bool prompted{false};                   ///< prompt takeover was used since the last accepted advert
    bool adopting{false};                   ///< a dead process of ours was master: the addresses are held already
    bool operator==(const Backup&) const = default;
};

struct Master {
    Time next_advert{};
    Time extra_allowed{};            ///< replies and priority falls: one extra advert per quarter interval
    Time announce_allowed{};         ///< one burst a second in answer to adverts
    bool announce_owed{false};       ///< the burst to send when it is allowed again
    Time announce_again{never};      ///< the second burst that follows each such answer (`announce_lower_delay`)
    std::optional<Heard> challenger; ///< the last router heard below us
    bool operator==(const Master&) const = default;
};

enum class LeaveCause : std::uint8_t { failover, stop, fault, group };

/// Priority 0 was sent; the addresses are served until the successor has them (PROTOCOL.md, "Leaving").
struct Leaving {
    LeaveCause cause{LeaveCause::stop};
    Time deadline{};
    Time release{never}; ///< set when the successor is heard
    std::optional<Heard> successor;
    /// A failover of a sync group: nobody finishes before every member has heard its successor.
    bool waits_for_partners{false};
    bool operator==(const Leaving&) const = default;
};

/// Cannot take part; engine/ keeps the named causes.
struct Fault {
    bool operator==(const Fault&) const = default;
};

using State = std::variant<Init, Backup, Master, Leaving, Fault>;
/// Each by its own name, as the counters of edges have them.
inline constexpr std::array<std::string_view, std::variant_size_v<State>> state_names{"init", "backup", "master",
                                                                                      "leaving", "fault"};

/// The addresses belong in the kernel.
bool holds_addresses(const State&);
/// Serving as master for the outside: master or leaving.
bool serves(const State&);
/// When the state wants to be woken, or `never`.
Time next_deadline(const State&);

/// "init" (also for the moment of adoption), "backup", "master" (also while leaving), "fault".
std::string_view name(const State&);
/// "master_silent"
std::string_view name(Reason);
/// "the master fell silent"
std::string_view explain(Reason);

} // namespace holdfast::vrrp
