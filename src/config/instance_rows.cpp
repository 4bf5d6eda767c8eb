// The directives of an instance: the one place that says what an instance may be told.
#include "config/directive.hpp"
#include "config/list.hpp"
#include "config/route.hpp"

namespace holdfast::config {
namespace {

using model::Instance;
using model::Reload;

constexpr Duration hour = std::chrono::hours{1};
constexpr Number<unsigned> times{1, 255};

template <typename Read, typename Write>
Directive<Instance> list_row(std::string_view word, Shape shape, const std::string& values, std::string_view help,
                             Read read, Write write) {
    auto row = bare_row<Instance>(word, shape, values, help);
    row.read = std::move(read);
    row.write = std::move(write);
    return row;
}

Directive<Instance> addresses_row() {
    return list_row(
               "addresses", Shape::list,
               "a list of IP addresses, each with its prefix length (/32 or /128 without), at most 255 of a family",
               "The virtual addresses, in the order of the packet; both families make two objects, NAME/ipv4 and "
               "NAME/ipv6.",
               reads<&Instance::addresses>([](Context& context, const Node& node) {
                   return read_addresses(context, "addresses", node, Addresses::advertised);
               }),
               [](const Instance& instance, Secrets) { return std::optional{write_addresses(instance.addresses)}; })
        .must_be_given();
}

Directive<Instance> excluded_addresses_row() {
    return list_row("excluded_addresses", Shape::list, "as addresses, of any family, at most 10000",
                    "Addresses that move along but are not in the advert: added after the others, removed before them.",
                    reads<&Instance::excluded_addresses>([](Context& context, const Node& node) {
                        return read_addresses(context, "excluded_addresses", node, Addresses::excluded);
                    }),
                    writes_unless_empty<&Instance::excluded_addresses>(write_addresses))
        .says_default("none");
}

Directive<Instance> routes_row() {
    return list_row("routes", Shape::list, "a list of {to, via, interface, source, table, metric, ...}, at most 1000",
                    "Routes that are in the kernel while the addresses are: added behind them, removed before them.",
                    reads<&Instance::routes>(
                        [](Context& context, const Node& node) { return read_routes(context, "routes", node); }),
                    writes_unless_empty<&Instance::routes>(write_routes))
        .says_default("none");
}

Directive<Instance> rules_row() {
    return list_row("rules", Shape::list, "a list of {priority, from, to, fwmark, table, ...}, at most 1000",
                    "Rules that are in the kernel while the addresses are.",
                    reads<&Instance::rules>(
                        [](Context& context, const Node& node) { return read_rules(context, "rules", node); }),
                    writes_unless_empty<&Instance::rules>(write_rules))
        .says_default("none");
}

Directive<Instance> track_row() {
    return list_row(
               "track", Shape::list, "a list of tracker names, or {tracker: NAME, weight: -253 to 253, reverse: true}",
               "What the instance depends on: a failure is a fault; with a weight it changes the priority instead.",
               reads<&Instance::track>(read_track),
               [](const Instance& instance, Secrets) { return std::optional{write_track(instance.track)}; })
        .also_in_defaults();
}

Directive<Instance> unicast_row() {
    return list_row(
               "unicast", Shape::map,
               "{peers: [ADDRESS or {address, min_ttl, max_ttl}, ...], ttl: 1 to 255, check_source: true}",
               "Adverts go to these hosts one by one, where a network carries no multicast; this host's own address is "
               "ignored.",
               reads<&Instance::unicast>(read_unicast),
               [](const Instance& instance, Secrets) -> std::optional<std::string> {
                   if (!instance.unicast) return std::nullopt;
                   return write_unicast(*instance.unicast);
               })
        .says_default("multicast");
}

Directive<Instance> source_row() {
    const HostAddress type;
    return {
        .word = "source",
        .shape = Shape::scalar,
        .reload = Reload::live,
        .values = type.values(),
        .help =
            "The address of this host that adverts come from; without it on the interface, the instance is in fault.",
        .read = [type](Context& context, const Node& node, Instance& instance) -> std::optional<Mark> {
            return read_scalar(context, "source", node, type, [&](const IpAddress& value) { instance.source = value; });
        },
        .write = [type](const Instance& instance, Secrets) -> std::optional<std::string> {
            if (!instance.source) return std::nullopt;
            return type.print(*instance.source);
        },
        .default_text = "the interface's first address (IPv6: link-local)"};
}

Directive<Instance> authentication_row() {
    return list_row(
               "authentication", Shape::map,
               "{type: hmac, keys: {ID: {credential: NAME} or {file: PATH} or {hex: DIGITS} or {password: TEXT}}, "
               "active_key: ID, "
               "mode: enforce or permissive or receive-only, anti_replay: time or monotonic, time_window: 1s to 5min}, "
               "keys of "
               "32 to 64 bytes; {type: pass, credential: NAME} or {type: ah, credential: NAME} (or file: PATH, or "
               "password: "
               "TEXT), 1 to 8 bytes",
               "Whose adverts count. hmac: adverts are signed (HMAC-SHA256), old ones are refused; pass (a password in "
               "plain "
               "text) and ah (HMAC-MD5) are for version 2, on a wire that is shared with older routers.",
               reads<&Instance::authentication>(read_authentication),
               [](const Instance& instance, Secrets secrets) -> std::optional<std::string> {
                   if (!instance.authentication) return std::nullopt;
                   return write_authentication(*instance.authentication, secrets);
               })
        .also_in_defaults()
        .says_default("none");
}

Directive<Instance> virtual_mac_row() {
    auto row =
        list_row(
            "virtual_mac", Shape::map,
            "on, off or {interface: NAME, adverts_from: virtual or parent, address: MAC}; the interface is a macvlan "
            "that is made for it (vrrp.VRID, vrrp6.VRID), the address is 00:00:5e:00:01:VRID (IPv6: 02:VRID)",
            "The addresses have a MAC address that moves with them, so that no client has to learn another one.",
            [](Context& context, const Node& node, Instance& instance) -> std::optional<Mark> {
                auto mac = read_virtual_mac(context, node);
                if (!mac) return std::nullopt;
                instance.virtual_mac = std::move(*mac);
                return node.mark;
            },
            [](const Instance& instance, Secrets) -> std::optional<std::string> {
                if (!instance.virtual_mac) return std::nullopt;
                return write_virtual_mac(*instance.virtual_mac);
            })
            .also_in_defaults()
            .says_default("off");
    row.reload = Reload::restart; // the address is what clients know the router by
    return row;
}

Directive<Instance> ipvlan_row() {
    auto row = list_row(
                   "ipvlan", Shape::map,
                   "on, off or {interface: NAME, mode: bridge, private or vepa}; the interface is an ipvlan that is "
                   "made for it (vrrp.VRID, vrrp6.VRID)",
                   "The addresses are on an interface of their own that has the MAC address of the one under it; "
                   "instead of virtual_mac, where a network takes one MAC address of a host.",
                   [](Context& context, const Node& node, Instance& instance) -> std::optional<Mark> {
                       auto ipvlan = read_ipvlan(context, node);
                       if (!ipvlan) return std::nullopt;
                       instance.ipvlan = std::move(*ipvlan);
                       return node.mark;
                   },
                   [](const Instance& instance, Secrets) -> std::optional<std::string> {
                       if (!instance.ipvlan) return std::nullopt;
                       return write_ipvlan(*instance.ipvlan);
                   })
                   .also_in_defaults()
                   .says_default("off");
    row.reload = Reload::restart; // the interface that others may have bound to goes
    return row;
}

Directive<Instance> notify_row() {
    return list_row(
               "notify", Shape::map,
               "{master, backup, fault, stop, deleted, priority, lower_advert, all: [PROGRAM, ...], mail: true, fifo: "
               "PATH, user: "
               "NAME, "
               "timeout: 30s, units: {master, backup: [UNIT, ...]}, before_removal, after_adding: [PROGRAM, ...], "
               "hook_timeout: 500ms}",
               "Scripts, mail, a FIFO and units that follow the state; before_removal holds a leaving node's addresses "
               "back "
               "for "
               "hook_timeout at most.",
               reads<&Instance::notify>(
                   [](Context& context, const Node& node) { return read_notify(context, node, NotifyOf::instance); }),
               [](const Instance& instance, Secrets) -> std::optional<std::string> {
                   if (instance.notify == model::Notify{}) return std::nullopt;
                   return write_notify(instance.notify);
               })
        .also_in_defaults()
        .says_default("none");
}

std::vector<Directive<Instance>> election_rows() {
    return {
        row<&Instance::interface>("interface", Text{check_vrrp_link, "the name of a network interface"},
                                  Reload::restart,
                                  "The link that adverts and addresses are on; it may appear later than the daemon.")
            .must_be_given()
            .also_in_defaults(),
        row<&Instance::vrid>(
            "vrid", Number<Vrid>{1, 255}, Reload::restart,
            "Virtual router id: the same on all hosts of this instance, and of no other instance on the link.")
            .must_be_given(),
        row<&Instance::version>("version", VersionNumber{}, Reload::restart,
                                "VRRP version on the wire; version 2 has IPv4 only.")
            .also_in_defaults(),
        row<&Instance::priority>(
            "priority", Number<Priority>{1, 255}, Reload::live,
            "Who is master: the highest; 255 says that this node's interface has the addresses anyway "
            "(a change to or from 255 restarts the instance).")
            .also_in_defaults(),
        row<&Instance::advert_interval>(
            "advert_interval", AdvertInterval{}, Reload::live,
            "Time between two adverts of the master; a standby takes over after about three.")
            .also_in_defaults(),
        row<&Instance::preempt>("preempt", Flag{}, Reload::live,
                                "A node of higher priority takes over from a working master.")
            .also_in_defaults(),
        row<&Instance::preempt_delay>("preempt_delay", Span{0s, hour}, Reload::live,
                                      "How long a node of higher priority hears a lower master before it takes over.")
            .also_in_defaults(),
        row<&Instance::prompt>("prompt", Flag{}, Reload::live,
                               "Take over at once from a master whose priority falls below this node's.")
            .also_in_defaults(),
        row<&Instance::accept>("accept", Flag{}, Reload::live,
                               "The master takes packets to the addresses even if it is not their owner; off: they are "
                               "dropped (by the nft program), as for a router that is nothing but a gateway.")
            .also_in_defaults(),
        row<&Instance::track_link>(
            "track_link", Flag{}, Reload::live,
            "That `interface` is down or has no carrier is a fault; off: the instance goes on, where a cable leads "
            "straight to the other host and is dark when that one is, and the addresses are on other interfaces.")
            .also_in_defaults(),
        row<&Instance::startup_delay>(
            "startup_delay", Span{0s, hour}, Reload::live,
            "Wait after start and after each link-up, for switches that forward late (STP, LACP).")
            .also_in_defaults(),
        row<&Instance::boot_delay>("boot_delay", Span{0s, hour}, Reload::live,
                                   "Wait until this host has been up for so long; a daemon that starts later does not.")
            .also_in_defaults(),
        row<&Instance::handover_timeout>(
            "handover_timeout", Span{0s, 1min}, Reload::live,
            "The most that a planned move waits for the successor; 0s: addresses go at once.")
            .also_in_defaults(),
    };
}

std::vector<Directive<Instance>> announcement_rows() {
    return {
        row<&Instance::announce_refresh>("announce_refresh", Span{1s, 24 * hour, true}, Reload::live,
                                         "A master announces its addresses again (ARP, NA) this often; 0s: never.")
            .also_in_defaults(),
        row<&Instance::announce_refresh_repeat>("announce_refresh_repeat", times, Reload::live,
                                                "How many times each address is announced in a refresh.")
            .also_in_defaults(),
        row<&Instance::announce_delay>(
            "announce_delay", Span{0s, hour}, Reload::live,
            "One more burst of announcements that long after a takeover; 0s: none. A new master announces at once "
            "and after 10ms, 100ms and 1s in any case.")
            .also_in_defaults(),
        row<&Instance::announce_repeat>(
            "announce_repeat", times, Reload::live,
            "How many times each address is announced in the burst of `announce_delay`; the announcements right after "
            "a takeover stay as they are.")
            .also_in_defaults(),
        row<&Instance::announce_lower_delay>(
            "announce_lower_delay", Span{1s, hour, true}, Reload::live,
            "A master that hears one of lower priority announces at once, at most once a second; one more burst comes "
            "that long after it; 0s: none.")
            .also_in_defaults(),
        row<&Instance::announce_lower_repeat>(
            "announce_lower_repeat", times, Reload::live,
            "How many times each address is announced in either burst because of a lower master.")
            .also_in_defaults(),
        row<&Instance::announce_interval>(
            "announce_interval", Span{1us, 1min, true}, Reload::live,
            "The least time between two announcements on one interface, the largest of all instances there; 0s: none. "
            "An address that has just come goes before every repetition; adverts never wait.")
            .also_in_defaults(),
        row<&Instance::announce_other_links>(
            "announce_other_links", OtherLinksSchedule{}, Reload::live,
            "How often addresses on other interfaces than the instance's own are announced besides: those on virtual "
            "MACs, or all; 0s: never.")
            .also_in_defaults(),
    };
}

std::vector<Directive<Instance>> other_rows() {
    return {
        row<&Instance::lease>("lease", LeaseMode{}, Reload::live,
                              "The kernel removes the addresses itself when nobody renews them.")
            .also_in_defaults(),
        row<&Instance::down_adverts>(
            "down_adverts", Number<unsigned>{1, 100}, Reload::live,
            "How many adverts in a row a standby misses before it takes over; the same on all hosts.")
            .also_in_defaults(),
        row<&Instance::checksum>(
            "checksum", ChecksumStyle{}, Reload::live,
            "What the checksum of a version 3 advert over IPv4 covers when it is sent; both are accepted.")
            .also_in_defaults(),
        unicast_row(),
        virtual_mac_row(),
        ipvlan_row(),
        source_row(),
        row<&Instance::multicast_group4>("multicast_group4", MulticastGroup{Family::ipv4}, Reload::live,
                                         "Where IPv4 adverts go. On another group the same vrid is another virtual "
                                         "router; all its hosts need the same.")
            .also_in_defaults(),
        row<&Instance::multicast_group6>("multicast_group6", MulticastGroup{Family::ipv6}, Reload::live,
                                         "Where IPv6 adverts go, likewise.")
            .also_in_defaults(),
        addresses_row(),
        excluded_addresses_row(),
        routes_row(),
        rules_row(),
        track_row(),
        notify_row(),
        authentication_row(),
    };
}

std::vector<Directive<Instance>> rows() {
    auto all = election_rows();
    for (auto&& part : {announcement_rows(), other_rows()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

} // namespace

std::span<const Directive<Instance>> instance_directives() {
    static const auto all = rows();
    return all;
}

} // namespace holdfast::config
