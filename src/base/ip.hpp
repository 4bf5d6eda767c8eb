// IP and link-layer addresses as plain comparable values, with their text forms. One invariant: the bytes beyond an IPv4
// address's four are zero, so == and < on the whole value are right.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast {

enum class Family : std::uint8_t { ipv4 = 4, ipv6 = 6 };

std::string_view to_string(Family);
/// Bytes of an address: 4 or 16.
constexpr std::size_t address_size(Family family) {
    return family == Family::ipv4 ? 4 : 16;
}
/// The longest prefix: 32 or 128.
constexpr std::uint8_t full_prefix(Family family) {
    return family == Family::ipv4 ? 32 : 128;
}

struct IpAddress {
    Family family{Family::ipv4};
    std::array<std::uint8_t, 16> bytes{};

    /// Ordered as an unsigned big-endian number, the order that breaks ties between routers (RFC 9568 6.4.3).
    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

    std::span<const std::uint8_t> span() const { return {bytes.data(), address_size(family)}; }
    bool is_link_local() const;
    bool is_multicast() const;
    bool is_unspecified() const;

    static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
        return {Family::ipv4, {a, b, c, d}};
    }
    /// From exactly address_size(family) bytes.
    static IpAddress from(Family, std::span<const std::uint8_t>);
};

std::string to_string(const IpAddress&);
std::optional<IpAddress> parse_ip(std::string_view text);

/// An address with the length of its on-link prefix: "192.0.2.10/24".
struct Prefix {
    IpAddress address;
    std::uint8_t length{32};
    friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;

    bool contains(const IpAddress&) const;
};

std::string to_string(const Prefix&);
/// A missing length means the full one (/32, /128).
std::optional<Prefix> parse_prefix(std::string_view text);

/// The VRRP groups: 224.0.0.18 and ff02::12 (RFC 9568 5.1.1.2, 5.1.2.2).
IpAddress vrrp_group(Family);

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};
    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

std::string to_string(const MacAddress&);
std::optional<MacAddress> parse_mac(std::string_view text);

} // namespace holdfast

template <>
struct std::hash<holdfast::IpAddress> {
    std::size_t operator()(const holdfast::IpAddress& address) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(address.bytes.data()), 16});
    }
};
