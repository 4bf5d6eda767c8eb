#include "base/text.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

constexpr std::size_t most_per_family = 255; // the packet counts them in one byte (RFC 9568 5.2.5)

/// All bits after the prefix are `bit`.
bool host_bits_are(const Prefix& prefix, bool bit) {
    for (unsigned i = prefix.length; i < full_prefix(prefix.address.family); ++i) {
        const bool set = (prefix.address.bytes[i / 8] >> (7 - i % 8) & 1) != 0;
        if (set != bit) return false;
    }
    return true;
}

bool is_loopback(const IpAddress& address) {
    return address.family == Family::ipv4 ? address.bytes[0] == 127 : address == parse_ip("::1");
}

bool is_v4_mapped(const IpAddress& address) {
    const auto mapped = parse_prefix("::ffff:0:0/96");
    return mapped && mapped->contains(address);
}

/// Why nobody can hold this address; empty: somebody can.
Complaint unusable(const Prefix& prefix) {
    const auto& address = prefix.address;
    const unsigned host_bits = full_prefix(address.family) - prefix.length;
    if (address.is_unspecified()) return {"is the unspecified address", {}};
    if (address.is_multicast()) return {"is a multicast address", "a virtual address is one that a host can have"};
    if (is_loopback(address)) return {"is a loopback address: no other host can reach it", {}};
    if (is_v4_mapped(address)) return {"is an IPv4 address in an IPv6 notation", "write it as IPv4"};
    if (address == IpAddress::v4(255, 255, 255, 255)) return {"is the broadcast address", {}};
    if (prefix.length == 0) return {"has the prefix length 0: every address would be on this link", {}};
    if (host_bits < 2) return {};
    if (host_bits_are(prefix, false))
        return {address.family == Family::ipv4 ? "is the network's own address"
                                               : "is the subnet-router anycast address",
                fmt::format("is the prefix length /{} meant?", prefix.length)};
    if (address.family == Family::ipv4 && host_bits_are(prefix, true))
        return {"is the broadcast address of its network",
                fmt::format("is the prefix length /{} meant?", prefix.length)};
    return {};
}

std::optional<Prefix> read_address(Context& context, const Node& node) {
    if (!node.is_scalar()) {
        complain(context, "an address", node, must_be("like 192.0.2.10/24", node));
        return std::nullopt;
    }
    const auto prefix = parse_prefix(node.text);
    if (!prefix) {
        const bool address_is_fine = parse_ip(std::string_view{node.text}.substr(0, node.text.find('/'))).has_value();
        context.problems.error(
            node.mark,
            fmt::format("{} is not an IP address{}", quoted(node.text), address_is_fine ? " with a prefix length" : ""),
            address_is_fine ? "the length is 0 to 32 for IPv4 and 0 to 128 for IPv6"
                            : "write it like 192.0.2.10/24 or 2001:db8::10/64");
        return std::nullopt;
    }
    if (const auto why = unusable(*prefix); !why.text.empty()) {
        context.problems.error(node.mark, fmt::format("{} {}", quoted(node.text), why.text), why.hint);
        return std::nullopt;
    }
    return prefix;
}

} // namespace

std::optional<std::vector<Prefix>> read_addresses(Context& context, const Node& node) {
    if (!node.is_list()) {
        const auto hint = node.is_scalar() && parse_prefix(node.text) ? fmt::format("write [{}]", node.text) : "";
        complain(context, "addresses", node, must_be("a list", node, hint));
        return std::nullopt;
    }
    if (node.items.empty()) {
        context.problems.error(node.mark, "addresses is an empty list", "an instance holds at least one address");
        return std::nullopt;
    }
    bool fine = true;
    std::vector<Prefix> result;
    std::map<IpAddress, Mark> seen;
    std::map<Family, std::size_t> count;
    for (const auto& item : node.items) {
        const auto prefix = read_address(context, item);
        fine = fine && prefix;
        if (!prefix) continue;
        const auto [first, fresh] = seen.emplace(prefix->address, item.mark);
        if (!fresh) {
            context.problems.error(item.mark, fmt::format("{} is given twice", to_string(prefix->address)),
                                   fmt::format("first given at {}", context.sources.place(first->second)));
            fine = false;
        } else if (++count[prefix->address.family] == most_per_family + 1) {
            context.problems.error(item.mark,
                                   fmt::format("an instance has at most {} addresses of one family", most_per_family),
                                   "put the rest into another instance with a vrid of its own");
            fine = false;
        }
        result.push_back(*prefix);
    }
    if (!fine) return std::nullopt;
    return result;
}

std::string write_addresses(const std::vector<Prefix>& addresses) {
    std::vector<std::string> words;
    for (const auto& prefix : addresses)
        words.push_back(yaml_text(to_string(prefix)));
    return "[" + join(words, ", ") + "]";
}

} // namespace holdfast::config
