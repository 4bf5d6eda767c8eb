// A virtual address with what the operator wants of it in the kernel (ip-address(8)). Invariant: an option that the address's
// family does not have is never set.
#pragma once

#include "base/ip.hpp"
#include "base/time.hpp"

#include <optional>
#include <string>

namespace holdfast::model {

/// Scopes by name (rtnetlink(7)); every other number is allowed as well.
inline constexpr std::uint8_t scope_global = 0, scope_site = 200, scope_link = 253, scope_host = 254;

/// What goes into the kernel beside address and prefix length.
struct AddressOptions {
    std::string label;                  ///< IPv4: LINK:NAME, at most 15 bytes; empty: the link's name
    std::optional<std::uint8_t> scope;  ///< IPv4; nothing: global
    std::optional<IpAddress> peer;      ///< the other end; the prefix length is its
    std::optional<IpAddress> broadcast; ///< IPv4
    /// How long the kernel prefers it as source of new connections. Nothing: IPv4 always, IPv6 never; duration max: always.
    std::optional<Duration> preferred;
    bool home{false};             ///< IPv6: a home address (RFC 6275)
    bool dad{false};              ///< IPv6: looked for on the link before it is used (RFC 4862)
    bool autojoin{false};         ///< a multicast address, whose group the kernel joins
    bool manage_temporary{false}; ///< IPv6: template of temporary addresses (RFC 8981)
    bool operator==(const AddressOptions&) const = default;
};

/// A plain prefix is a virtual address without options.
struct VirtualAddress : Prefix, AddressOptions {
    std::string interface;            ///< empty: the instance's
    std::optional<bool> prefix_route; ///< on-link route; nothing: unless another address of the link brings it already
    bool track{true};                 ///< its interface's fault, or that it is refused, is a fault of the instance

    VirtualAddress() = default;
    VirtualAddress(const Prefix& prefix) : Prefix{prefix} {}
    VirtualAddress(const IpAddress& ip, std::uint8_t prefix_length) : Prefix{ip, prefix_length} {}

    const Prefix& prefix() const { return *this; }
    const AddressOptions& options() const { return *this; }
    bool operator==(const VirtualAddress&) const = default;
};

} // namespace holdfast::model
