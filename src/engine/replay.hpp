// Which sequence numbers are new: what one virtual router sent and heard, so that an old advert sent again is none. Pure; the
// engine keeps one of these per router and the record carries it over a restart.
//
// The clocks of hosts step. A number is new when it is within the window of our clock and above the sender's last in there;
// and, because no step of a clock may strand a cluster, also when it is above the sender's last, was never passed over, and
// the sender was heard within the last window. An old packet satisfies neither.
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"
#include "engine/record.hpp"
#include "model/authentication.hpp"
#include "wire/proof.hpp"

#include <map>
#include <optional>
#include <vector>

namespace holdfast::engine {

/// What one sender of signed adverts is known by.
struct SenderMark {
    /// Numbers of a time when its clock was ahead, used before it was set back.
    struct Range {
        wire::Sequence first{}, last{};
    };
    wire::Sequence timely{};     ///< its last that was within the window of our clock; 0: none
    wire::Sequence highest{};    ///< of all
    wire::Sequence last{};       ///< the one that was accepted last
    wire::Sequence since{};      ///< first of the run without a jump that `last` belongs to
    std::vector<Range> burned{}; ///< at most ranges_kept
    Time heard{never};           ///< never: known from the record alone
};

inline constexpr std::size_t senders_kept = 16;
inline constexpr std::size_t ranges_kept = 4;
/// The authentication header's counter begins anew behind it (keepalived does at the same number).
inline constexpr std::uint32_t last_ah_sequence = 0xfffffffd;

/// A wall time as a sequence number, and the way back as a distance in time.
wire::Sequence as_sequence(WallTime);
Duration distance(wire::Sequence, wire::Sequence);
/// RFC 1982: `a` comes after `b`, also around the end of the numbers.
bool is_after(wire::Sequence a, wire::Sequence b);

class Replay {
  public:
    // ---- HMAC trailer: a number per sender, from its clock ----------------------------------------------------------------
    struct Rule {
        model::AntiReplay kind{};
        Duration window{};
    };
    wire::Sequence next(Rule, WallTime wall);
    /// Is it worth checking, and is it new? `signature_stale`, `signature_replay` or nothing. Changes nothing.
    std::optional<wire::Reject> judge(Rule, const IpAddress& sender, wire::Sequence, WallTime wall, Time now) const;
    /// It was judged new and everything else was right.
    void accept(Rule, const IpAddress& sender, wire::Sequence, WallTime wall, Time now);

    // ---- authentication header: one counter for what is sent and heard ----------------------------------------------------
    std::uint32_t next_ah();
    std::optional<wire::Reject> judge_ah(std::uint32_t) const;
    void accept_ah(std::uint32_t heard) { last_ = heard; }

    // ---- the record -------------------------------------------------------------------------------------------------------
    wire::Sequence last() const { return last_; }
    std::vector<RecordedMark> marks() const;
    /// A sender of the record counts as not heard: its clock has to be right.
    void restore(wire::Sequence last, const std::vector<RecordedMark>&);

  private:
    wire::Sequence last_{}; ///< sent (HMAC), sent or heard (AH)
    std::map<IpAddress, SenderMark> senders_;
};

} // namespace holdfast::engine
