// The guard of services that two hosts both direct and serve (`guard: on`): a packet that the other director has sent here is
// not scheduled a second time. Only marked packets reach the load balancer, and this host marks those of an address while it
// holds it: each address has one director, whatever is in the tables. Frames of the other director, whose MAC address the
// packet filter learns from its adverts, stay unmarked even while both believe to be master. Until it has learnt one, nothing is
// marked: a packet that both have scheduled runs in circles between them, and their entries of its connection keep all that
// follow on that way. What is not marked is served here, so no client is ever dropped.

#include "engine/engine.hpp"
#include "vrrp/timing.hpp"

#include <algorithm>

namespace holdfast::engine {

/// Whose the address is, on whichever host; none: everybody has it.
const Router* Engine::router_with(const IpAddress& address) const {
    for (const auto& router : routers_)
        if (router && std::ranges::find(router->model->addresses, address, &model::VirtualAddress::address) !=
                          router->model->addresses.end())
            return router.get();
    return nullptr;
}

/// What a host remembers of a connection that it directed sends the packets of another one, of the same client and port, to and
/// fro, when the next director has sent that one here. It forgets with the service (expire_nodest_conn), so that goes with the
/// address: decision 0021.
void Engine::leave_guarded_services() {
    std::vector<model::ServiceKey> services;
    for (const auto& server : config_->virtual_servers) {
        if (!server.guard) continue;
        for (const auto& key : server.services)
            if (const auto* const router = router_with(key.address);
                router && !vrrp::holds_addresses(router->state) && !may_come_back(*router))
                services.push_back(kernel_key(key));
    }
    std::ranges::sort(services);
    with_servers([&](Servers::Turn turn) { servers_.leave_to_others(std::move(services), turn); });
}

Guard Engine::guard() const {
    Guard result;
    for (const auto& server : config_->virtual_servers) {
        if (!server.guard) continue;
        for (const auto& real : server.real_servers)
            if (!real.host.empty() && real.host != config_->node_name &&
                real.forwarding.method == model::Forwarding::Method::dr) // a tunnel's other end may be behind a router
                result.peers.push_back(real.address);
        for (const auto& key : server.services) {
            const auto* const router = router_with(key.address);
            if (!router) continue;
            result.vrids.push_back(router->model->vrid);
            if (vrrp::holds_addresses(router->state) && knows_director())
                result.services.push_back({key.mark, key.protocol, key.address, key.port});
        }
    }
    const auto sort_out = [](auto& values) {
        std::ranges::sort(values);
        const auto twice = std::ranges::unique(values);
        values.erase(twice.begin(), twice.end());
    };
    sort_out(result.vrids);
    sort_out(result.peers);
    if (stopping_ && routers_are_gone()) return {};
    return result;
}

/// One that says nothing for as long as it takes to believe it dead sends nothing on either.
Time Engine::director_known_at() const {
    if (filter_.guarded_since == never || filter_.director_heard) return filter_.guarded_since;
    Duration patience{0};
    for (const auto& router : routers_)
        if (router && std::ranges::binary_search(filter_.guard.vrids, router->model->vrid))
            patience = std::max(patience, vrrp::master_down(router->self, router->self.interval));
    return filter_.guarded_since + patience;
}

bool Engine::knows_director() const {
    return director_known_at() <= now_;
}

/// The packet filter has seen the frame before us.
void Engine::learn_director(const Router& router) {
    if (filter_.director_heard || now_ <= filter_.guarded_since ||
        !std::ranges::binary_search(filter_.guard.vrids, router.model->vrid))
        return;
    filter_.director_heard = settle_needed_ = true;
}

} // namespace holdfast::engine
