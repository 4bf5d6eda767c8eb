// Strong names for small numbers, so that a VRID is never passed where a priority is meant.
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <functional>

namespace holdfast {

/// A number with a meaning. `Tag` makes each alias a type of its own; nothing converts implicitly.
template <typename Tag, typename Number>
struct Id {
    Number value{};
    friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

/// Virtual router identifier, 1 to 255 (RFC 9568 5.2.3).
using Vrid = Id<struct VridTag, std::uint8_t>;
/// By number; 0 is never in it.
using VridSet = std::bitset<256>;
/// VRRP priority (RFC 9568 5.2.4): 1 to 254; 255 for the address owner; 0 only on the wire, "I am leaving".
using Priority = Id<struct PriorityTag, std::uint8_t>;
/// Interface index of this network namespace, above 0 (netdevice(7)).
using LinkIndex = Id<struct LinkIndexTag, std::uint32_t>;

inline constexpr Priority owner_priority{255};
inline constexpr Priority leaving_priority{0};

} // namespace holdfast

template <typename Tag, typename Number>
struct std::hash<holdfast::Id<Tag, Number>> {
    std::size_t operator()(const holdfast::Id<Tag, Number>& id) const noexcept { return std::hash<Number>{}(id.value); }
};
