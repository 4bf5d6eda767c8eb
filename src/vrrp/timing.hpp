// The two intervals that the whole protocol waits on, exactly as the RFCs have them.
#pragma once

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/instance.hpp"

namespace holdfast::vrrp {

/// What one virtual router's rules need to know of this node right now.
struct Self {
    model::Version version{model::Version::v3};
    Priority priority{100}; ///< effective, after trackers; 255 for the owner
    Duration interval{1s};  ///< our own advertisement interval
    IpAddress address;      ///< primary address of the interface: breaks ties
    bool preempt{true};     ///< false also while held back after a `failover`
    Duration preempt_delay{0};
    bool prompt{true};
    /// The sync group's first member decides ties; this one is another.
    bool tie_is_elsewhere{false};
    Duration handover_timeout{3s};
    unsigned down_adverts{3}; ///< in master-down
    /// The virtual MAC goes with the adverts: a successor's first one takes all frames to it, so nothing is left to serve.
    bool mac_moves{false};
    Duration announce_lower_delay{0}; ///< after a burst in answer to a lower advert comes another one; 0: none
};

/// Skew_Time: (256 - priority) / 256 of the master's interval (RFC 9568 6.1), of one second in version 2 (RFC 3768 6.1).
Duration skew(const Self&, Duration master_interval);

/// Active_Down_Interval: three (`down_adverts`) intervals of the master plus our skew.
Duration master_down(const Self&, Duration master_interval);

/// The interval that a backup takes up from the master's advert. A longer one than four times our own would let a single
/// packet silence us for minutes, so it counts as our own (reliability N10).
Duration learnt_interval(const Self&, Duration announced);

/// How long a leaving master waits for its successor at most: the largest possible skew and 100 ms, never beyond
/// `handover_timeout`.
Duration handover_limit(const Self&);

/// Adverts of many routers share wake-ups: each moves, by at most 5 % of its interval and 0.5 ms at a time, to the beat before
/// it. Beats are a quarter of an interval apart on the clock that all share. Nothing is ever later for it.
Time drawn_to_beat(Time next_advert, Duration interval);

} // namespace holdfast::vrrp
