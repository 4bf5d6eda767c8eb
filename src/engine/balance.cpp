// Where virtual servers and virtual routers meet: a service that follows a master is in the table before the address comes, and
// until it has gone. Everything else of virtual servers is Servers' own.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration table_limit = 100ms; ///< a kernel that does not answer holds no address up for longer

bool is_named(const Router& router, const std::string& name) {
    return router.name() == name || model::object_name(router.name()) == name || router.group == name;
}

} // namespace

void Engine::with_servers(const std::function<void(Servers::Turn)>& act) {
    std::vector<Transition> edges;
    act({now_, *out_, edges});
    for (auto& edge : edges)
        record_edge(std::move(edge));
    view_changed_ = view_changed_ || servers_.view_changed();
    settle_needed_ = settle_needed_ || !edges.empty();
}

bool Engine::has_addresses(const Router& router) const {
    return std::ranges::any_of(router.keys, [this](const AddressKey& key) {
        const auto* const known = kernel_.address(key);
        return known && known->ours;
    });
}

void Engine::follow_masters() {
    for (const auto& name : servers_.followed()) {
        // A host that serves what it directs would send packets to and fro with the next director, and refuses nobody
        // without its table (decision 0021). Any other keeps the table for who comes until the addresses have gone, and so
        // does one that is back in time and may be master in a moment.
        const bool serves_too = servers_.serves_all_of(name);
        const bool wanted = std::ranges::any_of(routers_, [&](const auto& router) {
            return router && is_named(*router, name) &&
                   (vrrp::holds_addresses(router->state) ||
                    ((!serves_too || may_come_back(*router)) && has_addresses(*router)));
        });
        with_servers([&](Servers::Turn turn) { servers_.follow(name, wanted, turn); });
        if (!wanted) continue;
        for (auto& router : routers_)
            if (router && is_named(*router, name)) wait_for_table(*router, servers_.is_ready(name));
    }
    if (!servers_.knows_masters()) with_servers([&](Servers::Turn turn) { servers_.masters_are_known(turn); });
}

/// Tutorials make two hosts directors and real servers without a word of which is which: nothing keeps their tables apart then
/// (decision 0021). A host alone has nobody to send anything to and fro with.
void Engine::find_unnamed_hosts() {
    if (!std::exchange(hosts_stale_, false) || config_->virtual_servers.empty()) return;
    std::vector<IpAddress> own;
    for (const auto& [key, address] : kernel_.addresses())
        if (!address.ours) own.push_back(key.prefix.address);
    std::ranges::sort(own);
    const auto is_unnamed = [&](const model::RealServer& real) {
        return real.host.empty() && real.forwarding.method != model::Forwarding::Method::nat &&
               std::ranges::binary_search(own, real.address);
    };
    for (const auto& server : config_->virtual_servers) {
        const auto real = std::ranges::find_if(server.real_servers, is_unnamed);
        const bool moves =
            !server.while_master.empty() || std::ranges::any_of(server.services, [this](const auto& key) {
                return key.mark == 0 && is_virtual(key.address);
            });
        with_servers([&](Servers::Turn turn) {
            servers_.warn(server.name,
                          real == server.real_servers.end() || !moves
                              ? std::string{}
                              : fmt::format("real server '{}' is this host ({}), and the file does not say so: two "
                                            "directors may send its connections to and fro; add host: {} to it",
                                            real->name, to_string(real->address), config_->node_name),
                          turn);
        });
    }
}

/// Addresses that waited are looked at again when the table is there, or their time is over.
void Engine::wait_for_table(Router& router, bool ready) {
    if (ready || now_ >= router.since + table_limit) {
        if (std::exchange(router.table_until, std::nullopt)) mark_addresses(router);
    } else if (vrrp::holds_addresses(router.state) && !router.table_until) {
        router.table_until = router.since + table_limit;
        deadlines_[router.slot] = router_deadline(router);
    }
}

/// The table comes before the address: a client that is early would be refused by a host without it.
bool Engine::waits_for_table(const Router& router, const AddressKey& key) const {
    if (servers_.followed().empty() || kernel_.address(key)) return false;
    const auto waits = [&](const std::string& name) { return is_named(router, name) && !servers_.is_ready(name); };
    return std::ranges::any_of(servers_.followed(), waits) && now_ < router.since + table_limit;
}

/// Trackers of virtual servers; at the end of a turn, because a tracker may be what a server's check goes by.
void Engine::observe_servers() {
    for (auto& [name, tracker] : trackers_) {
        const auto* const kind = std::get_if<model::ServerTracker>(&tracker.model.kind);
        const auto quorate = kind ? servers_.has_quorum(kind->server) : std::nullopt;
        if (!quorate) continue;
        if (tracker.against && *quorate == (tracker.verdict == Verdict::down)) continue; // known; resampling counts it
        const auto before = effect_of(tracker);
        if (observe(tracker, *quorate ? Observation::up : Observation::down,
                    *quorate ? "it has its quorum" : "it has no quorum", false, now_))
            tracker_changed(tracker, before);
    }
}

/// Behind the last address.
bool Engine::servers_are_gone() {
    with_servers([&](Servers::Turn turn) { servers_.stop(turn); });
    return servers_.gone();
}

} // namespace holdfast::engine
