// `accept: off` (RFC 9568 6.1, Accept_Mode): the addresses that no packet may reach, all of this node together, in one packet
// filter table of our own. It is there before the first address is, and goes when the last one has gone.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr std::uint64_t guard_key = 0x6775617264; ///< of its complaint
constexpr Duration try_again = 1min;              ///< a program that is missing now will hardly come by itself

} // namespace

std::vector<IpAddress> Engine::refused_addresses() const {
    std::vector<IpAddress> result;
    const auto at_rest = [](const auto& router) {
        return !router || std::holds_alternative<vrrp::Init>(router->state);
    };
    if (stopping_ && addresses_are_gone() && std::ranges::all_of(routers_, at_rest)) return result;
    for (const auto& router : routers_)
        if (router && !router->model->accept && !router->model->is_owner())
            for (const auto* addresses : {&router->model->addresses, &router->model->excluded_addresses})
                for (const auto& each : *addresses)
                    result.push_back(each.address);
    std::ranges::sort(result);
    const auto twice = std::ranges::unique(result);
    result.erase(twice.begin(), twice.end());
    return result;
}

void Engine::reconcile_filter() {
    if (filter_.operation) return; // its answer looks again
    auto wish = refused_addresses();
    auto guarded = guard();
    if (const auto at = director_known_at(); at != never && at > now_) retry_at_ = std::min(retry_at_, at);
    if (wish == filter_.applied && guarded == filter_.guard && !filter_.left_behind) return;
    if (now_ < filter_.not_before) {
        retry_at_ = std::min(retry_at_, filter_.not_before);
        return;
    }
    const OperationId id{next_operation_++};
    filter_.operation = id;
    filter_.asked = std::move(wish);
    filter_.asked_guard = std::move(guarded);
    record_changed_ = true; // from now on there may be a table that the next process has to know of
    out_->push_back(SetFilter{id, filter_.asked, filter_.asked_guard});
}

void Engine::handle(const FilterDone& event) {
    if (filter_.operation != event.id) return;
    filter_.operation.reset();
    filter_.problem = event.problem;
    settle_needed_ = record_changed_ = view_changed_ = true;
    for (auto& router : routers_)
        if (router && !router->model->accept) router->view_changed = true;
    if (event.problem.empty()) {
        note_guard(event.guard_is_new || filter_.guard.vrids.empty());
        filter_.applied = std::move(filter_.asked);
        filter_.guard = std::move(filter_.asked_guard);
        filter_.left_behind = false;
        return;
    }
    filter_.not_before = now_ + try_again;
    if (!filter_.asked_guard.vrids.empty())
        tell_limited(guard_key, Severity::warning, NoteKind::missing_service, "",
                     fmt::format("`guard: on` is not in force, so what clients send here is served here: {}; then "
                                 "reload, or wait a minute",
                                 event.problem));
    for (auto& router : routers_)
        if (router && !router->model->accept && !router->model->is_owner())
            complain(Severity::warning, NoteKind::missing_service, *router, 2,
                     fmt::format("{}: {}", router->name(), filter_warning()->text));
}

/// What was asked for is in force.
void Engine::note_guard(bool is_new) {
    if (filter_.asked_guard.vrids.empty())
        filter_.guarded_since = never;
    else if (is_new) {
        filter_.guarded_since = now_;
        filter_.director_heard = false;
    }
}

std::optional<FaultCause> Engine::filter_warning() const {
    if (filter_.problem.empty()) return std::nullopt;
    return FaultCause{"accept",
                      fmt::format("`accept: off` is not in force, so packets to the addresses are accepted: {}; "
                                  "then reload, or wait a minute",
                                  filter_.problem)};
}

/// A stop does not wait for a program that fails.
bool Engine::filter_is_gone() const {
    if (filter_.operation) return false;
    return (filter_.applied.empty() && filter_.guard == Guard{} && !filter_.left_behind) || !filter_.problem.empty();
}

} // namespace holdfast::engine
