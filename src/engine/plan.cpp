#include "engine/plan.hpp"

namespace holdfast::engine {

AddressTraits traits_of(const model::AddressOptions& options, Family family) {
    if (family == Family::ipv6) return {};
    return {options.label, options.scope.value_or(model::scope_global), options.peer, options.broadcast};
}

std::optional<OperationBody> plan(const AddressKey& key, const KernelView::Address* observed,
                                  const std::optional<DesiredAddress>& desired, Time renew_at, Time now) {
    if (!desired) {
        if (observed && observed->ours) return RemoveAddress{key.link, key.prefix, observed->traits.peer};
        return std::nullopt;
    }
    if (!observed) return AddAddress{key.link, key.prefix, desired->lease, desired->prefix_route, desired->options};
    if (!observed->ours) return std::nullopt;
    if (observed->is_duplicate || observed->traits != traits_of(desired->options, key.prefix.address.family))
        return RemoveAddress{key.link, key.prefix, observed->traits.peer};
    const bool wrong_kind = desired->lease.has_value() == (observed->expires == never);
    if (wrong_kind || (desired->lease && now >= renew_at))
        return RenewAddress{key.link, key.prefix, desired->lease, desired->prefix_route, desired->options};
    return std::nullopt;
}

} // namespace holdfast::engine
