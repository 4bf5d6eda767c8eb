// The fake kernels of the world: addresses under leases, an executor that is slow, refuses or comes too late, news that arrive
// behind the facts, and strangers who edit.

#include "base/result.hpp"
#include "world.hpp"

#include <algorithm>
#include <cerrno>

namespace holdfast::sim {
namespace {

constexpr Duration expiry_scan_slack = 300ms; ///< the kernel looks about once a second (PROTOCOL.md, "The lease")

} // namespace

engine::Link World::link_of(const Host& host) const {
    return {.index = host.kernel.link,
            .name = host.kernel.link_name,
            .up = host.kernel.link_up,
            .mac = host.mac,
            .mtu = 1500,
            .has_arp = true,
            .admin_up = true,
            .ipv4 = {.arp = host.kernel.arp}};
}

engine::KernelListed World::list(const Host& host) const {
    engine::KernelListed listed;
    for (const auto& rule : host.kernel.rules) // they hang on no link
        listed.rules.push_back(std::make_shared<const model::Rule>(rule));
    if (!host.kernel.link_exists) return listed;
    listed.links.push_back(link_of(host));
    for (const auto& [index, link] : host.kernel.macvlans)
        listed.links.push_back(link);
    for (const auto& [prefix, address] : host.kernel.addresses)
        listed.addresses.push_back(
            {.link = address.link,
             .prefix = prefix,
             .ours = address.ours,
             .tentative = false,
             .lifetime = address.expires == never ? std::nullopt : std::optional{address.expires - now_},
             .traits = address.traits});
    for (const auto& [id, route] : host.kernel.routes)
        listed.routes.push_back(route);
    return listed;
}

/// Taken in the executor's turn, told later; what the kernel tells meanwhile waits behind it (daemon/loop).
void World::ask_for_list(std::size_t index) {
    auto& host = *hosts[index];
    if (std::exchange(host.is_listing, true)) return;
    const auto delay = std::max(host.options.kernel_delay, host.options.list_delay);
    host.executor_free = std::max(host.executor_free, now_ + delay / 2);
    schedule(host.executor_free, [this, index, delay, life = host.life] {
        if (hosts[index]->life != life) return;
        schedule(now_ + delay / 2, [this, index, life, listed = list(*hosts[index])] {
            if (hosts[index]->life != life) return;
            deliver(index, listed);
            if (hosts[index]->life != life) return;
            hosts[index]->is_listing = false;
            for (const auto& news : std::exchange(hosts[index]->held_news, {}))
                if (hosts[index]->life == life) deliver(index, news);
        });
    });
}

/// News come in order, each behind its fact.
void World::tell(std::size_t index, engine::Event event) {
    auto& host = *hosts[index];
    host.news_free = std::max(host.news_free, now_ + host.options.news_delay);
    schedule(host.news_free, [this, index, life = host.life, event = std::move(event)] {
        auto& told = *hosts[index];
        if (told.life != life) return;
        if (told.is_listing)
            told.held_news.push_back(event);
        else
            deliver(index, event);
    });
}

void World::lose_news(std::size_t index) {
    auto& host = *hosts[index];
    if (!host.engine) return;
    host.held_news.clear();
    host.is_listing = false;
    ask_for_list(index);
}

/// The address that an operation is about.
std::optional<Prefix> World::prefix_of(const engine::Operation& operation) {
    return std::visit(
        [](const auto& body) -> std::optional<Prefix> {
            if constexpr (requires { body.prefix; })
                return body.prefix;
            else
                return std::nullopt;
        },
        operation.what);
}

void World::operate(std::size_t index, const engine::Operation& operation) {
    auto& host = *hosts[index];
    const auto prefix = prefix_of(operation);
    ++(prefix ? host.in_flight[*prefix] : host.others_in_flight);
    // The executor is another thread of the same process: it stands still while the process is paused, and it reads the
    // clock right before it writes.
    const auto execute = [this, index, operation, prefix, life = host.life] {
        auto& executing = *hosts[index];
        if (executing.life != life) return;
        const int error = local_now(executing) > operation.not_after ? ECANCELED : apply(executing, operation);
        schedule(now_ + executing.options.kernel_delay / 2, [this, index, life, prefix, id = operation.id, error] {
            if (hosts[index]->life != life) return;
            auto& answered = *hosts[index];
            --(prefix ? answered.in_flight[*prefix] : answered.others_in_flight);
            deliver(index, engine::OperationDone{id, error});
        });
    };
    host.executor_free = std::max(host.executor_free, now_ + host.options.kernel_delay / 2);
    schedule(host.executor_free, [this, index, life = host.life, execute] {
        auto& waiting = *hosts[index];
        if (waiting.life != life) return;
        if (!waiting.paused_until) return execute();
        schedule(*waiting.paused_until - (waiting.executor_wakes_first ? 1ns : 0ns), execute);
    });
}

int World::apply(Host& host, const engine::Operation& operation) {
    auto& addresses = host.kernel.addresses;
    const auto index = static_cast<std::size_t>(
        std::ranges::find_if(hosts, [&](const auto& h) { return h.get() == &host; }) - hosts.begin());
    const bool is_rule = std::holds_alternative<engine::PutRule>(operation.what) ||
                         std::holds_alternative<engine::RemoveRule>(operation.what);
    if (!host.kernel.link_exists && !is_rule) return ENODEV;
    const auto there = [&](LinkIndex link) { return link == host.kernel.link || host.kernel.macvlans.contains(link); };
    const auto put = [&](const auto& wish) {
        if (!there(wish.link)) return ENODEV;
        auto& address = addresses[wish.prefix];
        address.ours = true;
        address.link = wish.link;
        address.traits = engine::traits_of(wish.options, wish.prefix.address.family);
        address.expires = wish.lease ? now_ + *wish.lease : never;
        if (wish.lease)
            schedule(address.expires + rng.between(0ms, expiry_scan_slack),
                     [this, index, prefix = wish.prefix] { expire(index, prefix); });
        const auto lifetime = wish.lease ? std::optional<Duration>{*wish.lease} : std::nullopt;
        tell(index, engine::AddressChanged{{.link = wish.link,
                                            .prefix = wish.prefix,
                                            .ours = true,
                                            .lifetime = lifetime,
                                            .traits = address.traits}});
        return 0;
    };
    return std::visit(Overloaded{[&](const engine::AddAddress& add) {
                                     if (host.kernel.refuses) return EPERM;
                                     if (addresses.contains(add.prefix)) return EEXIST;
                                     return put(add);
                                 },
                                 [&](const engine::RenewAddress& renew) {
                                     return host.kernel.refuses ? EPERM : put(renew); // a lapsed one comes back
                                 },
                                 [&](const engine::RemoveAddress& remove) {
                                     const auto at = addresses.find(remove.prefix);
                                     if (at == addresses.end() || at->second.link != remove.link) return EADDRNOTAVAIL;
                                     addresses.erase(at);
                                     tell(index, engine::AddressRemoved{remove.link, remove.prefix});
                                     return 0;
                                 },
                                 [&](const engine::PutRoute& wish) { return put_route(index, wish); },
                                 [&](const engine::RemoveRoute& wish) { return remove_route(index, wish.id); },
                                 [&](const engine::PutRule& wish) {
                                     if (!host.kernel.rules.insert(*wish.rule).second) return EEXIST;
                                     tell(index, engine::RuleChanged{wish.rule});
                                     return 0;
                                 },
                                 [&](const engine::RemoveRule& wish) {
                                     if (!host.kernel.rules.erase(*wish.rule)) return ENOENT;
                                     tell(index, engine::RuleRemoved{wish.rule});
                                     return 0;
                                 },
                                 [&](const engine::PromoteSecondaries& wish) { return there(wish.link) ? 0 : ENODEV; },
                                 [&](const auto&) { return apply_to_link(index, operation); }},
                      operation.what);
}

int World::put_route(std::size_t index, const engine::PutRoute& put) {
    auto& kernel = hosts[index]->kernel;
    const auto id = put.route->id();
    if (kernel.refuses) return ENETUNREACH;
    if (!kernel.link_up) return ENETDOWN;
    if (!put.replace && kernel.routes.contains(id)) return EEXIST;
    kernel.routes[id] = {.id = id, .ours = true, .link = kernel.link, .via = put.route->via};
    tell(index, engine::RouteChanged{kernel.routes[id], put.replace});
    return 0;
}

int World::remove_route(std::size_t index, const model::RouteId& id) {
    auto& routes = hosts[index]->kernel.routes;
    const auto at = routes.find(id);
    if (at == routes.end() || !at->second.ours) return ESRCH;
    const auto route = at->second;
    routes.erase(at);
    tell(index, engine::RouteRemoved{route});
    return 0;
}

/// The kernel tells of a link that is up; of one that is down, only that it came, went or was lowered.
int World::apply_to_link(std::size_t index, const engine::Operation& operation) {
    auto& kernel = hosts[index]->kernel;
    const auto* set = std::get_if<engine::SetLinkUp>(&operation.what);
    const bool takes_away = std::holds_alternative<engine::RemoveLink>(operation.what) || (set && !set->up);
    if (kernel.refuses && !takes_away) return EPERM;
    const auto change = [&](LinkIndex link, auto how) {
        const auto at = kernel.macvlans.find(link);
        if (at == kernel.macvlans.end()) return ENODEV;
        const bool was_up = at->second.admin_up;
        how(at->second);
        if (was_up || at->second.admin_up) tell(index, engine::LinkChanged{at->second});
        return 0;
    };
    return std::visit(Overloaded{[&](const engine::AddLink& add) {
                                     if (add.parent != kernel.link) return ENODEV;
                                     for (const auto& [other, link] : kernel.macvlans)
                                         if (link.name == add.name) return EEXIST;
                                     const LinkIndex link{kernel.next_link.value++};
                                     kernel.macvlans[link] = {.index = link,
                                                              .name = add.name,
                                                              .mac = add.ipvlan ? hosts[index]->mac : add.mac,
                                                              .ours = true,
                                                              .ipvlan = add.ipvlan,
                                                              .parent = add.parent,
                                                              .makes_ipv6_addresses = true};
                                     tell(index, engine::LinkChanged{kernel.macvlans[link]});
                                     return 0;
                                 },
                                 [&](const engine::ConfigureLink& configure) {
                                     return change(configure.link, [&](engine::Link& link) {
                                         link.alias = configure.alias;
                                         link.ipv4 = configure.ipv4;
                                         link.makes_ipv6_addresses = false;
                                     });
                                 },
                                 [&](const engine::SetLinkUp& wish) {
                                     return change(wish.link,
                                                   [&](engine::Link& link) { link.up = link.admin_up = wish.up; });
                                 },
                                 [&](const engine::RemoveLink& remove) {
                                     if (!kernel.macvlans.contains(remove.link)) return ENODEV;
                                     remove_macvlan(index, remove.link);
                                     return 0;
                                 },
                                 [&](const engine::SetArp& wish) {
                                     if (wish.link != kernel.link) return ENODEV;
                                     kernel.arp = wish.arp;
                                     tell(index, engine::LinkChanged{link_of(*hosts[index])});
                                     return 0;
                                 },
                                 [](const auto&) { return EINVAL; }},
                      operation.what);
}

void World::remove_macvlan(std::size_t index, LinkIndex link) {
    auto& kernel = hosts[index]->kernel;
    std::erase_if(kernel.addresses, [&](const auto& entry) {
        if (entry.second.link != link) return false;
        tell(index, engine::AddressRemoved{link, entry.first});
        return true;
    });
    kernel.macvlans.erase(link);
    tell(index, engine::LinkRemoved{link});
}

void World::expire(std::size_t index, const Prefix& prefix) {
    auto& host = *hosts[index];
    const auto at = host.kernel.addresses.find(prefix);
    if (at == host.kernel.addresses.end() || at->second.expires > now_) return;
    const auto link = at->second.link;
    host.kernel.addresses.erase(at);
    tell(index, engine::AddressRemoved{link, prefix});
}

// ---- strangers and hardware ---------------------------------------------------------------------------------------------

void World::refuse(std::size_t index, bool on) {
    hosts[index]->kernel.refuses = on;
    hosts[index]->disturbed = now_;
}

void World::slow_down(std::size_t index, Duration kernel_delay) {
    hosts[index]->options.kernel_delay = kernel_delay;
    hosts[index]->disturbed = now_;
}

void World::set_link(std::size_t index, bool up) {
    auto& host = *hosts[index];
    host.kernel.link_up = up;
    if (!up) host.kernel.routes.clear(); // IPv4 routes go without a word
    host.disturbed = now_;
    if (host.kernel.link_exists) tell(index, engine::LinkChanged{link_of(host)});
}

void World::remove_link(std::size_t index, bool exists) {
    auto& host = *hosts[index];
    host.kernel.link_exists = exists;
    host.disturbed = now_;
    if (exists) {
        if (!host.options.keeps_index) host.kernel.link = LinkIndex{host.kernel.next_link.value++};
        host.kernel.link_name = "eth0";
        tell(index, engine::LinkChanged{link_of(host)});
        for (auto& [prefix, address] : host.kernel.addresses) { // whoever made it gives it its addresses again
            address.link = host.kernel.link;
            tell(index, engine::AddressChanged{
                            {.link = address.link, .prefix = prefix, .ours = address.ours, .traits = address.traits}});
        }
        return;
    }
    while (!host.kernel.macvlans.empty())
        remove_macvlan(index, host.kernel.macvlans.begin()->first);
    host.kernel.arp = {}; // another interface of the same name comes
    std::erase_if(host.kernel.addresses, [](const auto& entry) { return entry.second.ours; });
    host.kernel.routes.clear();
    std::erase_if(host.listening, [&](const auto& socket) { return socket.first == host.kernel.link; });
    tell(index, engine::LinkRemoved{host.kernel.link});
}

void World::rename_link(std::size_t index, const std::string& name) {
    auto& host = *hosts[index];
    host.kernel.link_name = name;
    host.disturbed = now_;
    if (host.kernel.link_exists) tell(index, engine::LinkChanged{link_of(host)});
}

void World::delete_address(std::size_t index, const Prefix& prefix) {
    auto& addresses = hosts[index]->kernel.addresses;
    const auto at = addresses.find(prefix);
    if (at == addresses.end()) return;
    const auto link = at->second.link;
    addresses.erase(at);
    tell(index, engine::AddressRemoved{link, prefix});
}

void World::delete_macvlan(std::size_t index) {
    if (!hosts[index]->kernel.macvlans.empty()) remove_macvlan(index, hosts[index]->kernel.macvlans.begin()->first);
}

void World::delete_route(std::size_t index, const Prefix& prefix) {
    auto& routes = hosts[index]->kernel.routes;
    for (auto at = routes.begin(); at != routes.end(); ++at) {
        if (at->first.to != prefix) continue;
        const auto route = at->second;
        routes.erase(at);
        return tell(index, engine::RouteRemoved{route});
    }
}

void World::add_foreign_route(std::size_t index, const Prefix& prefix) {
    const engine::KernelRoute route{.id = {.to = prefix}, .link = hosts[index]->kernel.link};
    hosts[index]->kernel.routes[route.id] = route;
    tell(index, engine::RouteChanged{route, false});
}

void World::add_foreign(std::size_t index, const Prefix& prefix) {
    const auto link = hosts[index]->kernel.link;
    hosts[index]->kernel.addresses[prefix] = {.link = link};
    tell(index, engine::AddressChanged{{.link = link, .prefix = prefix}});
}

} // namespace holdfast::sim
