// Addresses with ports, and ranges of them. Invariant: a list that comes back is bounded, however large the range written.
#include "config/server.hpp"
#include "config/utf8.hpp"

#include <charconv>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::size_t most_addresses = 4096;
constexpr std::string_view wanted_endpoint = "an address, with a port or without: 192.0.2.1:80 or [2001:db8::1]:80";

struct Split {
    std::string_view host;
    std::optional<std::uint16_t> port; ///< nothing: none is written
};

/// Nothing for a port that is none, or brackets that do not close.
std::optional<Split> split(std::string_view text) {
    const bool bracketed = text.starts_with('[');
    const auto end = bracketed ? text.find(']') : text.find(':');
    if (bracketed && end == text.npos) return std::nullopt;
    // Without brackets, a second colon means IPv6 alone.
    if (!bracketed && (end == text.npos || text.find(':', end + 1) != text.npos)) return Split{text, {}};
    const auto host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
    auto rest = text.substr(bracketed ? end + 1 : end);
    if (rest.empty()) return Split{host, {}};
    if (!rest.starts_with(':')) return std::nullopt;
    rest.remove_prefix(1);
    std::uint16_t port = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
    if (error != std::errc{} || stop != rest.data() + rest.size() || port == 0) return std::nullopt;
    return Split{host, port};
}

/// How many addresses lie from `first` to `last`, both included; most_addresses + 1 when there are more, 0 when there are none.
std::size_t distance(const IpAddress& first, const IpAddress& last) {
    if (first.family != last.family || last < first) return 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < address_size(first.family); ++i) {
        count = count * 256 + last.bytes[i] - first.bytes[i];
        if (count > (most_addresses << 8)) return most_addresses + 1;
    }
    return std::min(count, most_addresses) + 1;
}

IpAddress next(IpAddress address) {
    for (auto i = address_size(address.family); i-- > 0;)
        if (++address.bytes[i] != 0) break;
    return address;
}

/// The last address of a range: a whole one, or as keepalived has it only its last number.
std::optional<IpAddress> range_end(const IpAddress& first, std::string_view text) {
    if (auto whole = parse_ip(text)) return whole;
    if (first.family != Family::ipv4) return std::nullopt;
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stop != text.data() + text.size() || number > 255) return std::nullopt;
    auto last = first;
    last.bytes[3] = static_cast<std::uint8_t>(number);
    return last;
}

struct Range {
    IpAddress first, last;
};

std::optional<Range> parse_range(std::string_view text) {
    if (const auto dash = text.find('-'); dash != text.npos) {
        const auto first = parse_ip(text.substr(0, dash));
        const auto last = first ? range_end(*first, text.substr(dash + 1)) : std::nullopt;
        if (!last) return std::nullopt;
        return Range{*first, *last};
    }
    const auto prefix = parse_prefix(text);
    if (!prefix) return std::nullopt;
    auto first = prefix->address, last = first;
    for (unsigned bit = prefix->length; bit < full_prefix(first.family); ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80U >> bit % 8);
        first.bytes[bit / 8] = static_cast<std::uint8_t>(first.bytes[bit / 8] & ~mask);
        last.bytes[bit / 8] = static_cast<std::uint8_t>(last.bytes[bit / 8] | mask);
    }
    return Range{first, last};
}

std::string_view why_unusable(const IpAddress& address) {
    if (address.is_unspecified()) return "must be an address of its own, not the unspecified one";
    if (address.is_multicast()) return "must be the address of one host, not a multicast one";
    return {};
}

} // namespace

Parsed<Endpoint> parse_endpoint(const Node& node) {
    const auto parts = node.is_scalar() ? split(node.text) : std::nullopt;
    const auto address = parts ? parse_ip(parts->host) : std::nullopt;
    if (!address) return std::unexpected{must_be(wanted_endpoint, node)};
    if (const auto why = why_unusable(*address); !why.empty()) return std::unexpected{Complaint{std::string{why}, {}}};
    return Endpoint{*address, parts->port.value_or(0)};
}

std::string print(const Endpoint& endpoint) {
    auto address = to_string(endpoint.address);
    if (endpoint.port == 0) return address;
    return endpoint.address.family == Family::ipv6 ? fmt::format("[{}]:{}", address, endpoint.port)
                                                   : fmt::format("{}:{}", address, endpoint.port);
}

Parsed<std::vector<Endpoint>> parse_endpoints(const Node& node) {
    const auto parts = node.is_scalar() ? split(node.text) : std::nullopt;
    const auto range = parts ? parse_range(parts->host) : std::nullopt;
    if (!range)
        return std::unexpected{
            must_be(wanted_endpoint, node, "a range is 192.0.2.20-192.0.2.30:80 or 192.0.2.16/28:80")};
    const auto count = distance(range->first, range->last);
    if (count == 0)
        return std::unexpected{
            Complaint{fmt::format("ends before it begins: {}", in_quotes(node.text)), "give the lower address first"}};
    if (count > most_addresses)
        return std::unexpected{
            Complaint{fmt::format("is a range of more than {} addresses", most_addresses),
                      "each address is a service of its own in the kernel: use a firewall mark (mark: 1) for so many"}};
    if (const auto why = why_unusable(range->first); !why.empty())
        return std::unexpected{Complaint{std::string{why}, {}}};
    std::vector<Endpoint> result;
    for (auto address = range->first; result.size() < count; address = next(address))
        result.push_back({address, parts->port.value_or(0)});
    return result;
}

} // namespace holdfast::config
