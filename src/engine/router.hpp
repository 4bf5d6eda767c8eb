// One virtual router as the engine runs it: its model, its state, and what the state needs to become packets and addresses.
#pragma once

#include "engine/action.hpp"
#include "engine/announce.hpp"
#include "engine/kernel_view.hpp"
#include "engine/replay.hpp"
#include "engine/snapshot.hpp"
#include "vrrp/step.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::engine {

/// A dead process of ours was master; until `until` (three intervals after its last advert) we may take up its mastership.
struct AdoptionCandidate {
    Time until{};
    LinkIndex link{};
    MacAddress mac;
};

/// Something is wrong out there that is no fault of this host: seen now, and shown for a while after.
struct Finding {
    FaultCause what;
    Time until{};
};

/// A host of lower priority that goes on as master beside this one.
struct Contest {
    IpAddress by;
    Time since{}, last{};
};

/// Addresses that a router takes along unadvertised. There may be ten thousand: nothing that an advert waits for looks at all of
/// them, so work on them goes through cursors, a slice in each turn.
struct Excluded {
    std::vector<AddressKey> keys;
    std::size_t there{0};  ///< so many the kernel has
    std::size_t next{0};   ///< to be reconciled next; the size: all were looked at
    Time renewed_from{};   ///< what was issued before is renewed when the cursor comes by
    bool backs_off{false}; ///< one of them waits until it is tried again

    void begin() { next = 0; }
    bool looked_at() const { return next >= keys.size(); }
};

struct alignas(64) Router {
    // What every advert and every deadline looks at, side by side: a host may have a thousand of these, and 255 of them speak in
    // one turn.
    std::shared_ptr<const model::Instance> model;
    std::uint32_t slot{};
    bool retiring{false}; ///< removed by a reload: leaves, then goes
    bool has_source{false};
    bool decides_ties{true};
    bool needs_assessment{true};
    bool view_changed{true};
    Priority message_priority{};
    std::optional<LinkIndex> link; ///< where it speaks and listens
    vrrp::State state;
    vrrp::Self self;
    Announcing announcing;
    std::optional<Time> held_until;  ///< held back after a failover; never: until the successor leaves
    std::optional<Time> table_until; ///< its addresses wait for the services that follow it no longer than this
    std::optional<Time> hook_until;  ///< the addresses wait for `hook` no longer than this
    std::optional<AdoptionCandidate> candidate;
    Time wait_until{never}; ///< when `own.waiting` is over, if time alone ends it
    Time refused_until{};
    Time lease_deadline{never}; ///< when the kernel may have dropped the addresses, if nobody renewed them
    Time last_sent{};
    std::string refused;                 ///< why an address could not be programmed
    std::vector<Finding> findings;       ///< one of each code
    std::vector<Router*> partners;       ///< the group's other members, the decider of ties first if it is one of them
    std::vector<IpAddress> destinations; ///< the group, or the peers that are not this host
    std::vector<std::shared_ptr<const Bytes>> messages; ///< encoded advert for each of them, at `message_priority`
    std::vector<PeerView> peers;                        ///< by address, at most peers_kept
    std::optional<Contest> contest;
    std::optional<Time> tie_since; ///< equal adverts are heard, and the tie is another member's to decide
    Counters counters;
    static constexpr std::size_t hot_size = 640; ///< up to here

    // What edges, reloads and the kernel's news look at.
    vrrp::Reason reason{vrrp::Reason::starting};
    Time since{};
    std::shared_ptr<const model::Instance> replacement; ///< takes this one's place when it has left
    std::optional<LinkIndex> address_link; ///< where its addresses live: there, or on the macvlan of its virtual MAC
    std::optional<Time> link_up_at;
    std::vector<model::TrackUse> uses; ///< its own trackers and its group's
    std::vector<Contribution> contributions;

    /// What this router alone would say; its sync group has the last word.
    struct Own {
        std::vector<FaultCause> faults;
        std::string waiting; ///< what keeps it in `init`
        Priority priority{};
        bool preempt{true};
        bool may_adopt{false};
        bool operator==(const Own&) const = default;
    } own;
    /// What an operator ordered; gone with the daemon, but not with a restart.
    struct ByHand {
        std::optional<Priority> priority;
        bool taken_over{false}; ///< as long as this mastership lasts
    } by_hand;
    std::vector<FaultCause> faults; ///< its own, and what keeps its partners from serving
    std::string waiting;
    std::string group; ///< of the sync group or pair; empty: none

    std::optional<std::uint64_t> failover; ///< command to answer when leaving ends
    std::optional<Duration> failover_hold;

    /// Where it is announced and covered for by the interface under the macvlan of its virtual MAC.
    bool is_on_macvlan(const AddressKey& key) const { return model->has_own_link() && address_link == key.link; }

    std::vector<AddressKey> keys; ///< where its advertised addresses belong, as far as their links exist
    std::size_t keys_there{0};    ///< of these the kernel has so many
    Excluded excluded;
    std::map<std::string, std::optional<LinkIndex>> other_links; ///< that its addresses name, as they were when claimed
    std::vector<std::pair<LinkIndex, Family>> announces_on;      ///< beside its own link and family

    std::optional<Time> rejected_at; ///< the last advert of this router that was not accepted
    std::optional<Time> rival_since; ///< another MAC announces an address that we serve
    Replay replay;                   ///< sequence numbers, where `authentication:` has them

    std::uint64_t hook{0};  ///< before_removal, while it runs
    bool adding_told{true}; ///< after_adding was run in this mastership, or there is nothing to run
    std::optional<ScriptView> script;
    Time lower_told{-1s}; ///< lower_advert, once a second

    const std::string& name() const { return model->name; }
    bool serves() const { return vrrp::serves(state); }
    /// Past its own lease: the addresses may be gone and somebody else may serve.
    bool lapsed(Time now) const { return serves() && now >= lease_deadline; }
};

/// A crowd of routers is spread over more memory than the caches keep, and waiting for it is half of what an advert costs: what
/// comes next is fetched while the one before is served.
inline void fetch_ahead(const Router& router) {
    const auto* begin = reinterpret_cast<const char*>(&router);
    for (std::size_t line = 0; line < Router::hot_size; line += 64)
        __builtin_prefetch(begin + line);
}
inline constexpr std::size_t ahead = 2; ///< so many are served meanwhile

inline constexpr std::size_t peers_kept = 16;

} // namespace holdfast::engine
