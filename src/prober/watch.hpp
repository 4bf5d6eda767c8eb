// One subscription: when its next probe begins, and which outcomes are told. Pure: it is given the time. Invariant: every
// change of outcome is told, another reason of a bad one within a second, and an unchanged one at least once a heartbeat.
#pragma once

#include "ipc/pace.hpp"
#include "prober/http.hpp"
#include "prober/outcome.hpp"

#include <optional>

namespace holdfast::prober {

class Watch {
  public:
    /// `ordinal` numbers the watches. A tracker hears every outcome, and nothing of probes that could not be made.
    Watch(ipc::StartCheck check, bool is_tracker, Time now, std::uint64_t ordinal);

    const ipc::StartCheck& check() const { return check_; }
    bool is_tracker() const { return is_tracker_; }
    Time due() const { return pace_.due(); }
    std::string target() const; ///< for people

    void begins(Time now);
    /// What the daemon is told, if anything.
    std::optional<ipc::Verdict> ends(const Outcome&, Time now);
    /// What `ends` said was lost: the outcomes that follow are told as if they were new.
    void was_not_told() { equal_ = 0; }

    std::shared_ptr<const HttpPlan> http; ///< of an HTTP probe
    std::string interface;                ///< of a carrier's
    Time entry{never};                    ///< where it stands in the prober's deadlines

  private:
    enum class Seen : std::uint8_t { nothing, good, bad, unknown };
    bool is_told(Seen, const std::string& detail, Time now);

    ipc::StartCheck check_;
    bool is_tracker_;
    ipc::Pace pace_;
    std::uint32_t bad_in_a_row_{0};
    Seen seen_{Seen::nothing};
    unsigned equal_{0}; ///< outcomes in a row
    Time told_at_{};
    std::size_t told_reason_{0}; ///< a hash: ten thousand watches keep no text
    std::uint64_t skipped_{0}, late_{0};
    Duration lateness_{0};
};

} // namespace holdfast::prober
