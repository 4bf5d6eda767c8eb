// One check decides: probes become up or down by retry and rise. It never acts, and it keeps no clock: the prober paces
// probes, the pool reads the verdict.
#pragma once

#include "base/time.hpp"
#include "model/check.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::check {

enum class Verdict : std::uint8_t {
    pending, ///< no probe has ended
    up,
    down,
};
std::string_view name(Verdict);

/// What one probe came to.
struct Probed {
    bool good{false};
    bool unknown{false};    ///< it could not be made: says nothing about the server
    std::int32_t status{0}; ///< of a script
    std::string detail{};   ///< one line for people
    Duration latency{0};
};

struct State {
    Verdict verdict{Verdict::pending};
    unsigned streak{0};                    ///< probes in a row against the verdict
    std::optional<std::uint32_t> weight{}; ///< what a dynamic script wants
    std::string detail{};                  ///< of the last probe
    bool blind{false};                     ///< the last probe could not be made
    Duration latency{0};
    std::uint64_t probes{0}, bad{0};
    Time since{}; ///< of the verdict
};

/// True when the verdict or the weight changed.
bool on(State&, const model::Check&, const Probed&, Time now);

/// How many equal outcomes in a row can matter: what is told after these changes nothing.
unsigned decisive(const model::Check&);

} // namespace holdfast::check
