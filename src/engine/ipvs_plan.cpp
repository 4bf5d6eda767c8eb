#include "engine/ipvs_plan.hpp"

#include "base/result.hpp"

#include <algorithm>

namespace holdfast::engine {

IpvsEndpoint endpoint_of(const model::ServiceKey& key, const model::RealServer& real) {
    const bool keeps = real.forwarding.method != model::Forwarding::Method::nat;
    return {real.address, keeps || real.port == 0 ? key.port : real.port};
}

const IpvsListedService* find(const IpvsListed& listed, const model::ServiceKey& key) {
    const auto key_of = [](const IpvsListedService& each) { return kernel_key(each.service.key); };
    const auto at = std::ranges::lower_bound(listed.services, kernel_key(key), {}, key_of);
    return at != listed.services.end() && key_of(*at) == kernel_key(key) ? &*at : nullptr;
}

const IpvsListedDestination* find(const IpvsListed& listed, const model::ServiceKey& key, const IpvsEndpoint& at) {
    const auto* const service = find(listed, key);
    if (!service) return nullptr;
    const auto place = [](const IpvsListedDestination& each) { return each.destination.at; };
    const auto found = std::ranges::lower_bound(service->destinations, at, {}, place);
    return found != service->destinations.end() && place(*found) == at ? &*found : nullptr;
}

void plan(const model::ServiceKey& key, const IpvsEntry* observed, const IpvsEntry* desired,
          std::vector<IpvsStep>& out) {
    if (!desired) {
        if (observed) out.push_back(RemoveService{key});
        return;
    }
    if (!observed || observed->service != desired->service)
        out.push_back(PutService{desired->service, observed != nullptr});
    static const std::map<IpvsEndpoint, IpvsDestination> nothing;
    const auto& there = observed ? observed->destinations : nothing;
    for (const auto& [at, destination] : desired->destinations) {
        const auto found = there.find(at);
        if (found == there.end() || found->second != destination)
            out.push_back(PutDestination{key, destination, found != there.end()});
    }
    for (const auto& [at, destination] : there)
        if (!desired->destinations.contains(at)) out.push_back(RemoveDestination{key, at});
}

std::optional<model::ServiceKey> key_of(const IpvsStep& step) {
    using Key = std::optional<model::ServiceKey>;
    return std::visit(Overloaded{
                          [](const PutService& put) -> Key { return kernel_key(put.service.key); },
                          [](const RemoveService& remove) -> Key { return kernel_key(remove.key); },
                          [](const PutDestination& put) -> Key { return kernel_key(put.service); },
                          [](const RemoveDestination& remove) -> Key { return kernel_key(remove.service); },
                          [](const auto&) -> Key { return std::nullopt; },
                      },
                      step);
}

void apply(const IpvsStep& step, IpvsTable& table) {
    std::visit(Overloaded{
                   [&](const PutService& put) { table[kernel_key(put.service.key)].service = put.service; },
                   [&](const RemoveService& remove) { table.erase(kernel_key(remove.key)); },
                   [&](const PutDestination& put) {
                       if (const auto at = table.find(kernel_key(put.service)); at != table.end())
                           at->second.destinations[put.destination.at] = put.destination;
                   },
                   [&](const RemoveDestination& remove) {
                       if (const auto at = table.find(kernel_key(remove.service)); at != table.end())
                           at->second.destinations.erase(remove.at);
                   },
                   [](const auto&) {},
               },
               step);
}

} // namespace holdfast::engine
