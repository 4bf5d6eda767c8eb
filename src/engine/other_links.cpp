// Links besides a router's own that its addresses are on: they are listened on for announcements, prepared for leases, and their
// faults are the instance's unless the address says `track: off`.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

std::vector<std::string> links_of(const model::Route& route) {
    std::vector<std::string> names;
    if (!route.interface.empty()) names.push_back(route.interface);
    for (const auto& hop : route.nexthops)
        if (!hop.interface.empty()) names.push_back(hop.interface);
    return names;
}

} // namespace

void Engine::listen_on(const ListenerKey& key) {
    auto [listener, is_new] = listeners_.try_emplace(key);
    ++listener->second.users;
    if (is_new) out_->push_back(Listen{key.first, key.second});
}

void Engine::stop_listening(const ListenerKey& key) {
    const auto at = listeners_.find(key);
    if (at == listeners_.end() || --at->second.users > 0) return;
    out_->push_back(Unlisten{key.first, key.second});
    listeners_.erase(at);
}

/// Asked once for each link; what it is for stands in PROTOCOL.md, "The lease".
void Engine::promote_on(LinkIndex link) {
    if (promoted_.contains(link)) return;
    promoted_[link] = Promote::asked;
    promotions_[next_operation_] = link;
    out_->push_back(Operation{OperationId{next_operation_++}, never, PromoteSecondaries{link}});
}

/// Where its addresses are announced, beside its own link and family; before the first of them is added.
void Engine::listen_for_announcements(Router& router) {
    std::vector<ListenerKey> wanted_keys;
    const auto collect = [&](const std::vector<AddressKey>& keys) {
        for (const auto& key : keys) {
            const auto family = key.prefix.address.family;
            // A macvlan is set up when it is made, and announced for by the interface under it.
            const bool on_macvlan = router.is_on_macvlan(key);
            const ListenerKey listener{on_macvlan ? *router.link : key.link, family};
            if (!on_macvlan && family == Family::ipv4 && router.model->lease.on &&
                key.prefix.length < full_prefix(family))
                promote_on(key.link);
            if (listener == ListenerKey{router.link.value_or(LinkIndex{}), router.model->family}) continue;
            if (std::ranges::find(wanted_keys, listener) == wanted_keys.end()) wanted_keys.push_back(listener);
        }
    };
    collect(router.keys);
    collect(router.excluded.keys);
    const auto before = std::exchange(router.announces_on, wanted_keys);
    for (const auto& key : wanted_keys)
        if (std::ranges::find(before, key) == before.end()) listen_on(key);
    for (const auto& key : before)
        if (std::ranges::find(wanted_keys, key) == wanted_keys.end()) stop_listening(key);
}

/// The links that its addresses name, as they are now; addresses move when one of them came or went.
void Engine::attach_other_links(Router& router) {
    std::map<std::string, std::optional<LinkIndex>> links;
    for (const auto* addresses : {&router.model->addresses, &router.model->excluded_addresses})
        for (const auto& address : *addresses)
            if (!address.interface.empty() && !links.contains(address.interface))
                links.emplace(address.interface, link_of(router, address));
    for (const auto& route : router.model->routes)
        for (const auto& name : links_of(route))
            if (const auto* link = kernel_.link(name); !links.contains(name))
                links.emplace(name, link ? std::optional{link->index} : std::nullopt);
    if (links == router.other_links) return;
    router.other_links = std::move(links);
    exchange_addresses(router, router.model);
}

std::optional<FaultCause> Engine::find_other_links(const Router& router) const {
    for (const auto* addresses : {&router.model->addresses, &router.model->excluded_addresses})
        for (const auto& address : *addresses) {
            if (address.interface.empty() || !address.track) continue;
            const auto* link = kernel_.link(address.interface);
            if (link && link->up) continue;
            return FaultCause{"other_link", fmt::format("{} {}, where {} belongs", address.interface,
                                                        link ? "is down or has no carrier" : "does not exist",
                                                        to_string(address.address))};
        }
    for (const auto& route : router.model->routes)
        for (const auto& name : links_of(route)) {
            const auto* link = kernel_.link(name);
            if (!route.track || name == router.model->interface || (link && link->up)) continue;
            return FaultCause{"other_link", fmt::format("{} {}, where route {} leads", name,
                                                        link ? "is down or has no carrier" : "does not exist",
                                                        to_string(route.id()))};
        }
    return std::nullopt;
}

} // namespace holdfast::engine
