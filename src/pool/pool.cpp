#include "pool/pool.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::pool {
namespace {

constexpr std::uint32_t heaviest = std::numeric_limits<std::int32_t>::max(); // the kernel's weight is an int (ip_vs.h)
constexpr int slow_steps = 20;

bool anybody_is_alive(const Pool& pool) {
    return std::ranges::any_of(pool.members, [&](const Member& each) { return is_alive(pool, each); });
}

/// Where no quorum is kept up by servers that are gone.
std::uint64_t or_zero(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

} // namespace

std::string_view name(Health health) {
    switch (health) {
    case Health::pending: return "pending";
    case Health::up: return "up";
    case Health::down: return "down";
    }
    return "?";
}

bool is_alive(const Pool& pool, const Member& member) {
    if (member.disabled || member.draining) return false;
    if (member.health == Health::pending) return member.assumed_up && !pool.model->alpha;
    return member.health == Health::up;
}

std::uint32_t base_weight(const Member& member) {
    const auto said = member.set_weight.value_or(member.found_weight.value_or(member.model->weight));
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(said + member.added_weight, 0, heaviest));
}

std::uint32_t weight(const Pool& pool, const Member& member, Time now) {
    const auto whole = base_weight(member);
    const auto slow = pool.model->slow_start;
    if (whole <= 1 || member.up_since == Time::min() || slow == Duration::zero() || now >= member.up_since + slow)
        return whole;
    const auto step = (now - member.up_since) * slow_steps / slow;
    return std::max<std::uint32_t>(
        1, static_cast<std::uint32_t>(std::uint64_t{whole} * static_cast<std::uint64_t>(step) / slow_steps));
}

std::uint64_t total_weight(const Pool& pool) {
    std::uint64_t sum = 0;
    for (const auto& member : pool.members)
        if (is_alive(pool, member)) sum += base_weight(member);
    return sum;
}

Edge settle(Pool& pool) {
    if (anybody_is_alive(pool))
        for (auto& member : pool.members)
            member.served = is_alive(pool, member);
    const auto sum = total_weight(pool);
    const std::uint64_t quorum = pool.model->quorum, hysteresis = pool.model->hysteresis;
    const bool before = pool.quorate;
    if (!pool.quorate && sum >= quorum + hysteresis) pool.quorate = true;
    if (pool.quorate && (sum == 0 || sum < or_zero(quorum, hysteresis))) pool.quorate = false;
    if (before == pool.quorate) return Edge::none;
    return pool.quorate ? Edge::gained : Edge::lost;
}

bool is_sorry(const Pool& pool) {
    return !pool.quorate && pool.model->sorry_server.has_value();
}

std::vector<Wanted> wanted(const Pool& pool, Time now) {
    std::vector<Wanted> result;
    const bool sorry = is_sorry(pool);
    const bool keeps = !sorry && pool.model->all_down == model::AllDown::keep && !anybody_is_alive(pool);
    for (const auto& member : pool.members) {
        if (member.draining) {
            if (!has_drained(member, now)) result.push_back({member.model.get(), 0});
            continue;
        }
        const bool serves = !sorry && (is_alive(pool, member) || (keeps && member.served && !member.disabled));
        if (serves)
            result.push_back({member.model.get(), weight(pool, member, now)});
        else if (member.model->inhibit_on_failure)
            result.push_back({member.model.get(), 0});
    }
    if (sorry || (pool.model->sorry_server && pool.model->sorry_server->inhibit_on_failure))
        result.push_back({&*pool.model->sorry_server, sorry ? pool.model->sorry_server->weight : 0});
    return result;
}

bool has_drained(const Member& member, Time now) {
    return member.draining && (now >= *member.draining || member.connections == 0U);
}

bool is_draining(const Pool& pool) {
    return std::ranges::any_of(pool.members, [](const Member& member) { return member.draining.has_value(); });
}

bool is_moving(const Pool& pool) {
    return pool.model->slow_start > Duration::zero() || is_draining(pool);
}

Time next_deadline(const Pool& pool, Time now) {
    Time next = never;
    for (const auto& member : pool.members) {
        if (member.draining && now < *member.draining) next = std::min(next, *member.draining);
        const auto slow = pool.model->slow_start;
        if (slow == Duration::zero() || member.up_since == Time::min() || now >= member.up_since + slow) continue;
        const auto step = slow / slow_steps;
        next = std::min(next, member.up_since + ((now - member.up_since) / step + 1) * step);
    }
    return next;
}

} // namespace holdfast::pool
