// How soon a thing that somebody deleted is put back: at once, unless it is deleted again and again, which is a fight with
// another program.
#pragma once

#include "base/time.hpp"

namespace holdfast::engine {

class RestorePace {
  public:
    static constexpr Duration pause =
        std::chrono::milliseconds{100}; ///< deletions that are closer than this are a fight

    /// It was deleted at `now`. True: it is a fight, and it is put back after a pause.
    bool is_fought_over(Time now) {
        in_a_row_ = now - last_ < pause ? in_a_row_ + 1 : 0;
        last_ = now;
        return in_a_row_ > at_once;
    }

  private:
    static constexpr unsigned at_once = 5;

    unsigned in_a_row_{0};
    Time last_{};
};

} // namespace holdfast::engine
