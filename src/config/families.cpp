#include "config/families.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace holdfast::config {
namespace {

/// The first address of an IPv6 advert is link-local (RFC 9568 5.2.9); else the order is the file's. By hand, because clang
/// calls what libstdc++ 12 does in std::stable_partition deprecated.
void link_local_first(std::vector<model::VirtualAddress>& addresses) {
    std::vector<model::VirtualAddress> first, others;
    for (auto& address : addresses)
        (address.address.family == Family::ipv6 && address.address.is_link_local() ? first : others)
            .push_back(std::move(address));
    first.insert(first.end(), std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
    addresses = std::move(first);
}

} // namespace

bool has_family(const model::Instance& instance, Family family) {
    return std::ranges::any_of(instance.addresses,
                               [&](const Prefix& prefix) { return prefix.address.family == family; });
}

void split_families(const model::Instance& both, std::vector<model::Instance>& out) {
    const auto start = out.size();
    const bool has_both = has_family(both, Family::ipv4) && has_family(both, Family::ipv6);
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        auto one = both;
        one.family = family;
        const auto of_other_family = [&](const Prefix& prefix) { return prefix.address.family != family; };
        std::erase_if(one.addresses, of_other_family);
        if (has_both) {
            std::erase_if(one.excluded_addresses, of_other_family);
            std::erase_if(one.routes, [&](const auto& route) { return route.to.address.family != family; });
            std::erase_if(one.rules, [&](const auto& rule) { return rule.family != family; });
        }
        link_local_first(one.addresses);
        if (one.unicast)
            std::erase_if(one.unicast->peers, [&](const auto& peer) { return peer.address.family != family; });
        if (one.source && one.source->family != family) one.source.reset();
        if (!one.addresses.empty()) out.push_back(std::move(one));
    }
    if (out.size() - start < 2) return;
    for (auto at = start; at < out.size(); ++at)
        out[at].name += fmt::format("/{}", to_string(out[at].family));
}

std::vector<model::Instance> join_families(const std::vector<model::Instance>& instances) {
    std::vector<model::Instance> result;
    for (const auto& instance : instances) {
        const auto name = model::object_name(instance.name);
        if (!result.empty() && result.back().name == name) {
            auto& addresses = result.back().addresses;
            addresses.insert(addresses.end(), instance.addresses.begin(), instance.addresses.end());
            std::ranges::copy(instance.routes, std::back_inserter(result.back().routes));
            std::ranges::copy(instance.rules, std::back_inserter(result.back().rules));
            std::ranges::copy(instance.excluded_addresses, std::back_inserter(result.back().excluded_addresses));
            if (instance.unicast)
                std::ranges::copy(instance.unicast->peers, std::back_inserter(result.back().unicast->peers));
            if (!result.back().source) result.back().source = instance.source;
            continue;
        }
        result.push_back(instance);
        result.back().name = name;
    }
    return result;
}

} // namespace holdfast::config
