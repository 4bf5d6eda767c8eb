#include "check/check.hpp"

#include <algorithm>

namespace holdfast::check {
namespace {

/// keepalived's MISC_CHECK: 2 to 255 is a weight, plus 2.
struct Judged {
    bool good;
    std::optional<std::uint32_t> weight;
};
Judged judge(const model::Check& check, const Probed& probed) {
    const auto* const script = std::get_if<model::ScriptCheck>(&check.kind);
    if (!script || !script->dynamic || probed.status < 2 || probed.status > 255) return {probed.good, {}};
    return {true, static_cast<std::uint32_t>(probed.status - 2)};
}

void turn(State& state, Verdict verdict, Time now) {
    state.verdict = verdict;
    state.streak = 0;
    state.since = now;
}

} // namespace

std::string_view name(Verdict verdict) {
    switch (verdict) {
    case Verdict::pending: return "pending";
    case Verdict::up: return "up";
    case Verdict::down: return "down";
    }
    return "?";
}

unsigned decisive(const model::Check& check) {
    return std::max(check.retry + 1, check.rise);
}

bool on(State& state, const model::Check& check, const Probed& probed, Time now) {
    state.detail = probed.detail;
    state.blind = probed.unknown;
    if (probed.unknown) return false;
    state.latency = probed.latency;
    ++state.probes;
    const auto [good, weight] = judge(check, probed);
    if (!good) ++state.bad;
    const auto before = std::pair{state.verdict, state.weight};
    if (good) state.weight = weight;
    if (state.verdict == (good ? Verdict::up : Verdict::down)) {
        state.streak = 0;
    } else if (good) {
        // The first good probe ever counts at once.
        if (++state.streak >= check.rise || state.verdict == Verdict::pending) turn(state, Verdict::up, now);
    } else if (++state.streak > check.retry) {
        turn(state, Verdict::down, now);
    }
    return before != std::pair{state.verdict, state.weight};
}

} // namespace holdfast::check
