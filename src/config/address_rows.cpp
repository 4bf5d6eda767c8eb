// The directives of one address in `addresses` and `excluded_addresses`, and what goes with which family.
#include "config/address.hpp"
#include "config/item.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::VirtualAddress;

constexpr std::size_t longest_label = 15; // IFNAMSIZ - 1

struct AddressText {
    std::string values() const { return "ADDRESS/LENGTH"; }
    Parsed<Prefix> parse(const Node& node) const {
        const auto prefix = node.is_scalar() ? parse_prefix(node.text) : std::nullopt;
        if (!prefix) return std::unexpected{must_be("an IP address", node, "write it like 192.0.2.10/24")};
        return *prefix;
    }
};

Directive<VirtualAddress> address_row() {
    const AddressText type;
    return {.word = "address",
            .shape = Shape::scalar,
            .reload = model::Reload::live,
            .values = type.values(),
            .help = "The address itself; without a length /32 or /128.",
            .read = [type](Context& context, const Node& node, VirtualAddress& address) -> std::optional<Mark> {
                return read_scalar(context, "address", node, type,
                                   [&](const Prefix& prefix) { static_cast<Prefix&>(address) = prefix; });
            },
            .write = [](const VirtualAddress& address,
                        Secrets) { return std::optional{yaml_text(to_string(address.prefix()))}; },
            .required = true,
            .in_defaults = false,
            .default_text = {}};
}

struct ScopeWord {
    std::string values() const { return "global, site, link, host or 0 to 255"; }
    Parsed<std::uint8_t> parse(const Node& node) const {
        for (const auto& [name, number] : scope_names)
            if (node.is_scalar() && node.text == name) return number;
        const auto number = parse_integer(node, 0, 255, values());
        if (!number) return std::unexpected{number.error()};
        return static_cast<std::uint8_t>(*number);
    }
    std::string print(std::uint8_t scope) const {
        for (const auto& [name, number] : scope_names)
            if (scope == number) return std::string{name};
        return std::to_string(scope);
    }
};

/// `auto` needs the address, so the row resolves it.
Directive<VirtualAddress> broadcast_row() {
    return {.word = "broadcast",
            .shape = Shape::scalar,
            .reload = model::Reload::live,
            .values = "auto, none or an IPv4 address",
            .help = "The broadcast address; auto: the last one of the prefix.",
            .read = [](Context& context, const Node& node, VirtualAddress& address) -> std::optional<Mark> {
                const auto broadcast = node.is_scalar() ? parse_ip(node.text) : std::nullopt;
                const bool is_word = node.is_scalar() && (node.text == "auto" || node.text == "none");
                if (!is_word && (!broadcast || broadcast->family != Family::ipv4)) {
                    complain(context, "broadcast", node, must_be("auto, none or an IPv4 address", node));
                    return std::nullopt;
                }
                if (!is_word) address.broadcast = broadcast;
                if (is_word && node.text == "auto") address.broadcast = last_of(address);
                return node.mark;
            },
            .write = [](const VirtualAddress& address, Secrets) -> std::optional<std::string> {
                if (!address.broadcast) return std::nullopt;
                return yaml_text(to_string(*address.broadcast));
            },
            .required = false,
            .in_defaults = false,
            .default_text = "none"};
}

struct PreferredTime {
    static constexpr Duration longest = std::chrono::hours{24 * 365};
    std::string values() const { return "forever, or 0s to 365d"; }
    Parsed<Duration> parse(const Node& node) const {
        if (node.is_scalar() && node.text == "forever") return Duration::max();
        auto value = parse_span(node, values());
        if (!value) return value;
        if (*value > longest || *value % 1s != Duration::zero())
            return std::unexpected{must_be("whole seconds, or forever", node)};
        return value;
    }
    std::string print(Duration value) const { return value == Duration::max() ? "forever" : to_string(value); }
};

/// LINK:NAME; which link, is checked where the instance is known.
Parsed<std::string> check_label(const Node& node) {
    const std::string_view wanted = "a label like eth0:web";
    if (!node.is_scalar() || node.text.empty()) return std::unexpected{must_be(wanted, node)};
    const auto& text = node.text;
    if (text.size() > longest_label)
        return std::unexpected{Complaint{
            fmt::format("{} has more than {} bytes, which is all that the kernel keeps", text, longest_label), {}}};
    const auto colon = text.find(':');
    const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
    if (!plain || colon == std::string::npos || colon == 0 || colon + 1 == text.size())
        return std::unexpected{must_be(wanted, node)};
    return text;
}

std::vector<Directive<VirtualAddress>> rows() {
    return {
        address_row(),
        item_row<VirtualAddress, &VirtualAddress::interface>("interface",
                                                             Text{check_link, "the name of a network interface"},
                                                             "Another link than the instance's.", "the instance's"),
        item_row<VirtualAddress, &VirtualAddress::label>("label", Text{check_label, "LINK:NAME, at most 15 bytes"},
                                                         "What ip and ifconfig show it as; IPv4.", "the link's name"),
        item_row<VirtualAddress, &VirtualAddress::scope>("scope", ScopeWord{}, "Where it is valid; IPv4.", "`global`"),
        item_row<VirtualAddress, &VirtualAddress::peer>(
            "peer", HostAddress{}, "The other end of a point-to-point link; the length is of its prefix.", "none"),
        broadcast_row(),
        item_row<VirtualAddress, &VirtualAddress::home>("home", Flag{},
                                                        "A home address of Mobile IPv6 (RFC 6275); IPv6."),
        item_row<VirtualAddress, &VirtualAddress::dad>(
            "dad", Flag{}, "Look for duplicates before it is used, for about a second; IPv6."),
        item_row<VirtualAddress, &VirtualAddress::preferred>(
            "preferred", PreferredTime{},
            "How long this host's own connections may come from it, from each renewal on.",
            "IPv4 `forever`, IPv6 `0s`"),
        item_row<VirtualAddress, &VirtualAddress::prefix_route>("prefix_route", Flag{},
                                                                "The kernel adds the on-link route of its prefix.",
                                                                "unless another address of the link brings it"),
        item_row<VirtualAddress, &VirtualAddress::autojoin>(
            "autojoin", Flag{}, "A multicast address, whose group the kernel joins; only excluded ones."),
        item_row<VirtualAddress, &VirtualAddress::manage_temporary>(
            "manage_temporary", Flag{}, "The kernel makes temporary addresses of its prefix (RFC 8981); IPv6, /64."),
        item_row<VirtualAddress, &VirtualAddress::track>(
            "track", Flag{}, "That it is refused, or a fault of its own interface, is a fault of the instance."),
    };
}

struct OneFamily {
    std::string_view word;
    Family family;
};
constexpr std::array one_family{OneFamily{"label", Family::ipv4},     OneFamily{"scope", Family::ipv4},
                                OneFamily{"broadcast", Family::ipv4}, OneFamily{"home", Family::ipv6},
                                OneFamily{"dad", Family::ipv6},       OneFamily{"manage_temporary", Family::ipv6}};

} // namespace

std::span<const Directive<VirtualAddress>> address_directives() {
    static const auto all = rows();
    return all;
}

IpAddress last_of(const Prefix& prefix) {
    auto last = prefix.address;
    for (unsigned i = prefix.length; i < full_prefix(last.family); ++i)
        last.bytes[i / 8] = static_cast<std::uint8_t>(last.bytes[i / 8] | (0x80U >> i % 8));
    return last;
}

void check_address_options(Context& context, const Draft<VirtualAddress>& draft) {
    const auto& address = draft.object;
    const auto family = address.address.family;
    const auto error = [&](std::string_view word, std::string text, std::string hint) {
        context.problems.error(draft.place(word, {}), std::move(text), std::move(hint));
    };
    for (const auto& [word, wanted] : one_family)
        if (draft.has(word) && family != wanted)
            error(word,
                  fmt::format("{} is for {} addresses, and {} is {}", word, to_string(wanted),
                              to_string(address.address), to_string(family)),
                  "remove it");
    if (address.peer && address.peer->family != family)
        error("peer",
              fmt::format("peer {} and address {} are of two families", to_string(*address.peer),
                          to_string(address.address)),
              "give both in the same");
    if (address.manage_temporary && family == Family::ipv6 && address.length != 64)
        error("manage_temporary", fmt::format("manage_temporary needs a prefix length of 64, not {}", address.length),
              "write /64");
    if (draft.has("broadcast") && address.broadcast && family == Family::ipv4 && address.length > 30 && !address.peer)
        error("broadcast", fmt::format("a /{} has no broadcast address", address.length), "remove broadcast");
    if (address.autojoin && !address.address.is_multicast())
        error("autojoin",
              fmt::format("{} is no multicast address: there is no group to join", to_string(address.address)),
              "remove autojoin");
}

} // namespace holdfast::config
