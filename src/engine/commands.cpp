// What an operator asks of an instance or a sync group: one command, one answer, for every member of the group alike.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

/// No command makes an owner of a router, and none wins against one (RFC 9568 5.2.4).
constexpr Priority highest_by_hand{254};

bool is_backup(const Router* router) {
    return std::holds_alternative<vrrp::Backup>(router->state);
}

/// The master that a backup follows or waits to preempt.
std::optional<vrrp::Heard> master_of(const Router& router) {
    const auto* backup = std::get_if<vrrp::Backup>(&router.state);
    if (!backup) return std::nullopt;
    return backup->master ? backup->master : backup->lower_master;
}

std::string shown_name(const Router& router) {
    return router.group.empty() ? model::object_name(router.name()) : router.group;
}

} // namespace

void Engine::handle(const Commanded& command) {
    commands_.push_back(command);
    settle_needed_ = true;
}

/// A sync group moves as one, whichever member was named.
std::vector<Router*> Engine::routers_called(const std::string& name) const {
    const auto means = [&](const Router* each) {
        return each->name() == name || model::object_name(each->name()) == name || each->group == name;
    };
    std::vector<Router*> result;
    for (const auto& router : routers_)
        if (router && !router->retiring && (means(router.get()) || std::ranges::any_of(router->partners, means)))
            result.push_back(router.get());
    return result;
}

void Engine::run_commands() {
    while (!commands_.empty()) {
        const auto command = std::move(commands_.front());
        commands_.pop_front();
        const auto named = routers_called(command.command.name);
        auto refused = why_not(command.command, named);
        if (!refused)
            refused = std::visit([&](const auto& what) { return obey(what, command.id, named); }, command.command.what);
        if (refused) out_->push_back(Reply{command.id, refused->error, std::move(refused->text)});
    }
}

std::optional<Engine::Refused> Engine::why_not(const InstanceCommand& command,
                                               const std::vector<Router*>& named) const {
    if (named.empty())
        return Refused{CommandError::no_such_instance, fmt::format("there is no instance '{}'", command.name)};
    if (stopping_)
        return Refused{CommandError::stopping, "the daemon is stopping: everything is being handed over anyway"};
    if (returning_) return Refused{CommandError::stopping, "the daemon is restarting: ask again in a moment"};
    if (std::ranges::any_of(named, [](const Router* r) { return r->failover.has_value(); }))
        return Refused{CommandError::busy, fmt::format("a failover of '{}' is under way", command.name)};
    const bool gives_orders =
        std::holds_alternative<Takeover>(command.what) || std::holds_alternative<SetPriority>(command.what);
    const auto is_owner = [](const Router* router) { return router->model->is_owner(); };
    if (gives_orders && std::ranges::any_of(named, is_owner))
        return Refused{
            CommandError::unsupported,
            fmt::format("this host owns the addresses of '{}': its priority is 255 and stays so", command.name)};
    return std::nullopt;
}

void Engine::done(std::uint64_t command, std::string text) {
    out_->push_back(Reply{command, std::nullopt, std::move(text)});
}

// ---- failover -----------------------------------------------------------------------------------------------------------

std::optional<Engine::Refused> Engine::obey(const Failover& what, std::uint64_t id, const std::vector<Router*>& named) {
    const auto is_master = [](const Router* router) { return std::holds_alternative<vrrp::Master>(router->state); };
    if (std::ranges::none_of(named, is_master))
        return Refused{CommandError::not_master,
                       fmt::format("'{}' is {} on this host, so there is nothing to hand over: run it on the master",
                                   shown_name(*named.front()), vrrp::name(named.front()->state))};
    std::vector<Router*> masters;
    std::ranges::copy_if(named, std::back_inserter(masters), is_master);
    for (auto* router : masters) {
        router->failover = id;
        router->failover_hold = what.hold;
        apply(*router, vrrp::Leave{vrrp::LeaveCause::failover, !router->partners.empty()});
    }
    return std::nullopt; // answer_failover() has the last word
}

/// A pair is one command with one answer: the last member to arrive gives it, the first failure decides it.
void Engine::answer_failover(Router& router) {
    if (std::holds_alternative<vrrp::Leaving>(router.state)) return;
    const auto command = *router.failover;
    router.failover.reset();
    const bool succeeded = is_backup(&router);
    if (succeeded) {
        router.held_until = router.failover_hold ? now_ + *router.failover_hold : never;
        router.needs_assessment = true;
    }
    const auto waits = [&](const auto& other) { return other && other->failover == command; };
    if (succeeded && std::ranges::any_of(routers_, waits)) return;
    for (auto& other : routers_)
        if (waits(other)) other->failover.reset();
    if (succeeded) {
        const auto& master = std::get<vrrp::Backup>(router.state).master;
        done(command,
             fmt::format("{} is now master of '{}'; this host is held back {}",
                         master ? to_string(master->from) : "another host", shown_name(router),
                         router.failover_hold ? "for " + to_string(*router.failover_hold) : "until that one leaves"));
    } else if (std::holds_alternative<vrrp::Master>(router.state)) {
        out_->push_back(Reply{command, CommandError::no_successor,
                              fmt::format("no successor in {} ms; this host kept '{}' all the time",
                                          vrrp::handover_limit(router.self) / 1ms, router.name())});
    } else {
        out_->push_back(Reply{command, CommandError::stopping,
                              fmt::format("'{}' is {} now: the address was handed over for another reason",
                                          router.name(), vrrp::name(router.state))});
    }
}

// ---- takeover -----------------------------------------------------------------------------------------------------------

/// At once, with the highest priority that is no owner's; it lasts as long as this mastership, or whoever was preempted would
/// come straight back.
std::optional<Engine::Refused> Engine::obey(const Takeover& what, std::uint64_t id, const std::vector<Router*>& named) {
    const auto& first = *named.front();
    const auto name = shown_name(first);
    if (std::ranges::all_of(named, [](const Router* router) { return router->serves(); })) {
        done(id, fmt::format("this host is master of '{}' already", name));
        return std::nullopt;
    }
    for (const auto* router : named) {
        if (!router->faults.empty())
            return Refused{CommandError::faulted,
                           fmt::format("'{}' can't be served here: {}", name, router->faults.front().text)};
        if (!router->serves() && !is_backup(router))
            return Refused{CommandError::busy, fmt::format("'{}' is not ready yet: it waits for {}", name,
                                                           router->waiting.empty() ? "its start" : router->waiting)};
        const auto master = master_of(*router);
        if (master && master->priority >= highest_by_hand)
            return Refused{
                CommandError::outranked,
                fmt::format("{} is master of '{}' with priority {}, which nothing outranks: fail it over there",
                            to_string(master->from), name, master->priority.value)};
    }
    if (const auto alone = [](const Router* router) { return is_backup(router) && !master_of(*router); };
        !what.force && std::ranges::any_of(named, alone))
        return Refused{CommandError::no_peer,
                       fmt::format("no master of '{}' is heard, so it comes here by itself unless one is just silent; "
                                   "take it at once with --force",
                                   name)};
    for (auto* router : named) {
        router->held_until.reset();
        router->by_hand.taken_over = true;
        router->needs_assessment = true;
    }
    assess_all(); // the first advert has the priority already
    for (auto* router : named)
        if (is_backup(router)) apply(*router, vrrp::TakeOver{});
    done(id, fmt::format("this host is master of '{}' now, with priority {} as long as it stays master", name,
                         first.self.priority.value));
    return std::nullopt;
}

// ---- priority and announcement --------------------------------------------------------------------------------------------

std::optional<Engine::Refused> Engine::obey(const SetPriority& what, std::uint64_t id,
                                            const std::vector<Router*>& named) {
    for (auto* router : named) {
        router->by_hand.priority = what.priority;
        router->needs_assessment = true;
    }
    settle_needed_ = record_changed_ = true;
    const auto& first = *named.front();
    if (what.priority)
        done(id, fmt::format("'{}' has priority {} in place of {} until it is reset or the daemon stops",
                             shown_name(first), what.priority->value, first.model->priority.value));
    else
        done(id,
             fmt::format("'{}' has its configured priority {} again", shown_name(first), first.model->priority.value));
    return std::nullopt;
}

std::optional<Engine::Refused> Engine::obey(const AnnounceNow&, std::uint64_t id, const std::vector<Router*>& named) {
    std::size_t count = 0;
    for (auto* router : named) {
        if (!std::holds_alternative<vrrp::Master>(router->state)) continue;
        announce(*router, 1);
        count += router->keys.size() + router->excluded.keys.size();
    }
    if (count == 0)
        return Refused{CommandError::not_master,
                       fmt::format("'{}' is {} on this host, so there is nothing to announce: run it on the master",
                                   shown_name(*named.front()), vrrp::name(named.front()->state))};
    done(id, fmt::format("announcing {} address{} of '{}'", count, count == 1 ? "" : "es", shown_name(*named.front())));
    return std::nullopt;
}

/// What was ordered by hand, as a part of the priority that stands beside the trackers' parts.
int Engine::add_orders(const Router& router, int sum, std::vector<Contribution>& contributions) const {
    const auto raise_to = [&](const char* why, Priority priority, int from) {
        contributions.push_back({why, priority.value - from});
        sum += priority.value - from;
    };
    if (router.by_hand.priority) raise_to("(set by hand)", *router.by_hand.priority, router.model->priority.value);
    if (router.by_hand.taken_over) raise_to("(takeover)", highest_by_hand, sum);
    return sum;
}

} // namespace holdfast::engine
