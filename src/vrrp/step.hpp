// One virtual router decides: RFC 9568 6.4 with the additions of PROTOCOL.md. Pure: (self, state, event, now) gives the next
// state and what to send. Each function is one (state, event) pair that acts; every other pair changes nothing.
#pragma once

#include "vrrp/state.hpp"
#include "vrrp/timing.hpp"

namespace holdfast::vrrp {

/// A valid advertisement of this virtual router from another address than ours.
struct AdvertReceived {
    Heard heard;
};
/// A deadline of the state has come.
struct Elapsed {};
/// Link, own address and group membership are all there and nothing is faulty: begin.
struct Ready {};
/// As Ready, and the process before us was master less than three intervals ago with the addresses still in the kernel.
struct Adopt {};
/// This node must not serve. `at_once`: the link or the address itself is bad, so waiting helps nobody.
struct Faulted {
    bool at_once{false};
};
/// No fault is left, but `startup_delay`, `boot_delay` or a tracker's first answer is still to be waited for.
struct Cleared {};
/// Hand over: a planned stop, a `failover`, or a sync group that leaves. `with_partners`: as Leaving::waits_for_partners.
struct Leave {
    LeaveCause cause{LeaveCause::stop};
    bool with_partners{false};
};
/// Every address was announced by the successor.
struct Released {};
/// Every member of the sync group that leaves by command has heard its successor.
struct PartnersHeard {};
/// A member of the sync group found no successor, so none is given up.
struct Resume {};
/// Another member of the sync group heard its master leave, and ours leaves with it.
struct GroupMasterLeft {};
/// The sync group is master and this member is ready to be.
struct Join {};
/// Another member of the sync group heard a lower advert: whoever sent it may have told clients of our addresses too.
struct GroupContested {};
/// An operator wants this node to be master, whatever it has heard.
struct TakeOver {};
/// What the process before us left is too old to be taken up.
struct AdoptionExpired {};
/// The effective priority is another; `self` has the new one.
struct PriorityChanged {
    Priority before{};
};
/// We slept past our own lease and another master was heard, or may have been (the queue overflowed).
struct LeaseLost {};

using Event =
    std::variant<AdvertReceived, Elapsed, Ready, Adopt, AdoptionExpired, Faulted, Cleared, Leave, Released,
                 PriorityChanged, LeaseLost, PartnersHeard, Resume, GroupMasterLeft, Join, TakeOver, GroupContested>;

/// Something odd that changed nothing but deserves a counter.
enum class Oddity : std::uint8_t { none, zero_from_stranger, interval_capped };

/// Every held address is announced now.
enum class Burst : std::uint8_t {
    none,
    plain,
    contest, ///< because a lower advert was heard
};

struct Step {
    State next;
    Reason reason{Reason::starting}; ///< meaningful when `next` is another alternative than before
    std::uint8_t adverts{0};         ///< copies to send now
    Priority priority{};             ///< of these copies
    Burst announce{Burst::none};
    Oddity oddity{Oddity::none};
};

/// Copies of the priority 0 advert (one may be lost; later ones would re-arm the standby's skew timer).
inline constexpr std::uint8_t leaving_copies = 3;

Step on(const Self&, const State&, const Event&, Time now);

/// True if `heard` wins against us: higher priority, or the same and the higher address (RFC 9568 6.4.3).
bool outranks(const Heard&, const Self&);

} // namespace holdfast::vrrp
