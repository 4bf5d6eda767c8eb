#include "base/ip.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

namespace holdfast {

std::string_view to_string(Family family) {
    return family == Family::ipv4 ? "ipv4" : "ipv6";
}

bool IpAddress::is_link_local() const {
    if (family == Family::ipv4) return bytes[0] == 169 && bytes[1] == 254;
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool IpAddress::is_multicast() const {
    return family == Family::ipv4 ? (bytes[0] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

bool IpAddress::is_unspecified() const {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

IpAddress IpAddress::from(Family family, std::span<const std::uint8_t> source) {
    HF_ASSERT(source.size() == address_size(family));
    IpAddress result{family, {}};
    std::ranges::copy(source, result.bytes.begin());
    return result;
}

std::string to_string(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(address.family == Family::ipv4 ? AF_INET : AF_INET6, address.bytes.data(), text.data(), text.size());
    return text.data();
}

std::optional<IpAddress> parse_ip(std::string_view text) {
    const std::string copy{text};
    IpAddress result;
    if (copy.find('\0') != std::string::npos) return std::nullopt;
    if (inet_pton(AF_INET, copy.c_str(), result.bytes.data()) == 1) return result;
    result = {Family::ipv6, {}};
    if (inet_pton(AF_INET6, copy.c_str(), result.bytes.data()) == 1) return result;
    return std::nullopt;
}

bool Prefix::contains(const IpAddress& other) const {
    if (other.family != address.family) return false;
    for (unsigned bit = 0; bit < length; bit += 8) {
        const unsigned left = length - bit;
        const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xff : 0xff << (8 - left));
        if ((address.bytes[bit / 8] & mask) != (other.bytes[bit / 8] & mask)) return false;
    }
    return true;
}

std::string to_string(const Prefix& prefix) {
    return fmt::format("{}/{}", to_string(prefix.address), prefix.length);
}

std::optional<Prefix> parse_prefix(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return std::nullopt;
    Prefix result{*address, full_prefix(address->family)};
    if (slash == std::string_view::npos) return result;
    const auto digits = text.substr(slash + 1);
    const auto* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, result.length);
    if (error != std::errc{} || rest != end || result.length > full_prefix(address->family)) return std::nullopt;
    return result;
}

IpAddress vrrp_group(Family family) {
    if (family == Family::ipv4) return IpAddress::v4(224, 0, 0, 18);
    return {Family::ipv6, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12}};
}

std::string to_string(const MacAddress& mac) {
    return fmt::format("{:02x}", fmt::join(mac.bytes, ":"));
}

std::optional<MacAddress> parse_mac(std::string_view text) {
    MacAddress result;
    if (text.size() != 17) return std::nullopt;
    for (std::size_t i = 0; i < 6; ++i) {
        const auto* const start = text.data() + i * 3;
        const auto [rest, error] = std::from_chars(start, start + 2, result.bytes[i], 16);
        if (error != std::errc{} || rest != start + 2) return std::nullopt;
        if (i < 5 && *rest != ':') return std::nullopt;
    }
    return result;
}

} // namespace holdfast
