// plan(observed, desired): which kernel operation brings one address from what the kernel says to what the routers want.
// Start, takeover, reload, crash recovery and drift repair all come through here. What is not ours is never touched.
#pragma once

#include "engine/action.hpp"
#include "engine/kernel_view.hpp"

#include <cstdint>
#include <optional>

namespace holdfast::engine {

/// What the routers want of one address.
struct DesiredAddress {
    std::optional<std::chrono::seconds> lease; ///< nothing: for ever
    bool prefix_route{false};
    model::AddressOptions options{};
    bool operator==(const DesiredAddress&) const = default;
};

using OperationBody = decltype(Operation::what);

/// Which step brings a route or a rule from what the kernel has to what is wanted.
enum class ExtraStep : std::uint8_t { none, add, replace, remove };

/// The same for a route or a rule. `stale`: what the kernel has may be another form of it.
ExtraStep plan(bool installed, bool stale, bool desired);

/// What the kernel will say of an address that was added with these options.
AddressTraits traits_of(const model::AddressOptions&, Family);

/// Nothing to do gives nothing. What can't be changed in place is removed first, and so is a duplicate. A renewal is due when `renew_at` has passed, or when the kernel's lifetime is not of the
/// wanted kind (a lease where there is none, or the reverse).
std::optional<OperationBody> plan(const AddressKey&, const KernelView::Address* observed,
                                  const std::optional<DesiredAddress>& desired, Time renew_at, Time now);

} // namespace holdfast::engine
