#include "announcing.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

namespace holdfast::sim {
namespace {

constexpr std::array<Duration, 4> rounds{0ms, 10ms, 100ms, 1s}; ///< PROTOCOL.md, "Leaving"
constexpr Duration burst_spacing = 1s;                          ///< PROTOCOL.md, "Yielding"

Time behind(Time now, Duration delay) {
    return delay > Duration::zero() ? now + delay : never;
}

long said(const Turn& turn, const IpAddress& address) {
    return std::ranges::count_if(turn.actions, [&](const auto& action) {
        const auto* announce = std::get_if<engine::Announce>(&action);
        return announce && announce->announcement.address == address;
    });
}

/// What makes the kernel's addresses other than the master left them: when they are announced anew is not followed here.
bool disturbs(const engine::Event& event) {
    return std::holds_alternative<engine::AddressRemoved>(event) ||
           std::holds_alternative<engine::KernelListed>(event) || std::holds_alternative<engine::LinkChanged>(event) ||
           std::holds_alternative<engine::LinkRemoved>(event) || std::holds_alternative<engine::QueueOverflowed>(event);
}

/// The kernel has it, the engine knows that, and nothing keeps it from being said.
bool is_sayable(const Turn& turn, const Host& host, const Prefix& prefix) {
    const auto asked = host.in_flight.find(prefix);
    return host.kernel.addresses.contains(prefix) && (asked == host.in_flight.end() || asked->second == 0) &&
           host.kernel.link_up && turn.world.now() - host.disturbed > patience(host);
}

} // namespace

Duration announce_pace(const Host& host) {
    auto pace = host.options.instance.announce_interval;
    for (const auto& group : host.options.announce_groups)
        if (std::ranges::find(group.interfaces, host.kernel.link_name) != group.interfaces.end())
            pace = std::max(pace, group.interval);
    return pace;
}

Duration patience(const Host& host) {
    // With a pace each address waits for its turn, behind the one that is just being said.
    auto turns = 1 + host.options.instance.addresses.size();
    for (const auto& partner : host.options.partners)
        turns += partner.addresses.size();
    return 4 * host.options.kernel_delay + 60ms + static_cast<int>(turns) * announce_pace(host);
}

void Unheard::expect(const model::Instance& model, Time due) {
    for (const Prefix& prefix : model.addresses)
        due_.try_emplace(prefix, due);
}

std::optional<IpAddress> Unheard::after_turn(const Turn& turn) {
    const auto& host = *turn.world.hosts[turn.host];
    std::erase_if(due_, [&](const auto& entry) { return said(turn, entry.first.address) > 0; });
    for (auto& [prefix, due] : due_) {
        if (!is_sayable(turn, host, prefix)) due = std::max(due, turn.now + patience(host));
        if (turn.now > due) return prefix.address;
    }
    return std::nullopt;
}

void AnnounceOracle::enter(const Turn& turn, const engine::Router& router) {
    const bool resumed = std::holds_alternative<vrrp::Leaving>(turn.before); // with what it had under way before
    *this = {};
    is_known_ = !resumed && announce_pace(*turn.world.hosts[turn.host]) == Duration::zero();
    adopted_ = router.reason == vrrp::Reason::adopted && !router.model->is_owner(); // that one begins anew
    for (const auto& prefix : router.model->addresses)
        not_yet_.insert(prefix.address);
    allowed_ = turn.now;
}

/// The rounds begin with the last address that is there.
void AnnounceOracle::note_first(const Turn& turn, const model::Instance& model) {
    const auto first = std::erase_if(not_yet_, [&](const auto& address) { return said(turn, address) > 0; });
    if (first == 0) return;
    const bool by_answer = std::holds_alternative<engine::OperationDone>(turn.event);
    const bool enters = !start_ && turn.now == allowed_;
    if (!by_answer && !enters) is_known_ = false; // a burst said it before it was confirmed
    start_ = turn.now;
    round_ = adopted_ ? rounds.size() : 1;
    next_ = adopted_ ? behind(turn.now, model.announce_refresh) : turn.now + rounds[1];
    delayed_ = adopted_ ? never : behind(turn.now, model.announce_delay);
}

void AnnounceOracle::burst(const model::Instance& model, Time now) {
    owed_ = false;
    allowed_ = now + burst_spacing;
    again_ = behind(now, model.announce_lower_delay);
    start_ = now;
    round_ = 1;
    next_ = now + rounds[1];
}

/// How often each address must be said in this turn. What comes together is said once.
unsigned AnnounceOracle::due(const Turn& turn, const model::Instance& model, bool heard_lower) {
    unsigned times = 0;
    if (heard_lower && turn.now >= allowed_) {
        burst(model, turn.now);
        times = model.announce_lower_repeat;
    } else if (heard_lower) {
        owed_ = true;
    }
    if (!std::holds_alternative<engine::Elapsed>(turn.event)) return times;
    const bool answers = owed_ && turn.now >= allowed_;
    if (answers || turn.now >= again_) {
        burst(model, turn.now);
        if (!answers) again_ = never;
        times = model.announce_lower_repeat;
    }
    if (turn.now >= next_) {
        times = std::max(times, round_ < rounds.size() ? 1 : model.announce_refresh_repeat);
        round_ = std::min<unsigned>(round_ + 1, rounds.size());
        next_ = round_ < rounds.size() ? *start_ + rounds[round_] : behind(turn.now, model.announce_refresh);
    }
    if (turn.now >= delayed_) {
        delayed_ = never;
        times = std::max(times, model.announce_repeat);
    }
    return times;
}

Time AnnounceOracle::deadline() const {
    return std::min({next_, delayed_, again_, owed_ ? allowed_ : never});
}

std::optional<std::string> AnnounceOracle::after_turn(const Turn& turn, const engine::Router& router,
                                                      bool heard_lower) {
    const auto& host = *turn.world.hosts[turn.host];
    const auto& model = *router.model;
    if (!std::holds_alternative<vrrp::Master>(turn.before)) enter(turn, router);
    const bool lapsed = turn.now >= std::exchange(lease_deadline_, router.lease_deadline); // all is claimed anew
    if (disturbs(turn.event) || lapsed) is_known_ = false;
    if (!is_known_) return std::nullopt;
    const auto not_yet = not_yet_;
    const auto times = std::max(due(turn, model, heard_lower), std::exchange(put_off_, 0));
    note_first(turn, model);
    if (!is_known_) return std::nullopt;
    const bool looked_at_clock = std::holds_alternative<engine::Elapsed>(turn.event);
    const bool advertises = std::ranges::any_of(
        turn.actions, [](const auto& action) { return std::holds_alternative<engine::SendAdvert>(action); });
    const bool by_clock = looked_at_clock && !advertises;
    const bool goes_on = !looked_at_clock && host.engine->next_deadline() <= turn.now;
    for (const auto& prefix : model.addresses) {
        if (not_yet.contains(prefix.address)) continue;
        const auto count = said(turn, prefix.address);
        if (count < times && goes_on)
            put_off_ = times;
        else if (count < times && is_sayable(turn, host, prefix))
            return fmt::format("{} was announced {} times instead of {}", to_string(prefix), count, times);
        if (count > times && by_clock)
            return fmt::format("{} was announced {} times, {} were due", to_string(prefix), count, times);
    }
    if (host.engine->next_deadline() > deadline()) return "it sleeps past its next announcement";
    return std::nullopt;
}

} // namespace holdfast::sim
