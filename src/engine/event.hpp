// Everything that can happen to the engine. One closed set: what is not here cannot change a decision.
#pragma once

#include "base/id.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"
#include "check/check.hpp"
#include "engine/ipvs.hpp"
#include "engine/link.hpp"
#include "engine/record.hpp"
#include "engine/upstream.hpp"
#include "model/config.hpp"
#include "wire/arp.hpp"
#include "wire/proof.hpp"
#include "wire/vrrp.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::engine {

/// What of an IPv4 address can't be changed in place: what differs here is taken away and added again. IPv6 has none of it.
struct AddressTraits {
    std::string label; ///< empty: the link's name
    std::uint8_t scope{model::scope_global};
    std::optional<IpAddress> peer, broadcast;
    bool operator==(const AddressTraits&) const = default;
};

/// An address as the kernel describes it (RTM_NEWADDR).
struct KernelAddress {
    LinkIndex link{};
    Prefix prefix;
    bool ours{false};                 ///< IFA_PROTO is our tag
    bool tentative{false};            ///< duplicate address detection has not ended, or it failed
    std::optional<Duration> lifetime; ///< valid lifetime left; nothing: for ever
    AddressTraits traits{};
    bool is_duplicate{false}; ///< duplicate address detection found another host
    bool operator==(const KernelAddress&) const = default;
};

/// A route as the kernel describes it (RTM_NEWROUTE): ours, or one of others that a tracker may want.
struct KernelRoute {
    model::RouteId id;
    bool ours{false}; ///< its protocol is our tag
    LinkIndex link{}; ///< 0: none, or several
    std::optional<IpAddress> via{};
    bool operator==(const KernelRoute&) const = default;
};

enum class Observation : std::uint8_t { up, down, unknown };

/// Names one kernel operation until its OperationDone.
using OperationId = Id<struct OperationTag, std::uint64_t>;

// ---- from the wire ----------------------------------------------------------------------------------------------------
struct AdvertReceived {
    LinkIndex link{};
    IpAddress source;
    IpAddress destination; ///< a multicast group, or an address of this host
    wire::Advert advert;
    std::uint8_t hop_limit{255}; ///< by multicast never less
    wire::Proof proof{};
};
struct AdvertRejected {
    LinkIndex link{};
    IpAddress source;
    IpAddress destination;
    std::optional<Vrid> vrid; ///< nothing: too short, or its headers are wrong
    wire::Reject reason{};
};
/// The receive queue of a link dropped packets (SO_RXQ_OVFL): somebody may have been missed.
struct QueueOverflowed {
    LinkIndex link{};
};
/// ARP or NA from another host.
struct AnnouncementSeen {
    LinkIndex link{};
    wire::Announcement announcement;
};

// ---- from the kernel --------------------------------------------------------------------------------------------------
struct LinkChanged {
    Link link;
};
struct LinkRemoved {
    LinkIndex link{};
};
struct AddressChanged {
    KernelAddress address;
};
struct AddressRemoved {
    LinkIndex link{};
    Prefix prefix;
};
struct RouteChanged {
    KernelRoute route;
    bool replaces{false}; ///< what had the same identity before is gone
};
struct RouteRemoved {
    KernelRoute route;
};
/// Of ours only.
struct RuleChanged {
    std::shared_ptr<const model::Rule> rule;
};
struct RuleRemoved {
    std::shared_ptr<const model::Rule> rule;
};
/// A complete list: at start, and after events were lost.
struct KernelListed {
    std::vector<Link> links;
    std::vector<KernelAddress> addresses;
    std::vector<KernelRoute> routes{};                       ///< ours, and of others those that are watched
    std::vector<std::shared_ptr<const model::Rule>> rules{}; ///< ours
};
struct OperationDone {
    OperationId id{};
    int error{0}; ///< errno(3), 0 for success, ECANCELED when it came too late to be safe
};
struct FilterDone {
    OperationId id{};
    std::string problem;      ///< what went wrong and its cure; empty: nothing
    bool guard_is_new{false}; ///< somebody had taken its table away: it knows nobody yet
};
struct ListenDone {
    LinkIndex link{};
    Family family{};
    int error{0};
};

// ---- from trackers, people and the clock -------------------------------------------------------------------------------
/// What may be hoped for a unit that is down.
enum class Repair : std::uint8_t {
    none,      ///< somebody stopped it, or it is no unit
    under_way, ///< systemd is starting it
    wanted,    ///< it failed, and a restart may help
    failed,    ///< it can't be restarted
};
struct TrackerObserved {
    std::string tracker;
    Observation observation{};
    std::string detail{};     ///< one line for people
    bool degraded{false};     ///< up, but not whole: workers without their master
    std::int64_t value{0};    ///< of a file
    std::uint64_t skipped{0}; ///< runs of a script left out so far, because the one before had not ended
    Repair repair{Repair::none};
    std::optional<Duration> took{}; ///< by a run of a script or a probe; nothing: it is told without any
};
/// The record of the process before us, read at start. `age` was measured on CLOCK_BOOTTIME for each router.
struct Recovered {
    Record record;
    BootTime now{};
};
/// How far CLOCK_REALTIME is ahead of the clock of `now`: at start and after every step. Signatures alone look at it.
struct WallClockSet {
    Duration ahead{};
};
struct ConfigLoaded {
    std::shared_ptr<const model::Config> config;
};

/// A script of an instance's `notify` ended, or could not be run.
struct ScriptEnded {
    std::string object; ///< the instance, or the group
    std::string what;   ///< "master", "all", "before_removal", ...
    bool ok{false};
    std::string detail;
    Duration took{0};
    std::uint64_t hook{0}; ///< of RunHook; 0: a notification
};

/// Hand over to a successor, or keep everything.
struct Failover {
    std::optional<Duration> hold; ///< how long not to preempt the successor; nothing: until it leaves
};
/// Be master now, and stay so against whoever was.
struct Takeover {
    bool force{false}; ///< also when no master is heard
};
/// Another priority than the configured one, 1 to 254; nothing: the configured one again.
struct SetPriority {
    std::optional<Priority> priority;
};
/// Gratuitous ARP and unsolicited neighbor advertisements of everything that is served.
struct AnnounceNow {};
struct InstanceCommand {
    std::string name; ///< of an instance, a pair or a sync group
    std::variant<Failover, Takeover, SetPriority, AnnounceNow> what;
};
struct Commanded {
    std::uint64_t id{};
    InstanceCommand command;
};
// ---- of virtual servers -----------------------------------------------------------------------------------------------
/// Names one check of one real server until StopCheck.
using CheckId = Id<struct CheckTag, std::uint64_t>;
struct CheckObserved {
    CheckId id{};
    check::Probed probed;
};
/// The host is taken out of service, or back into it; said when it changes, and before the first configuration.
struct MaintenanceSet {
    std::optional<std::string> reason; ///< perhaps empty; nothing: no maintenance
};
/// The answer to ListIpvs.
struct IpvsRead {
    std::shared_ptr<const IpvsListed> table; ///< nothing: a glance saw the services of the last one
};
struct ServerCommand {
    enum class What : std::uint8_t {
        drain,       ///< no new connections; out of the table when those it has are over, or after `timeout`
        disable,     ///< out of the table at once
        enable,      ///< ends both
        set_weight,  ///< instead of the file's, until the next start
        file_weight, ///< the file's again
        check_now,
    } what{};
    std::string server, real;
    std::uint32_t weight{0};
    std::optional<Duration> timeout; ///< nothing: the virtual server's drain_timeout
};
struct ServerCommanded {
    std::uint64_t id{};
    ServerCommand command;
};

struct StopRequested {
    bool returns{false};   ///< a restart: the next process follows at once, so nothing moves that it can adopt
    Duration takes{250ms}; ///< how long it takes at most, from the last advert to the next process's first
};
/// Some deadline has come. The loop sends it only when every receive queue was drained (PROTOCOL.md, "The lease").
struct Elapsed {};

using Event = std::variant<AdvertReceived, AdvertRejected, QueueOverflowed, AnnouncementSeen, LinkChanged, LinkRemoved,
                           AddressChanged, AddressRemoved, RouteChanged, RouteRemoved, RuleChanged, RuleRemoved,
                           KernelListed, OperationDone, ListenDone, TrackerObserved, ScriptEnded, FilterDone, Recovered,
                           WallClockSet, ConfigLoaded, Commanded, CheckObserved, IpvsRead, IpvsDone, UpstreamsWritten,
                           MaintenanceSet, ServerCommanded, StopRequested, Elapsed>;

} // namespace holdfast::engine
