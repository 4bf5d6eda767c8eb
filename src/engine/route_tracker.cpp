// Route trackers read the mirror of the kernel, as interface trackers do: only a change of what it says is an observation.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace holdfast::engine {

/// The kernel tells of every route there is; only those that a tracker names are read.
void Engine::watch_routes() {
    std::vector<WatchRoutes::Where> where;
    for (const auto& [name, tracker] : trackers_)
        if (const auto* kind = std::get_if<model::RouteTracker>(&tracker.model.kind))
            where.push_back({kind->route, kind->table});
    std::ranges::sort(where);
    where.erase(std::ranges::unique(where).begin(), where.end());
    if (where == watched_routes_) return;
    watched_routes_ = where;
    out_->push_back(WatchRoutes{std::move(where)});
    if (kernel_.listed()) out_->push_back(ListKernel{});
}

void Engine::observe_routes() {
    if (!kernel_.listed()) return;
    for (auto& [name, tracker] : trackers_) {
        const auto* kind = std::get_if<model::RouteTracker>(&tracker.model.kind);
        if (!kind) continue;
        const auto fits = [&](const KernelRoute& route) {
            const auto* link = kernel_.link(route.link);
            return route.id.to == kind->route && route.id.table == kind->table &&
                   (kind->interface.empty() || (link && link->name == kind->interface)) &&
                   (!kind->via || route.via == kind->via);
        };
        const auto ours = kernel_.routes() | std::views::values;
        const bool up = std::ranges::any_of(ours, fits) || std::ranges::any_of(kernel_.other_routes(), fits);
        if (tracker.against && up == (tracker.verdict == Verdict::down)) continue; // known; resampling counts it
        const auto before = effect_of(tracker);
        if (observe(tracker, up ? Observation::up : Observation::down, up ? "there" : "no such route", false, now_))
            tracker_changed(tracker, before);
    }
}

} // namespace holdfast::engine
