#include "bus/limiter.hpp"

#include <algorithm>

namespace holdfast::bus {

std::optional<Duration> Limiter::take(const std::string& caller, unsigned cost, Time now) {
    constexpr Duration a_token = Duration{1s} / a_second;
    if (cost == 0) return std::nullopt;
    const bool known = full_again_.contains(caller);
    if (!known && full_again_.size() >= most)
        std::erase_if(full_again_, [now](const auto& entry) { return entry.second <= now; });
    const bool shares = !known && full_again_.size() >= most;
    const auto at = full_again_.try_emplace(shares ? std::string{} : caller, now).first;
    const auto then = std::max(at->second, now) + cost * a_token;
    if (const auto missing = then - now - size * a_token; missing > 0s) return missing;
    at->second = then;
    return std::nullopt;
}

} // namespace holdfast::bus
