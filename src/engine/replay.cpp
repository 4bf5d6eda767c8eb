#include "engine/replay.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

constexpr wire::Sequence per_second = wire::Sequence{1} << 32;

bool is_timely(wire::Sequence sequence, WallTime wall, Duration window) {
    return distance(sequence, as_sequence(wall)) <= window;
}

bool is_burned(const SenderMark& mark, wire::Sequence sequence) {
    return std::ranges::any_of(mark.burned, [&](const SenderMark::Range& range) {
        return !is_after(range.first, sequence) && !is_after(sequence, range.last);
    });
}

/// Too many are drawn together: what lies between two of them is lost to a sender whose clock jumps there, never won.
void burn(SenderMark& mark, SenderMark::Range range) {
    if (mark.burned.size() == ranges_kept) {
        auto& first = mark.burned.front();
        if (is_after(first.first, range.first)) first.first = range.first;
        if (is_after(range.last, first.last)) first.last = range.last;
        return;
    }
    mark.burned.push_back(range);
}

/// A jump begins a new run; a way back burns the run that it leaves.
void follow(SenderMark& mark, wire::Sequence sequence, Duration window) {
    const bool back = mark.last != 0 && is_after(mark.last, sequence);
    if (back) burn(mark, {mark.since, mark.last});
    if (mark.last == 0 || back || distance(sequence, mark.last) > window) mark.since = sequence;
    mark.last = sequence;
}

} // namespace

wire::Sequence as_sequence(WallTime wall) {
    const auto since = std::max(wall.time_since_epoch(), Duration::zero());
    const auto seconds = static_cast<std::uint64_t>(since / 1s);
    const auto fraction = static_cast<std::uint64_t>((since % 1s).count()) * 65'536 / 1'000'000'000;
    return (seconds & 0xffffffffU) << 32 | fraction << 16;
}

Duration distance(wire::Sequence a, wire::Sequence b) {
    const auto apart = is_after(a, b) ? a - b : b - a;
    const auto fraction = (apart % per_second >> 16) * 1'000'000'000 / 65'536;
    return std::chrono::seconds{static_cast<std::int64_t>(apart / per_second)} +
           Duration{static_cast<std::int64_t>(fraction)};
}

bool is_after(wire::Sequence a, wire::Sequence b) {
    return static_cast<std::int64_t>(a - b) > 0;
}

// ---- HMAC trailer -------------------------------------------------------------------------------------------------------

wire::Sequence Replay::next(Rule rule, WallTime wall) {
    const auto clock = as_sequence(wall);
    // Numbers far ahead of our clock would be stale to everybody: the clock was set back, so they begin with it anew.
    const bool set_back =
        rule.kind == model::AntiReplay::time && is_after(last_, clock) && distance(last_, clock) > rule.window;
    last_ = last_ == 0 || set_back || is_after(clock, last_) ? clock : last_ + 1;
    return last_;
}

std::optional<wire::Reject> Replay::judge(Rule rule, const IpAddress& sender, wire::Sequence sequence, WallTime wall,
                                          Time now) const {
    const auto at = senders_.find(sender);
    const auto* mark = at == senders_.end() ? nullptr : &at->second;
    if (rule.kind == model::AntiReplay::monotonic) {
        if (mark && !is_after(sequence, mark->highest)) return wire::Reject::signature_replay;
        return std::nullopt;
    }
    const bool goes_on = mark && mark->heard != never && now - mark->heard <= rule.window;
    if (!is_timely(sequence, wall, rule.window)) {
        if (goes_on && is_after(sequence, mark->last) && !is_burned(*mark, sequence)) return std::nullopt;
        return wire::Reject::signature_stale;
    }
    // Heard while a clock was wrong, and timely now that it is right.
    const bool of_this_run = goes_on && !is_after(mark->since, sequence) && !is_after(sequence, mark->last);
    if (of_this_run) return wire::Reject::signature_replay;
    const bool known = mark && mark->timely != 0 && is_timely(mark->timely, wall, rule.window);
    // Our own clock was set back: what is within the window now may be a recording of the first time that it was then.
    const bool second_time = goes_on && is_after(mark->timely, as_sequence(wall));
    if (known && !is_after(sequence, mark->timely)) return wire::Reject::signature_replay;
    if (second_time && !is_after(sequence, mark->last)) return wire::Reject::signature_replay;
    return std::nullopt;
}

void Replay::accept(Rule rule, const IpAddress& sender, wire::Sequence sequence, WallTime wall, Time now) {
    const auto silence = [](const auto& entry) {
        return entry.second.heard == never ? Time::min() : entry.second.heard;
    };
    if (!senders_.contains(sender) && senders_.size() == senders_kept)
        senders_.erase(std::ranges::min_element(senders_, {}, silence));
    auto& mark = senders_[sender];
    if (is_timely(sequence, wall, rule.window)) mark.timely = sequence;
    if (mark.highest == 0 || is_after(sequence, mark.highest)) mark.highest = sequence;
    follow(mark, sequence, rule.window);
    mark.heard = now;
}

// ---- authentication header ----------------------------------------------------------------------------------------------

std::uint32_t Replay::next_ah() {
    last_ = last_ >= last_ah_sequence ? 1 : last_ + 1;
    return static_cast<std::uint32_t>(last_);
}

std::optional<wire::Reject> Replay::judge_ah(std::uint32_t heard) const {
    const bool begins_anew = last_ >= last_ah_sequence && heard < last_ah_sequence;
    if (heard > last_ || begins_anew) return std::nullopt;
    return wire::Reject::signature_replay;
}

// ---- the record ---------------------------------------------------------------------------------------------------------

std::vector<RecordedMark> Replay::marks() const {
    std::vector<RecordedMark> result;
    for (const auto& [sender, mark] : senders_)
        result.push_back({sender, mark.timely, mark.highest});
    return result;
}

void Replay::restore(wire::Sequence last, const std::vector<RecordedMark>& marks) {
    last_ = last;
    for (const auto& mark : marks)
        if (senders_.size() < senders_kept)
            senders_[mark.sender] = {.timely = mark.timely,
                                     .highest = mark.highest,
                                     .last = mark.timely,
                                     .since = mark.timely,
                                     .burned = {{mark.timely, mark.highest}}};
}

} // namespace holdfast::engine
