// The map `ipvs:` of the file: the connection synchronisation daemon and the kernel's timeouts.
#include "config/ipvs.hpp"
#include "config/item.hpp"
#include "config/word_of.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::ConnectionSync;
using model::ConnectionTimeouts;
using model::Ipvs;
constexpr auto stop_words = word_of<model::AtStop>({{"keep", model::AtStop::keep}, {"end", model::AtStop::end}});

/// Of either family: the interface has to have an address of it.
struct SyncGroup {
    using Value = IpAddress;
    std::string values() const { return "a multicast address"; }
    Parsed<IpAddress> parse(const Node& node) const {
        const auto address = node.is_scalar() ? parse_ip(node.text) : std::nullopt;
        if (!address || !address->is_multicast())
            return std::unexpected{must_be("a multicast address", node, "leave it out for 224.0.0.81")};
        return *address;
    }
    std::string print(const IpAddress& address) const { return yaml_text(to_string(address)); }
};

std::vector<Directive<ConnectionSync>> sync_rows() {
    return {
        item_row<ConnectionSync, &ConnectionSync::interface>(
            "interface", Text{check_link, "the name of a network interface"}, "Where both directors hear each other.")
            .must_be_given(),
        item_row<ConnectionSync, &ConnectionSync::while_master>(
            "while_master", Text{check_object_name, "the name of an instance or a sync group"},
            "It sends while that is master here, and listens otherwise.", "it does both, always"),
        item_row<ConnectionSync, &ConnectionSync::id>("id", Number<std::uint8_t>{0, 255},
                                                      "Only the same id is listened to."),
        item_row<ConnectionSync, &ConnectionSync::port>("port", Number<std::uint16_t>{1, 65535}, "UDP port."),
        item_row<ConnectionSync, &ConnectionSync::ttl>("ttl", Number<std::uint8_t>{1, 255}, "TTL or hop limit."),
        item_row<ConnectionSync, &ConnectionSync::group>("group", SyncGroup{}, "The multicast group.", "`224.0.0.81`"),
        item_row<ConnectionSync, &ConnectionSync::max_length>("max_length", Number<std::uint16_t>{0, 65507},
                                                              "Bytes of a message; 0: what the interface takes."),
    };
}

/// ip_vs keeps jiffies in an int: 2678400 s (31 days) is its most.
std::vector<Directive<ConnectionTimeouts>> timeout_rows() {
    const Span span{1s, std::chrono::hours{24 * 31}, true};
    return {
        item_row<ConnectionTimeouts, &ConnectionTimeouts::tcp>("tcp", span,
                                                               "Of an idle TCP connection; 0s: as the kernel has it."),
        item_row<ConnectionTimeouts, &ConnectionTimeouts::tcp_fin>("tcp_fin", span,
                                                                   "After a FIN; 0s: as the kernel has it."),
        item_row<ConnectionTimeouts, &ConnectionTimeouts::udp>("udp", span, "Of silent UDP; 0s: as the kernel has it."),
    };
}

std::optional<std::optional<ConnectionSync>> read_sync(Context& context, const Node& node) {
    const std::optional<ConnectionSync> sync = read_map<ConnectionSync>(
        context, node, sync_directives(), {}, "sync", "sync: {interface: eth1, while_master: web}",
        [&](const Draft<ConnectionSync>& draft) {
            if (draft.object.group && !draft.object.group->is_multicast())
                context.problems.error(draft.place("group", node.mark), "group must be a multicast address",
                                       "leave it out for 224.0.0.81");
        });
    if (!sync) return std::nullopt;
    return std::optional{sync};
}

std::optional<ConnectionTimeouts> read_timeouts(Context& context, const Node& node) {
    return read_map<ConnectionTimeouts>(context, node, timeout_directives(), {}, "timeouts", "timeouts: {tcp: 15min}");
}

std::vector<Directive<Ipvs>> rows() {
    auto sync = bare_row<Ipvs>("sync", Shape::map, "{interface: eth1, while_master: web, ...}",
                               "Connections of the master are known to the other directors too.", "none");
    sync.read = reads<&Ipvs::sync>(read_sync);
    sync.write = [](const Ipvs& ipvs, Secrets) -> std::optional<std::string> {
        if (!ipvs.sync) return std::nullopt;
        return write_item(sync_directives(), *ipvs.sync);
    };
    auto timeouts =
        bare_row<Ipvs>("timeouts", Shape::map, "{tcp: 15min, tcp_fin: 2min, udp: 5min}",
                       "How long the kernel remembers silent connections; put back at the end.", "the kernel's");
    timeouts.read = reads<&Ipvs::timeouts>(read_timeouts);
    timeouts.write = [](const Ipvs& ipvs, Secrets) -> std::optional<std::string> {
        if (ipvs.timeouts == ConnectionTimeouts{}) return std::nullopt;
        return write_item(timeout_directives(), ipvs.timeouts);
    };
    return {
        std::move(sync), std::move(timeouts),
        item_row<Ipvs, &Ipvs::role_at_stop>(
            "role_at_stop", stop_words,
            "What a stop does with the addresses of services that this host is a real server of (`host:`)."),
        item_row<Ipvs, &Ipvs::forget_stale>(
            "forget_stale", Flag{},
            "The kernel forgets connections whose server has left the table, and those whose port comes round again "
            "(net.ipv4.vs.expire_nodest_conn, conn_reuse_mode); put back at the end. Left out: on where this host "
            "directs and serves. With udp it is worth setting: a client that keeps its port goes on to the server that "
            "has left.")};
}

} // namespace

std::span<const Directive<ConnectionSync>> sync_directives() {
    static const auto all = sync_rows();
    return all;
}
std::span<const Directive<ConnectionTimeouts>> timeout_directives() {
    static const auto all = timeout_rows();
    return all;
}
std::span<const Directive<Ipvs>> ipvs_directives() {
    static const auto all = rows();
    return all;
}

std::optional<Ipvs> read_ipvs(Context& context, const Node& node) {
    if (!node.is_map()) {
        complain(context, "'ipvs'", node, must_be("a map of directives", node));
        return std::nullopt;
    }
    return read_item<Ipvs>(context, node, ipvs_directives(), {}, "'ipvs'", [](const auto&) {});
}

} // namespace holdfast::config
