// What the kernel's table lacks: plan(observed, desired) of one service. Puts come before removals, so a client always meets
// a server while there is one (make before break).
#pragma once

#include "engine/ipvs.hpp"

#include <map>
#include <vector>

namespace holdfast::engine {

/// A service as it is there, or is to be there.
struct IpvsEntry {
    IpvsService service;
    std::map<IpvsEndpoint, IpvsDestination> destinations;
    bool operator==(const IpvsEntry&) const = default;
};
using IpvsTable = std::map<model::ServiceKey, IpvsEntry>;

/// Where the kernel has this real server within that service: DR and tunnels keep the port that clients used.
IpvsEndpoint endpoint_of(const model::ServiceKey&, const model::RealServer&);
/// What was read of it; null: it is not there. `listed` is sorted by key.
const IpvsListedService* find(const IpvsListed&, const model::ServiceKey&);
const IpvsListedDestination* find(const IpvsListed&, const model::ServiceKey&, const IpvsEndpoint&);

/// The service that it is about; nothing: it is about none.
std::optional<model::ServiceKey> key_of(const IpvsStep&);
/// Appends the steps from one to the other; null: it is not there.
void plan(const model::ServiceKey&, const IpvsEntry* observed, const IpvsEntry* desired, std::vector<IpvsStep>& out);
/// What the table is after the step was done.
void apply(const IpvsStep&, IpvsTable&);

} // namespace holdfast::engine
