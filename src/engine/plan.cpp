#include "engine/plan.hpp"

namespace holdfast::engine {

std::optional<OperationBody> plan(const AddressKey& key, const KernelView::Address* observed,
                                  const std::optional<DesiredAddress>& desired, Time renew_at, Time now) {
    if (!desired) {
        if (observed && observed->ours) return RemoveAddress{key.link, key.prefix};
        return std::nullopt;
    }
    if (!observed) return AddAddress{key.link, key.prefix, desired->lease, desired->prefix_route};
    if (!observed->ours) return std::nullopt;
    const bool wrong_kind = desired->lease.has_value() == (observed->expires == never);
    if (wrong_kind || (desired->lease && now >= renew_at))
        return RenewAddress{key.link, key.prefix, desired->lease, desired->prefix_route};
    return std::nullopt;
}

} // namespace holdfast::engine
