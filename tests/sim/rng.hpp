// SplitMix64: the one source of chance in the simulator. The same seed gives the same run on every machine.
#pragma once

#include "base/time.hpp"

#include <cstdint>

namespace holdfast::sim {

class Rng {
  public:
    explicit Rng(std::uint64_t seed) : state_{seed} {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    /// 0 to below - 1.
    std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
    bool chance(double probability) { return unit() < probability; }
    Duration between(Duration low, Duration high) {
        return low + Duration{static_cast<Duration::rep>(below(static_cast<std::uint64_t>((high - low).count()) + 1))};
    }

  private:
    std::uint64_t state_;
};

} // namespace holdfast::sim
