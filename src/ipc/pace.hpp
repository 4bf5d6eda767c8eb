// When a probe is due: at once, then on a grid of absolute deadlines whose phase differs from watch to watch, so that
// the probes of many watches spread over the interval. Pure. Invariant: deadlines come from the grid and not from the
// moment the last probe ended, so lateness does not add up, and a missed one is never made up for by two probes at
// once.
#pragma once

#include "base/time.hpp"

#include <cstdint>

namespace holdfast::ipc {

class Pace {
  public:
    /// `ordinal` numbers the watches. The first probe is due now, or at a moment of its own within `warmup`, the second
    /// 0.5 to 1.5 intervals later.
    Pace(Time now, Duration interval, std::uint64_t ordinal, Duration warmup = {}) : interval_{interval} {
        // Multiples of the golden ratio modulo 1 fill the unit interval evenly, however many there are.
        constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;
        const auto part = static_cast<double>(ordinal * golden >> 11) / static_cast<double>(1ULL << 53);
        const auto phase_of = [part](Duration whole) {
            return Duration{static_cast<Duration::rep>(static_cast<double>(whole.count()) * part)};
        };
        due_ = now + phase_of(warmup);
        grid_ = on_grid(now + interval / 2 + phase_of(interval), due_ + interval / 2);
    }

    Time due() const { return due_; }
    /// The probe that was due has started.
    void started() {
        due_ = grid_;
        grid_ += interval_;
    }
    /// The next probe comes at `when` instead, and the grid goes on at least half an interval after it.
    void retry(Time when) {
        grid_ = on_grid(due_, when + interval_ / 2);
        due_ = when;
    }
    /// A probe ended. A deadline that has just passed meanwhile stays and is kept late, because a timeout as long as
    /// the interval (the default) ends on the next deadline; one missed by a quarter of an interval and more is left
    /// out. How many were.
    std::uint64_t ended(Time now) {
        const Duration late = now - due_;
        if (late < interval_ / 4) return 0;
        const auto missed = late / interval_ + 1;
        due_ += missed * interval_;
        grid_ = due_ + interval_;
        return static_cast<std::uint64_t>(missed);
    }

  private:
    /// The first of point, point + interval, ... that is not before `least`.
    Time on_grid(Time point, Time least) const {
        if (point >= least) return point;
        return point + (least - point + interval_ - Duration{1}) / interval_ * interval_;
    }

    Time due_;
    Time grid_{};
    Duration interval_;
};

} // namespace holdfast::ipc
