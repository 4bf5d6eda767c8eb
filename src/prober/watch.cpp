#include "prober/watch.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::prober {

Watch::Watch(ipc::StartCheck check, bool is_tracker, Time now, std::uint64_t ordinal)
    : check_{std::move(check)}, is_tracker_{is_tracker}, pace_{now, check_.interval, ordinal, check_.warmup} {}

std::string Watch::target() const {
    if (http) return ipc::printable(http->steps.front().url);
    if (!interface.empty()) return interface;
    return fmt::format("{} port {}", to_string(check_.address), check_.port);
}

void Watch::begins(Time now) {
    const Duration late = now - pace_.due();
    if (late >= ipc::late_after) ++late_;
    lateness_ = std::max(lateness_, late);
    pace_.started();
}

std::optional<ipc::Verdict> Watch::ends(const Outcome& outcome, Time now) {
    skipped_ += pace_.ended(now);
    const auto seen = outcome.our_fault ? Seen::unknown : outcome.ok ? Seen::good : Seen::bad;
    bad_in_a_row_ = seen == Seen::bad ? std::min(bad_in_a_row_, ipc::max_retry) + 1 : 0;
    if (bad_in_a_row_ > 0 && bad_in_a_row_ <= check_.retry)
        pace_.retry(now + std::max(check_.retry_delay, ipc::shortest_probe));
    if (is_tracker_ ? seen == Seen::unknown : !is_told(seen, outcome.detail, now)) return std::nullopt;
    ipc::Verdict verdict{.id = check_.id,
                         .ok = seen == Seen::good,
                         .detail = ipc::printable(outcome.detail),
                         .latency = std::clamp(outcome.latency, Duration{0}, ipc::longest_probe),
                         .skipped = skipped_,
                         .unknown = seen == Seen::unknown,
                         .late = late_,
                         .lateness = std::clamp(lateness_, Duration{0}, ipc::longest_probe)};
    lateness_ = Duration{0};
    return verdict;
}

bool Watch::is_told(Seen seen, const std::string& detail, Time now) {
    if (seen != seen_) equal_ = 0;
    seen_ = seen;
    equal_ = std::min(equal_ + 1, unsigned{check_.tell} + 1);
    const auto reason = seen == Seen::good ? 0 : std::hash<std::string>{}(detail);
    const auto pause = reason != told_reason_ ? ipc::reason_pause : ipc::heartbeat;
    if (equal_ > check_.tell && now - told_at_ < pause) return false;
    told_at_ = now;
    told_reason_ = reason;
    return true;
}

} // namespace holdfast::prober
