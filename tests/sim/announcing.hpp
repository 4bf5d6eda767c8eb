// When a master must announce its addresses, computed a second time from what happens to it: after a takeover (0, 10, 100 and
// 1,000 ms, `announce_delay`), in answer to lower adverts (once a second, `announce_lower_delay`), and the refresh. Where a pace
// makes bursts run into one another, or the kernel's addresses changed under a master, only what others check is expected.
#pragma once

#include "world.hpp"

#include <optional>
#include <set>
#include <string>

namespace holdfast::sim {

/// The least time between two announcements of the host; 0: none.
Duration announce_pace(const Host& host);
/// How long after the kernel has an address its announcement may take, with this executor and this pace.
Duration patience(const Host& host);

/// Addresses that must be announced, and by when. The time counts anew while the kernel does not have them.
class Unheard {
  public:
    /// What is expected already is not put off.
    void expect(const model::Instance& model, Time due);
    /// The one that is too late.
    std::optional<IpAddress> after_turn(const Turn& turn);
    void clear() { due_.clear(); }

  private:
    std::map<Prefix, Time> due_;
};

class AnnounceOracle {
  public:
    /// Of a router that is master after the turn; `heard_lower`: an advert that it must answer. The first rule that was broken.
    std::optional<std::string> after_turn(const Turn& turn, const engine::Router& router, bool heard_lower);
    /// It is not master any more.
    void forget() { is_known_ = false; }

  private:
    void enter(const Turn& turn, const engine::Router& router);
    void note_first(const Turn& turn, const model::Instance& model);
    void burst(const model::Instance& model, Time now);
    unsigned due(const Turn& turn, const model::Instance& model, bool heard_lower);
    Time deadline() const;

    bool is_known_{false}, adopted_{false};
    std::set<IpAddress> not_yet_; ///< announced in this mastership
    std::optional<Time> start_;   ///< when the last of them was announced first
    unsigned round_{0};
    Time next_{never}, delayed_{never};
    Time allowed_{}, again_{never}; ///< bursts in answer to adverts
    bool owed_{false};
    Time lease_deadline_{never}; ///< before the turn
    unsigned put_off_{0};        ///< until the clock was looked at, in the same moment
};

} // namespace holdfast::sim
