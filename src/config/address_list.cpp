// The lists of addresses: advertised ones, and those that are only taken along. Invariant: as list.hpp says.
#include "base/text.hpp"
#include "config/address.hpp"
#include "config/item.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

using model::VirtualAddress;

constexpr std::size_t most_per_family = 255; // the packet counts them in one byte (RFC 9568 5.2.5)
constexpr std::size_t most_excluded = 10'000;
constexpr std::array foreign_words{ForeignWord{"dev", "write interface"},
                                   ForeignWord{"brd", "write broadcast"},
                                   ForeignWord{"nodad", "that is the default: remove it"},
                                   ForeignWord{"mngtmpaddr", "write manage_temporary: on"},
                                   ForeignWord{"noprefixroute", "write prefix_route: off"},
                                   ForeignWord{"preferred_lft", "write preferred, with a unit: 60s"},
                                   ForeignWord{"no_track", "write track: off"}};

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

std::optional<VirtualAddress> read_plain(Context& context, const Node& node) {
    if (!node.is_scalar()) {
        complain(context, "an address", node, must_be("like 192.0.2.10/24", node));
        return std::nullopt;
    }
    const auto prefix = parse_prefix(node.text);
    if (!prefix) {
        const bool address_is_fine = parse_ip(std::string_view{node.text}.substr(0, node.text.find('/'))).has_value();
        context.problems.error(node.mark,
                               fmt::format("{} is not an IP address{}", in_quotes(node.text),
                                           address_is_fine ? " with a prefix length" : ""),
                               address_is_fine ? "the length is 0 to 32 for IPv4 and 0 to 128 for IPv6"
                                               : "write it like 192.0.2.10/24 or 2001:db8::10/64");
        return std::nullopt;
    }
    return VirtualAddress{*prefix};
}

std::optional<VirtualAddress> read_address(Context& context, const Node& node, bool excluded) {
    const auto check = [&](const Draft<VirtualAddress>& draft) { check_address_options(context, draft); };
    auto address = node.is_map() ? read_item<VirtualAddress>(context, node, address_directives(), foreign_words,
                                                             "an address", check)
                                 : read_plain(context, node);
    if (!address) return std::nullopt;
    if (const auto why = config::unusable(*address, excluded); !why.text.empty()) {
        const auto* const entry = node.find("address");
        const auto& place = entry ? entry->value : node;
        const auto text = place.is_scalar() ? place.text : to_string(address->prefix());
        context.problems.error(place.mark, fmt::format("{} {}", in_quotes(text), why.text), why.hint);
        return std::nullopt;
    }
    return address;
}

/// What is wrong with the list beside its items.
class ListCheck {
  public:
    ListCheck(Context& context, bool excluded) : context_{context}, excluded_{excluded} {}

    bool take(const VirtualAddress& address, Mark mark) {
        const auto [first, fresh] = seen_.emplace(std::pair{address.interface, address.address}, mark);
        if (!fresh) {
            context_.problems.error(mark, fmt::format("{} is given twice", to_string(address.address)),
                                    fmt::format("first given at {}", context_.sources.place(first->second)));
            return false;
        }
        ++total_;
        if (excluded_ && total_ == most_excluded + 1) {
            context_.problems.error(mark, fmt::format("an instance has at most {} excluded addresses", most_excluded),
                                    "put the rest into another instance with a vrid of its own");
            return false;
        }
        if (excluded_ || ++count_[address.address.family] != most_per_family + 1) return true;
        context_.problems.error(mark,
                                fmt::format("an instance has at most {} addresses of one family", most_per_family),
                                "put the rest under excluded_addresses, or into another instance");
        return false;
    }

  private:
    Context& context_;
    bool excluded_;
    std::size_t total_{0};
    std::map<std::pair<std::string, IpAddress>, Mark> seen_;
    std::map<Family, std::size_t> count_;
};

} // namespace

std::span<const ForeignWord> foreign_address_words() {
    return foreign_words;
}

/// With a peer the length is of the peer's prefix, and says nothing about the address.
Complaint unusable(const VirtualAddress& address, bool excluded) {
    if (address.autojoin && excluded) return {};
    if (address.autojoin) return {"is a multicast address", "it can be one of excluded_addresses"};
    if (!address.peer) return unusable(address.prefix());
    return unusable(Prefix{address.address, full_prefix(address.address.family)});
}

std::optional<std::vector<VirtualAddress>> read_addresses(Context& context, std::string_view word, const Node& node,
                                                          Addresses which) {
    const bool excluded = which == Addresses::excluded;
    if (!node.is_list()) {
        const auto hint = node.is_scalar() && parse_prefix(node.text) ? fmt::format("write [{}]", node.text) : "";
        complain(context, word, node, must_be("a list", node, hint));
        return std::nullopt;
    }
    if (node.items.empty() && !excluded) {
        context.problems.error(node.mark, "addresses is an empty list", "an instance holds at least one address");
        return std::nullopt;
    }
    bool fine = true;
    ListCheck check{context, excluded};
    std::vector<VirtualAddress> result;
    for (const auto& item : node.items) {
        auto address = read_address(context, item, excluded);
        fine = fine && address;
        if (!address) continue;
        fine = check.take(*address, item.mark) && fine;
        result.push_back(std::move(*address));
    }
    if (!fine) return std::nullopt;
    return result;
}

std::string write_addresses(const std::vector<VirtualAddress>& addresses) {
    std::vector<std::string> words;
    for (const auto& address : addresses)
        words.push_back(address == VirtualAddress{address.prefix()} ? yaml_text(to_string(address.prefix()))
                                                                    : write_item(address_directives(), address));
    return "[" + join(words, ", ") + "]";
}

} // namespace holdfast::config
