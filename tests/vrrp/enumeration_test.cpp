// Explicit-state enumeration: the production state machine of two and three routers, every interleaving of deliveries, losses,
// timers (on time and a little late), crashes, restarts and stops to a stated depth. Three things are held in every state that
// can be reached: what the step to it must keep, what must be true at once, and that from there, once faults end, exactly the
// best router is master.

#include "vrrp/step.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <unordered_map>
#include <vector>

namespace holdfast::vrrp {
namespace {

constexpr Duration interval = 100ms;
constexpr Duration wire_delay = 3ms; ///< a message is delivered or lost by then
constexpr Duration lateness = 2ms;   ///< of a timer

struct Message {
    std::size_t to{};
    Heard heard;
    Time sent{};
};

struct World {
    std::vector<State> routers;
    std::vector<Message> wire;
    Time now{1s};
    unsigned losses{}, crashes{}, stops{}; ///< that may still happen
    std::string broken{};                  ///< the rule that the step to here broke
};

/// How a state came about, for people: the failure prints it.
using Path = std::vector<std::string>;

class Enumeration {
  public:
    Enumeration(std::vector<unsigned> priorities, bool preempt, World start)
        : preempt_{preempt}, start_{std::move(start)} {
        for (std::size_t i = 0; i < priorities.size(); ++i) {
            Self self{.priority = Priority{static_cast<std::uint8_t>(priorities[i])}, .interval = interval};
            self.address = IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(i + 1));
            self.preempt = preempt;
            selves_.push_back(self);
        }
        start_.routers.assign(selves_.size(), Init{});
        for (std::size_t i = 0; i < selves_.size(); ++i)
            apply(start_, i, Ready{});
    }

    std::size_t run(unsigned depth) {
        Path path;
        explore(start_, depth, path);
        return seen_.size();
    }

  private:
    // ---- one step of the world --------------------------------------------------------------------------------------------

    void apply(World& world, std::size_t index, const Event& event) const {
        const auto before = world.routers[index];
        const auto step = on(selves_[index], before, event, world.now);
        world.routers[index] = step.next;
        if (world.broken.empty()) world.broken = broken_by(index, before, event, step, world.now);
        // Copies of one advert meet the same fate here: they leave in one call.
        if (step.adverts == 0) return;
        for (std::size_t to = 0; to < selves_.size(); ++to)
            if (to != index) world.wire.push_back({to, {selves_[index].address, step.priority, interval}, world.now});
    }

    static Time earliest(const World& world) {
        Time result = never;
        for (const auto& state : world.routers)
            result = std::min(result, next_deadline(state));
        return result;
    }

    /// Everything that can happen next, each with its name.
    template <typename Visit>
    void each_successor(const World& world, Visit visit) const {
        for (std::size_t i = 0; i < world.wire.size(); ++i) {
            const auto message = world.wire[i];
            auto next = world;
            next.wire.erase(next.wire.begin() + static_cast<std::ptrdiff_t>(i));
            if (world.losses > 0) {
                auto lost = next;
                --lost.losses;
                visit(lost, fmt::format("{} for r{} is lost", message.heard.priority.value, message.to + 1));
            }
            apply(next, message.to, AdvertReceived{message.heard});
            visit(next, fmt::format("r{} hears {}", message.to + 1, message.heard.priority.value));
        }
        const auto first = earliest(world);
        for (std::size_t i = 0; i < world.routers.size(); ++i)
            for (const auto late : {Duration::zero(), lateness}) {
                const auto due = next_deadline(world.routers[i]);
                if (due == never) continue;
                auto next = world;
                next.now = std::max(world.now, due + late);
                const bool too_late = std::ranges::any_of(
                    world.wire, [&](const Message& message) { return message.sent + wire_delay < next.now; });
                if (due > first + lateness || next.now > first + lateness || too_late) continue;
                apply(next, i, Elapsed{});
                visit(next, fmt::format("r{}'s timer{}", i + 1, late > Duration::zero() ? ", late" : ""));
            }
        for (std::size_t i = 0; i < world.routers.size(); ++i) {
            const bool off = std::holds_alternative<Init>(world.routers[i]);
            auto next = world;
            if (off) {
                apply(next, i, Ready{});
                visit(next, fmt::format("r{} starts", i + 1));
            } else if (world.crashes > 0) {
                --next.crashes;
                next.routers[i] = Init{};
                visit(next, fmt::format("r{} is killed", i + 1));
            }
            if (off || world.stops == 0) continue;
            next = world;
            --next.stops;
            apply(next, i, Leave{LeaveCause::stop});
            visit(next, fmt::format("r{} is told to stop", i + 1));
        }
    }

    // ---- what each step must keep -----------------------------------------------------------------------------------------

    /// reliability.md N2 to N6 and N8, of one step of one router.
    std::string broken_by(std::size_t index, const State& before, const Event& event, const Step& step,
                          Time now) const {
        const auto* heard = std::get_if<AdvertReceived>(&event);
        const bool was_master = std::holds_alternative<Master>(before),
                   is_master = std::holds_alternative<Master>(step.next);
        const bool says_zero = step.adverts > 0 && step.priority == leaving_priority;
        const bool says_more = step.adverts > 0 && !says_zero;
        const bool yields = was_master && heard && step.adverts == 1;
        if (says_zero && !(was_master && std::holds_alternative<Leaving>(step.next)))
            return fmt::format("N6: r{} says 0 and was no master, or is one still", index + 1);
        if (says_more && !is_master && !yields) return fmt::format("N2: r{} advertises and is no master", index + 1);
        if (says_more && step.priority != selves_[index].priority)
            return fmt::format("N2: r{} advertises another priority", index + 1);
        if (was_master && heard && heard->heard.priority != leaving_priority &&
            outranks(heard->heard, selves_[index]) == is_master)
            return fmt::format("N4, N5: r{} stays beside a better master or yields to a lower one", index + 1);
        if (std::holds_alternative<Elapsed>(event) && next_deadline(step.next) <= now)
            return fmt::format("N3: r{} leaves a deadline behind that has come", index + 1);
        const auto* backup = std::get_if<Backup>(&before);
        const bool follows = backup && backup->followed && backup->takeover == Reason::master_silent;
        if (follows && is_master && now < backup->master_down)
            return fmt::format("N8: r{} takes over from a master that it hears", index + 1);
        return {};
    }

    // ---- what must hold ---------------------------------------------------------------------------------------------------

    std::size_t masters(const World& world) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            world.routers, [](const State& state) { return std::holds_alternative<Master>(state); }));
    }

    /// Nobody sleeps longer than the RFC lets him, and nobody gives an address up for a successor that was not heard.
    std::string broken_at_once(const World& world) const {
        if (!world.broken.empty()) return world.broken;
        for (std::size_t i = 0; i < selves_.size(); ++i) {
            const auto& state = world.routers[i];
            const auto limit = std::holds_alternative<Backup>(state)   ? master_down(selves_[i], interval)
                               : std::holds_alternative<Master>(state) ? interval
                                                                       : handover_limit(selves_[i]);
            if (next_deadline(state) != never && next_deadline(state) > world.now + limit)
                return fmt::format("r{} sleeps too long", i + 1);
            const auto* leaving = std::get_if<Leaving>(&state);
            if (leaving && leaving->release != never && !leaving->successor)
                return fmt::format("r{} leaves for nobody", i + 1);
        }
        const bool faultless =
            world.losses == start_.losses && world.crashes == start_.crashes && world.stops == start_.stops;
        if (faultless && world.wire.empty() && masters(world) > 1) return "two masters, and nothing was lost";
        return {};
    }

    /// No more faults: everything is delivered at once and every timer is on time.
    std::string broken_in_the_end(World world) const {
        const auto end = world.now + 4 * master_down(selves_.back(), interval);
        for (;;) {
            if (!world.wire.empty()) {
                const auto message = world.wire.front();
                world.wire.erase(world.wire.begin());
                apply(world, message.to, AdvertReceived{message.heard});
                continue;
            }
            const auto due = earliest(world);
            if (due > end) break;
            world.now = std::max(world.now, due);
            for (std::size_t i = 0; i < selves_.size(); ++i)
                if (next_deadline(world.routers[i]) <= world.now) apply(world, i, Elapsed{});
        }
        Priority best{0}, serving{0};
        for (std::size_t i = 0; i < selves_.size(); ++i) {
            if (!std::holds_alternative<Init>(world.routers[i])) best = std::max(best, selves_[i].priority);
            if (std::holds_alternative<Master>(world.routers[i])) serving = selves_[i].priority;
        }
        if (best == Priority{0}) return {}; // nobody is left
        if (masters(world) != 1) return fmt::format("{} masters in the end", masters(world));
        if (!preempt_) return {}; // whoever serves stays
        // Of equals the one that serves stays: RFC 9568 6.4.2 preempts by priority alone.
        if (serving != best) return fmt::format("priority {} serves in the end, not {}", serving.value, best.value);
        return {};
    }

    // ---- the search -------------------------------------------------------------------------------------------------------

    /// Two worlds that differ by when it is alone have the same future.
    std::string key(const World& world) const {
        std::string out = fmt::format("{} {} {}", world.losses, world.crashes, world.stops);
        const auto relative = [&](Time time) {
            return time == never ? -1 : std::max<long>(-1000, (time - world.now) / 1us);
        };
        for (const auto& state : world.routers) {
            out += fmt::format("|{} {}", state.index(), relative(next_deadline(state)));
            if (const auto* backup = std::get_if<Backup>(&state))
                out += fmt::format(" {} {} {} {} {}", backup->master ? backup->master->priority.value : 0,
                                   backup->lower_master ? backup->lower_master->priority.value : 0, backup->followed,
                                   backup->prompted, static_cast<int>(backup->takeover));
            if (const auto* master = std::get_if<Master>(&state))
                out += fmt::format(" {} {} {}", relative(master->extra_allowed), relative(master->announce_allowed),
                                   master->announce_owed);
            if (const auto* leaving = std::get_if<Leaving>(&state))
                out += fmt::format(" {} {}", relative(leaving->deadline), relative(leaving->release));
        }
        std::vector<std::string> wire;
        for (const auto& message : world.wire)
            wire.push_back(fmt::format("/{} {} {}", message.to, message.heard.priority.value, relative(message.sent)));
        std::ranges::sort(wire);
        for (const auto& each : wire)
            out += each;
        return out;
    }

    void explore(const World& world, unsigned depth, Path& path) {
        if (::testing::Test::HasFailure()) return;
        // What was seen with fewer steps left has to be looked at again.
        auto& left = seen_[key(world)];
        if (left > depth) return;
        if (left == 0) {
            auto why = broken_at_once(world);
            if (why.empty()) why = broken_in_the_end(world);
            if (!why.empty()) {
                std::string story;
                for (const auto& each : path)
                    story += "\n  " + each;
                FAIL() << why << " after:" << story;
            }
        }
        left = depth + 1;
        if (depth == 0) return;
        each_successor(world, [&](const World& next, std::string what) {
            path.push_back(std::move(what));
            explore(next, depth - 1, path);
            path.pop_back();
        });
    }

    bool preempt_;
    std::vector<Self> selves_;
    World start_;
    std::unordered_map<std::string, unsigned> seen_; ///< with so many steps left and one
};

struct Case {
    const char* name;
    std::vector<unsigned> priorities;
    unsigned losses, crashes, stops, depth;
    bool preempt{true};
};

class Routers : public testing::TestWithParam<Case> {};

TEST_P(Routers, AgreeOnTheBestFromEveryStateThatCanBeReached) {
    const auto& c = GetParam();
    World start;
    start.losses = c.losses;
    start.crashes = c.crashes;
    start.stops = c.stops;
    const auto states = Enumeration{c.priorities, c.preempt, start}.run(c.depth);
    std::printf("%s: %zu states to depth %u\n", c.name, states, c.depth);
    EXPECT_GT(states, 400U); // a search that finds nothing proves nothing
}

INSTANTIATE_TEST_SUITE_P(Enumerated, Routers,
                         testing::Values(Case{"two", {200, 100}, 2, 1, 1, 24},
                                         Case{"two_equal", {100, 100}, 2, 1, 1, 24},
                                         Case{"two_without_faults", {200, 199}, 0, 0, 0, 40},
                                         Case{"two_without_preemption", {200, 100}, 2, 1, 1, 24, false},
                                         Case{"three_without_preemption", {200, 150, 100}, 1, 1, 1, 13, false},
                                         Case{"three", {200, 150, 100}, 1, 1, 1, 15},
                                         Case{"three_equal", {100, 100, 100}, 1, 1, 0, 15}),
                         [](const auto& each) { return std::string{each.param.name}; });

} // namespace
} // namespace holdfast::vrrp
