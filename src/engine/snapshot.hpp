// The one truth that every view shows: D-Bus objects, holdfastctl, JSON, journal and metrics all read a Snapshot and keep
// nothing of their own. Immutable; unchanged parts are shared with the snapshot before, so publishing costs what changed.
#pragma once

#include "check/check.hpp"
#include "engine/histogram.hpp"
#include "engine/ipvs.hpp"
#include "engine/track.hpp"
#include "model/config.hpp"
#include "vrrp/state.hpp"
#include "wire/reject.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::engine {

/// How late an advert left, at most.
inline constexpr std::array<Duration, 5> lateness_bounds{100us, 1ms, 10ms, 100ms, 1s};

/// Monotonic counters of one instance, never reset while it lives.
struct Counters {
    std::uint64_t adverts_sent{}, adverts_received{};
    std::uint64_t priority_zero_sent{}, priority_zero_received{}, priority_zero_ignored{};
    std::uint64_t announcements_sent{};
    std::uint64_t became_master{}, left_master{};
    std::uint64_t addresses_restored{}; ///< deleted by somebody else and put back
    std::uint64_t lease_renewals{};
    std::uint64_t routes_restored{}; ///< and rules
    std::uint64_t intervals_capped{};
    std::array<std::uint64_t, wire::reject_count> rejected{};
    Histogram<lateness_bounds> lateness; ///< of adverts on schedule
    /// State edges, by what was entered (its place in vrrp::State) and why.
    std::array<std::array<std::uint64_t, vrrp::reason_count>, std::variant_size_v<vrrp::State>> entered{};
    bool operator==(const Counters&) const = default;
};

/// A reason why an instance must not serve: a set of these, recomputed from what is known, never counted.
struct FaultCause {
    std::string code; ///< "link_down", "tracker", ...
    std::string text; ///< "eth0 has no carrier"
    bool operator==(const FaultCause&) const = default;
};

struct PeerView {
    IpAddress address;
    Priority priority{};
    std::uint8_t version{};
    Duration interval{};
    Time last_seen{};
    bool stranger{false}; ///< its adverts have none of our addresses
    bool operator==(const PeerView&) const = default;
};

struct AddressView {
    Prefix prefix;
    std::string_view state; ///< "absent" "adding" "assigned" "removing" "foreign" "refused"
    std::string link{};
    bool operator==(const AddressView&) const = default;
};

/// A route or a rule.
struct ExtraView {
    std::string text; ///< as ip(8) writes it
    bool installed{false};
    std::string refused; ///< why it is not
    bool operator==(const ExtraView&) const = default;
};

/// Too many to be shown one by one.
struct ExcludedView {
    std::size_t wanted{0}, assigned{0};
    bool operator==(const ExcludedView&) const = default;
};

struct Contribution {
    std::string tracker;
    int weight{};
    bool operator==(const Contribution&) const = default;
};

/// What the last script of an instance came to.
struct ScriptView {
    std::string what; ///< "master", "all", "before_removal", ...
    bool ok{false};
    std::string detail;
    Duration took{0};
    Time at{};
    bool operator==(const ScriptView&) const = default;
};

struct InstanceView {
    std::shared_ptr<const model::Instance> model;
    std::string state; ///< "init" "backup" "master" "fault"
    std::string reason_code, reason;
    Time since{};
    Priority priority{}; ///< effective
    std::vector<Contribution> contributions;
    std::vector<FaultCause> faults;
    std::vector<AddressView> addresses;
    ExcludedView excluded;
    std::vector<ExtraView> routes, rules;
    std::optional<PeerView> master; ///< the active router, when it is not this node
    std::vector<PeerView> peers;
    std::optional<IpAddress> source; ///< primary address, that adverts come from
    Duration master_down{};          ///< as it holds now, with the learnt interval
    Duration lease{};                ///< in force; 0: none
    Time lease_until{never};         ///< when the kernel may drop the addresses, as they stand
    std::string lease_note;          ///< why there is none
    bool held_back{false};
    std::vector<FaultCause>
        warnings;      ///< what is wrong out there: a second holder, a peer that is set up otherwise, ...
    std::string group; ///< the sync group that it moves with; empty: none
    std::optional<ScriptView> script; ///< that ended last
    Counters counters;
};

struct TrackerView {
    std::shared_ptr<const model::Tracker> model;
    Verdict verdict{};
    bool degraded{false};
    std::string detail;
    std::uint64_t skipped{}; ///< runs of a script left out
    RunTimes runs;
    Time since{};
    std::vector<std::string> users;
};

struct GroupView {
    std::shared_ptr<const model::Group> model;
    std::string_view state; ///< "init" "backup" "master" "fault", of vrrp::name(): the least of its members
    std::string reason_code, reason;
    Priority priority{}; ///< that all members advertise
    Time since{};
    bool operator==(const GroupView&) const = default;
};

enum class TransitionKind : std::uint8_t {
    state,
    priority,     ///< the effective priority changed; only for who asked to be notified of it
    lower_advert, ///< a master heard a lower one; the same, once a second at most
    server,       ///< of a real server, or of a virtual server's quorum
};

/// One state edge, or another thing that somebody is notified of. Numbered without gaps, so a reader that missed some knows how many.
struct Transition {
    std::uint64_t number{};
    std::string instance; ///< or the sync group; of a real server "web-http/lb1", of a virtual server its name
    std::string from, to;
    std::string reason_code, reason;
    Priority priority{};
    Time at{};
    TransitionKind kind{TransitionKind::state};
    bool ended{false};   ///< to init for good: the daemon stops, or it was deleted
    bool deleted{false}; ///< to init because a reload took it away
    // As it was then: one of these.
    std::shared_ptr<const model::Instance> model;
    std::shared_ptr<const model::Group> group;
    std::shared_ptr<const model::VirtualServer> server;
    // Of a server: what is to be run, and who else is told.
    model::Words program{};
    model::ServerNotify told{};

    bool is_group() const { return group != nullptr; }
    bool is_server() const { return server != nullptr; }
    bool is_real_server() const { return is_server() && instance.contains('/'); }
    /// Never of a server.
    const model::Notify& notify() const { return group ? group->notify : model->notify; }
};

struct CheckView {
    std::string kind;
    check::State state;
};
struct RealServerView {
    std::shared_ptr<const model::VirtualServer> server;
    std::shared_ptr<const model::RealServer> model;
    std::string_view state; ///< "pending" "up" "down" "disabled" "draining"
    std::uint32_t weight{}; ///< in the table; 0 also when it is not there
    bool in_table{false};
    std::optional<std::uint32_t> set_weight; ///< by a command, until the next start
    std::vector<CheckView> checks;
    std::string detail; ///< why it is down: of the check that says so
    Time since{};
};
struct VirtualServerView {
    std::shared_ptr<const model::VirtualServer> model;
    std::string_view state; ///< "serving" "sorry" "down" "standby" (while_master) "degraded" (the kernel refuses it)
    bool quorate{false};
    std::uint64_t weight{};                                   ///< of all that are up
    std::string problem;                                      ///< why it is degraded, and the cure
    std::string warning;                                      ///< what is wrong although it serves, and the cure
    std::vector<std::shared_ptr<const RealServerView>> reals; ///< sorted by name
    Time since{};
};

struct Snapshot {
    std::string node_name;
    std::vector<std::shared_ptr<const InstanceView>> instances;
    std::vector<std::shared_ptr<const TrackerView>> trackers;
    std::vector<ExtraView> static_routes, static_rules;
    /// Of the file, and of the real server's role.
    std::shared_ptr<const std::vector<AddressView>> static_addresses{
        std::make_shared<const std::vector<AddressView>>()};
    std::vector<std::shared_ptr<const GroupView>> groups; ///< sync groups of the file, sorted by name
    /// The last 1,024, oldest first.
    std::shared_ptr<const std::vector<std::shared_ptr<const Transition>>> transitions;
    std::vector<std::shared_ptr<const VirtualServerView>> virtual_servers; ///< sorted by name
    std::shared_ptr<const IpvsListed> ipvs;                                ///< connections and bytes, as last read
    std::string
        ipvs_problem; ///< why the kernel's load balancer can't be had, and the cure; empty: it can, or nobody wants it
    std::optional<std::string> maintenance; ///< its reason, perhaps empty; nothing: in service
    bool stopping{false};
};

inline constexpr std::size_t transitions_kept = 1024;

} // namespace holdfast::engine
