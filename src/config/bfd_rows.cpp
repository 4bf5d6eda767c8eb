// The directives inside `bfd:` of a tracker.
#include "config/item.hpp"
#include "config/list.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::BfdTracker;
using model::Reload;

/// One host's own address, or a neighbor's.
struct HostAddress {
    using Value = IpAddress;
    std::string values() const { return "an IP address"; }
    Parsed<IpAddress> parse(const Node& node) const {
        const auto address = node.is_scalar() ? parse_ip(node.text) : std::nullopt;
        if (!address) return std::unexpected{must_be("an IP address", node)};
        if (address->is_multicast() || address->is_unspecified())
            return std::unexpected{must_be("the address of one host", node)};
        if (address->family == Family::ipv6 && address->is_link_local())
            return std::unexpected{must_be("an address that says its link by itself", node,
                                           "use a global or unique local address (fd00::/8) of the host")};
        return *address;
    }
    std::string print(const IpAddress& address) const { return fmt::format("\"{}\"", to_string(address)); }
};

std::vector<Directive<BfdTracker>> rows() {
    constexpr Duration longest = 1h; // below 32 bits of microseconds
    const Span pace{1ms, longest};
    return {
        row<&BfdTracker::neighbor>("neighbor", HostAddress{}, Reload::live, "The other end of the path.")
            .must_be_given(),
        item_row<BfdTracker, &BfdTracker::source>(
            "source", HostAddress{}, "This host's end of the path; only packets to it count.", "the kernel's choice"),
        row<&BfdTracker::min_tx>("min_tx", pace, Reload::live, "The fastest that this host sends."),
        row<&BfdTracker::min_rx>("min_rx", pace, Reload::live,
                                 "The fastest that this host wants to hear; silence is noticed after the neighbor's "
                                 "multiplier times the slower of this and its min_tx."),
        row<&BfdTracker::idle_tx>("idle_tx", Span{1s, longest}, Reload::live, "The pace while the session is not up."),
        row<&BfdTracker::multiplier>("multiplier", Number<std::uint8_t>{1, 255}, Reload::live,
                                     "After how many packets that did not come the neighbor takes this host for gone."),
        row<&BfdTracker::passive>("passive", Flag{}, Reload::live, "Say nothing before the neighbor does."),
        row<&BfdTracker::ttl>("ttl", Number<std::uint8_t>{1, 255}, Reload::live, "TTL or hop limit of what is sent."),
        item_row<BfdTracker, &BfdTracker::max_hops>("max_hops", Number<unsigned>{0, 255},
                                                    "How many routers a packet may have passed (255 less its TTL).",
                                                    "`0`; with multihop `255`, not looked at"),
        row<&BfdTracker::multihop>("multihop", Flag{}, Reload::live,
                                   "The path leads through routers: UDP port 4784 (RFC 5883) instead of 3784."),
    };
}

} // namespace

std::span<const Directive<BfdTracker>> bfd_directives() {
    static const auto all = rows();
    return all;
}

std::optional<BfdTracker> read_bfd(Context& context, const Node& node) {
    constexpr auto example = "bfd: {neighbor: 192.0.2.2}";
    return read_map<BfdTracker>(context, node, bfd_directives(), {}, "bfd", example, [&](const auto& draft) {
        const auto& bfd = draft.object;
        if (bfd.source && bfd.source->family != bfd.neighbor.family)
            context.problems.error(draft.place("source", node.mark),
                                   fmt::format("source {} and neighbor {} are of two families", to_string(*bfd.source),
                                               to_string(bfd.neighbor)),
                                   "give both in the same");
    });
}

std::string write_bfd(const BfdTracker& bfd) {
    std::vector<std::string> parts;
    for (const auto& row : bfd_directives())
        if (const auto text = row.write(bfd, Secrets::hide)) parts.push_back(fmt::format("{}: {}", row.word, *text));
    return "{" + join(parts, ", ") + "}";
}

} // namespace holdfast::config
