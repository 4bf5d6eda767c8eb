// Everything the engine can ask of the world. Actions are values; carrying them out decides nothing.
#pragma once

#include "base/bytes.hpp"
#include "engine/event.hpp"
#include "engine/note.hpp"
#include "engine/upstream.hpp"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::engine {

// ---- the wire: done by the loop thread, at once -------------------------------------------------------------------------
struct SendAdvert {
    std::uint32_t router{}; ///< slot in the record, for the time of the last advert
    LinkIndex link{};
    IpAddress source;
    IpAddress destination;
    std::shared_ptr<const Bytes> message; ///< VRRP message with its checksum
    Priority priority{};
    std::uint8_t copies{1};
    std::uint8_t hop_limit{255};
    std::uint64_t sequence{0};            ///< of its proof, never to be used again; 0: it has none
    bool has_ip_header{false};            ///< the message is a whole IPv4 packet (authentication header)
    std::optional<MacAddress> from_mac{}; ///< leaves as a whole frame from this address; nothing: as the link sends
};
struct Announce {
    LinkIndex link{};
    wire::Announcement announcement;
};
/// Open the sockets for this link and family and join the group; answered by ListenDone.
struct Listen {
    LinkIndex link{};
    Family family{};
};
/// Adverts of other virtual routers need not come up from the kernel; those to these groups besides VRRP's own are to be
/// joined. Said whenever it changes, also before ListenDone, which comes again with an error when a group can't be joined.
struct ListenFor {
    LinkIndex link{};
    Family family{};
    VridSet vrids;
    std::vector<IpAddress> groups; ///< sorted
};
struct Unlisten {
    LinkIndex link{};
    Family family{};
};

// ---- kernel operations: done by the executor thread, in order, each answered by OperationDone -------------------------
/// Refused with EEXIST when the address is there already: what is not ours is never touched.
struct AddAddress {
    LinkIndex link{};
    Prefix prefix;
    std::optional<std::chrono::seconds> lease; ///< valid lifetime; nothing: for ever
    bool prefix_route{false};                  ///< let the kernel add the on-link route (else IFA_F_NOPREFIXROUTE)
    model::AddressOptions options{};
};
/// Gives an address of ours a new lifetime.
struct RenewAddress {
    LinkIndex link{};
    Prefix prefix;
    std::optional<std::chrono::seconds> lease;
    bool prefix_route{false};
    model::AddressOptions options{};
};
struct RemoveAddress {
    LinkIndex link{};
    Prefix prefix;
    std::optional<IpAddress> peer{};
};
/// net.ipv4.conf.LINK.promote_secondaries = 1, by rtnetlink (IFLA_AF_SPEC).
struct PromoteSecondaries {
    LinkIndex link{};
};
/// Refused with EEXIST when a route of this identity is there, unless it replaces it.
struct PutRoute {
    std::shared_ptr<const model::Route> route;
    std::vector<LinkIndex> links; ///< of the route, or of each of its next hops; 0: the kernel finds it
    bool replace{false};
};
/// Only ours is ever removed: the kernel compares the tag.
struct RemoveRoute {
    model::RouteId id;
};
struct PutRule {
    std::shared_ptr<const model::Rule> rule;
};
struct RemoveRule {
    std::shared_ptr<const model::Rule> rule;
};
/// A macvlan, down and with our tag from the start. It answers to nobody (VEPA mode: see docs/decisions). Or an ipvlan, which
/// has its parent's MAC address.
struct AddLink {
    std::string name;
    LinkIndex parent{};
    MacAddress mac;
    std::optional<model::IpvlanMode> ipvlan{};
};
/// Its alias and settings; it makes no IPv6 address by itself.
struct ConfigureLink {
    LinkIndex link{};
    std::string alias;
    Ipv4Settings ipv4;
    bool has_ipv6{true};
};
struct SetLinkUp {
    LinkIndex link{};
    bool up{false};
};
struct RemoveLink {
    LinkIndex link{};
};
/// Of the interface that a macvlan is on.
struct SetArp {
    LinkIndex link{};
    ArpSettings arp;
};
struct Operation {
    OperationId id{};
    /// The executor does not start it later than this: a renewal that comes after the lease would revive the address.
    Time not_after{never};
    std::variant<AddAddress, RenewAddress, RemoveAddress, PromoteSecondaries, PutRoute, RemoveRoute, PutRule,
                 RemoveRule, AddLink, ConfigureLink, SetLinkUp, RemoveLink, SetArp>
        what;
};
/// List links, addresses, routes and rules anew; answered by KernelListed.
struct ListKernel {};
/// Routes of others that are told of from now on, whoever made them: nothing else is read.
struct WatchRoutes {
    struct Where {
        Prefix to;
        std::uint32_t table{};
        friend auto operator<=>(const Where&, const Where&) = default;
    };
    std::vector<Where> where;
};

/// A service whose packets this host marks for its load balancer, as long as it is the address's only director.
struct GuardedService {
    std::uint32_t mark{0};
    model::Protocol protocol{};
    IpAddress address;
    std::uint16_t port{0}; ///< 0: every port
    bool operator==(const GuardedService&) const = default;
};
/// Frames of another director are left unmarked. Who that is, the packet filter learns by itself: from whoever sends adverts
/// of these routers, or anything from these addresses.
struct Guard {
    std::vector<GuardedService> services; ///< in force now
    std::vector<Vrid> vrids;              ///< sorted, of those who guard; none: there is no guard
    std::vector<IpAddress> peers;         ///< sorted
    bool operator==(const Guard&) const = default;
};
/// Drop what comes to the refused addresses, mark what is guarded, and nothing else (neither: no table); answered by FilterDone.
struct SetFilter {
    OperationId id{};
    std::vector<IpAddress> refused;
    Guard guard{};
};

// ---- trackers, people ---------------------------------------------------------------------------------------------------
struct StartTracker {
    model::Tracker tracker;
};
struct StopTracker {
    std::string name;
};
/// Once; what comes of it is observed like everything else of the unit.
struct RestartUnit {
    std::string tracker, unit;
};

// ---- virtual servers ----------------------------------------------------------------------------------------------------
/// Probe a real server until StopCheck; answered by CheckObserved, again and again.
struct StartCheck {
    CheckId id{};
    std::string name; ///< "web-http/lb1", for people
    model::Check check;
    IpAddress address;
    std::uint16_t port{0}; ///< 0: of a firewall mark without one
};
struct StopCheck {
    CheckId id{};
};
/// One probe more, now.
struct ProbeNow {
    CheckId id{};
};

/// Run a hook of an instance, at once; answered by ScriptEnded with its number.
struct RunHook {
    std::uint64_t hook{};
    std::string what; ///< "before_removal" or "after_adding"
    std::shared_ptr<const model::Instance> model;
    std::string state;
    Priority priority{};
};

enum class CommandError : std::uint8_t {
    no_such_server,
    no_such_instance,
    not_master,
    no_successor,
    busy,
    stopping,
    faulted,     ///< this host can't serve it
    no_peer,     ///< nobody is heard
    outranked,   ///< somebody has a priority that can't be exceeded
    unsupported, ///< never possible here
};
struct Reply {
    std::uint64_t command{};
    std::optional<CommandError> error;
    std::string text; ///< for people, also on success
};
struct Tell {
    Note note;
};
/// Everything has left: the process may end.
struct Finished {};

using Action = std::variant<SendAdvert, Announce, Listen, ListenFor, Unlisten, Operation, ListKernel, WatchRoutes,
                            SetFilter, StartTracker, StopTracker, RestartUnit, StartCheck, StopCheck, ProbeNow,
                            ProgramIpvs, ListIpvs, WriteUpstreams, RunHook, Reply, Tell, Finished>;
using Actions = std::vector<Action>;

} // namespace holdfast::engine
