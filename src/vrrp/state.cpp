#include "vrrp/state.hpp"

#include "base/result.hpp"

#include <algorithm>

namespace holdfast::vrrp {

bool holds_addresses(const State& state) {
    const auto* backup = std::get_if<Backup>(&state);
    return serves(state) || (backup && backup->adopting);
}

bool serves(const State& state) {
    return std::holds_alternative<Master>(state) || std::holds_alternative<Leaving>(state);
}

Time next_deadline(const State& state) {
    return std::visit(
        Overloaded{[](const Backup& s) {
                       return s.preempt_at && !s.preempting ? std::min(s.master_down, *s.preempt_at) : s.master_down;
                   },
                   [](const Master& s) {
                       const auto next = std::min(s.next_advert, s.announce_again);
                       return s.announce_owed ? std::min(next, s.announce_allowed) : next;
                   },
                   [](const Leaving& s) { return s.waits_for_partners ? s.deadline : std::min(s.deadline, s.release); },
                   [](const auto&) { return never; }},
        state);
}

std::string_view name(const State& state) {
    const auto* const backup = std::get_if<Backup>(&state);
    if (backup && backup->adopting) return state_names[State{Init{}}.index()];
    return std::holds_alternative<Leaving>(state) ? state_names[State{Master{}}.index()] : state_names[state.index()];
}

namespace {

struct Words {
    std::string_view code, text;
};

Words words(Reason reason) {
    switch (reason) {
    case Reason::starting: return {"starting", "it has not begun yet"};
    case Reason::ready: return {"ready", "it listens for a master"};
    case Reason::owner: return {"owner", "this host owns the addresses (priority 255)"};
    case Reason::master_silent: return {"master_silent", "no advert of a master was heard in time"};
    case Reason::master_left: return {"master_left", "the master announced that it leaves"};
    case Reason::preempted: return {"preempted", "the master's priority was below ours"};
    case Reason::higher_priority: return {"higher_priority", "a master of higher order was heard"};
    case Reason::leaving: return {"leaving", "it serves on until its successor is heard"};
    case Reason::failover: return {"failover", "it handed over on command"};
    case Reason::no_successor: return {"no_successor", "a failover found no successor, so it serves on"};
    case Reason::stopped: return {"stopped", "the daemon stops"};
    case Reason::fault: return {"fault", "it must not serve"};
    case Reason::adopted: return {"adopted", "it took up where the process before it died"};
    case Reason::lease_lost: return {"lease_lost", "it slept past its own lease and another master took over"};
    case Reason::taken_over: return {"taken_over", "an operator ordered it"};
    case Reason::sync_group: return {"sync_group", "it moved with its sync group"};
    }
    return {"unknown", "unknown"};
}

} // namespace

std::string_view name(Reason reason) {
    return words(reason).code;
}

std::string_view explain(Reason reason) {
    return words(reason).text;
}

} // namespace holdfast::vrrp
