// The directives of a virtual server. Rows are read in this order: what real servers inherit comes before them.
#include "config/real_server_rows.hpp"
#include "config/server_notify_rows.hpp"
#include "config/upstream_rows.hpp"
#include "config/utf8.hpp"
#include "config/word_of.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::AllDown;
using model::Protocol;
using model::RealServer;
using model::VirtualServer;

constexpr std::size_t most_services = 4096, most_real_servers = 16384;
constexpr auto protocols =
    word_of<Protocol>({{"tcp", Protocol::tcp}, {"udp", Protocol::udp}, {"sctp", Protocol::sctp}});
constexpr auto families = word_of<Family>({{"ipv4", Family::ipv4}, {"ipv6", Family::ipv6}});
constexpr auto all_down_words = word_of<AllDown>({{"drop", AllDown::drop}, {"keep", AllDown::keep}});
/// What ip_vs of Debian's kernels has; another one is refused by the kernel, and said so.
constexpr std::array<std::string_view, 14> schedulers{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh",
                                                      "dh", "sed", "nq", "fo",  "ovf",  "mh",    "twos"};

struct SchedulerFlag {
    std::string_view word, scheduler; ///< empty: any
    std::uint32_t bit;                ///< IP_VS_SVC_F_SCHED1 to 3
};
constexpr std::array scheduler_flags{SchedulerFlag{"flag-1", "", 0x8},     SchedulerFlag{"flag-2", "", 0x10},
                                     SchedulerFlag{"flag-3", "", 0x20},    SchedulerFlag{"sh-fallback", "sh", 0x8},
                                     SchedulerFlag{"sh-port", "sh", 0x10}, SchedulerFlag{"mh-fallback", "mh", 0x8},
                                     SchedulerFlag{"mh-port", "mh", 0x10}};

Parsed<std::string> check_scheduler(const Node& node) {
    if (node.is_scalar() && std::ranges::find(schedulers, std::string_view{node.text}) != schedulers.end())
        return node.text;
    const std::vector<std::string> known{schedulers.begin(), schedulers.end()};
    return std::unexpected{must_be("a scheduler of ip_vs", node, "there are " + join(known, ", "))};
}

/// A row of a real server, said for all of them; what it reads is written with each.
Directive<ServerText> for_each_server(const Directive<RealServer>& of_one, std::string_view help) {
    auto row = bare_row<ServerText>(of_one.word, of_one.shape, of_one.values, help, of_one.default_text);
    if (row.default_text.empty())
        if (const auto text = of_one.write(RealServer{}, Secrets::hide)) row.default_text = '`' + *text + '`';
    row.read = [read = of_one.read](Context& context, const Node& node, ServerText& server) {
        return read(context, node, server.each);
    };
    row.write = [](const ServerText&, Secrets) -> std::optional<std::string> { return std::nullopt; };
    return row;
}

bool add_endpoints(Context& context, std::string_view word, const Node& node, ServerText& server) {
    const auto endpoints = parse_endpoints(node);
    if (!endpoints) {
        complain(context, word, node, endpoints.error());
        return false;
    }
    for (const auto& [address, port] : *endpoints) {
        server.addresses.push_back(address);
        server.ports.push_back(port);
    }
    if (server.addresses.size() <= most_services) return true;
    context.problems.error(node.mark, fmt::format("a virtual server has at most {} addresses", most_services),
                           "use a firewall mark: mark: 1");
    return false;
}

Directive<ServerText> address_row() {
    auto row = bare_row<ServerText>("address", Shape::scalar, "ADDRESS:PORT, or a range: 192.0.2.20-192.0.2.30:80",
                                    "Where clients connect; without a port: every port, which needs persistence.");
    row.read = [](Context& context, const Node& node, ServerText& server) -> std::optional<Mark> {
        const auto* const mine = for_this_node(context, "address", node, [&](const Node& one) {
            ServerText scratch;
            return add_endpoints(context, "address", one, scratch);
        });
        if (!mine) return std::nullopt;
        add_endpoints(context, "address", *mine, server);
        return mine->mark;
    };
    row.write = [](const ServerText&, Secrets) -> std::optional<std::string> { return std::nullopt; };
    return std::move(row).says_default("this, `addresses` or `mark`");
}

Directive<ServerText> addresses_row() {
    auto row = bare_row<ServerText>("addresses", Shape::list, "a list of these",
                                    "Several of them, with one pool of real servers.");
    row.read = [](Context& context, const Node& node, ServerText& server) -> std::optional<Mark> {
        if (!node.is_list() || node.items.empty()) {
            complain(context, "addresses", node, must_be("a list", node, "write [192.0.2.10:80]"));
            return std::nullopt;
        }
        bool fine = true;
        for (const auto& item : node.items)
            fine = add_endpoints(context, "an entry of addresses", item, server) && fine;
        if (!fine) return std::nullopt;
        return node.mark;
    };
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (server.services.empty() || (server.services.front().mark != 0 && !server.guard)) return std::nullopt;
        std::vector<std::string> out;
        for (const auto& key : server.services)
            out.push_back(yaml_text(print(Endpoint{key.address, key.port})));
        return "[" + join(out, ", ") + "]";
    };
    return std::move(row).says_default("none");
}

Directive<ServerText> mark_row() {
    const Number<std::uint32_t> type{1, 4'294'967'295};
    auto row = bare_row<ServerText>("mark", Shape::scalar, type.values(),
                                    "Packets with this firewall mark, instead of an address.");
    row.read = [type](Context& context, const Node& node, ServerText& server) {
        return read_scalar(context, "mark", node, type, [&](auto mark) { server.mark = mark; });
    };
    row.write = [type](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (server.services.empty() || server.services.front().mark == 0 || server.guard) return std::nullopt;
        return type.print(server.services.front().mark);
    };
    return std::move(row).says_default("none");
}

Directive<ServerText> family_row() {
    auto row = bare_row<ServerText>("family", Shape::scalar, families.values(), "Of the packets with the mark.");
    row.read = [](Context& context, const Node& node, ServerText& server) {
        return read_scalar(context, "family", node, families, [&](auto family) { server.mark_family = family; });
    };
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (server.services.empty() || server.services.front().mark == 0 || server.guard) return std::nullopt;
        return families.print(server.services.front().family);
    };
    return std::move(row).says_default("`ipv4`");
}

Directive<ServerText> flags_row() {
    auto row = bare_row<ServerText>("scheduler_flags", Shape::list,
                                    "a list of sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3",
                                    "What the scheduler does otherwise than usual (ipvsadm(8)).");
    row.read = [](Context& context, const Node& node, ServerText& server) -> std::optional<Mark> {
        if (!node.is_list()) {
            complain(context, "scheduler_flags", node, must_be("a list", node, "write [mh-port]"));
            return std::nullopt;
        }
        for (const auto& item : node.items) {
            const auto* const flag =
                std::ranges::find(scheduler_flags, std::string_view{item.text}, &SchedulerFlag::word);
            if (!item.is_scalar() || flag == scheduler_flags.end() ||
                (!flag->scheduler.empty() && flag->scheduler != server.scheduler)) {
                complain(context, "an entry of scheduler_flags", item,
                         must_be(fmt::format("a flag of the scheduler {}", server.scheduler), item,
                                 "sh has sh-fallback and sh-port, mh the same with mh-"));
                return std::nullopt;
            }
            server.scheduler_flags |= flag->bit;
        }
        return node.mark;
    };
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        std::vector<std::string> out;
        for (const auto& flag : scheduler_flags)
            if (flag.scheduler.empty() && (server.scheduler_flags & flag.bit) != 0) out.emplace_back(flag.word);
        if (out.empty()) return std::nullopt;
        return "[" + join(out, ", ") + "]";
    };
    return std::move(row).says_default("none");
}

/// "192.0.2.99:80", or a map as a real server's.
Directive<ServerText> sorry_row() {
    auto row = bare_row<ServerText>(
        "sorry_server", Shape::map, "ADDRESS:PORT, or a map as of a real server",
        "Where clients are sent while there is no quorum; inhibit_on_failure keeps it in the table otherwise.");
    row.read = [](Context& context, const Node& node, ServerText& server) -> std::optional<Mark> {
        Node map = node;
        if (node.is_scalar())
            map = {.kind = Node::Kind::map,
                   .mark = node.mark,
                   .text = {},
                   .items = {},
                   .entries = {{"address", node.mark, node}}};
        if (!map.is_map()) {
            complain(context, "sorry_server", node, must_be("an address or a map", node, "write 192.0.2.99:80"));
            return std::nullopt;
        }
        RealServer inherited;
        inherited.forwarding = server.each.forwarding;
        auto sorry = read_real_server(context, "sorry_server", map, inherited);
        if (!sorry) return std::nullopt;
        if (!sorry->checks.empty() || !sorry->notify_up.empty() || !sorry->notify_down.empty() ||
            sorry->notify != model::ServerNotify{}) {
            context.problems.error(node.mark, "the sorry server is the last resort: it is not checked",
                                   "remove check and notify");
            return std::nullopt;
        }
        server.sorry_server = std::move(*sorry);
        return node.mark;
    };
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (!server.sorry_server) return std::nullopt;
        return write_item(real_server_directives(), *server.sorry_server);
    };
    return std::move(row).says_default("none");
}

std::optional<Mark> read_real_servers(Context& context, const Node& node, ServerText& server) {
    if (!node.is_map() || node.entries.empty() || node.entries.size() > most_real_servers) {
        complain(context, "real_servers", node,
                 must_be(fmt::format("a map from 1 to {} names to real servers", most_real_servers), node,
                         "write {s1: {address: 10.0.0.1}}"));
        return std::nullopt;
    }
    bool fine = true;
    for (const auto& entry : node.entries) {
        if (!is_name(entry.key) || !entry.value.is_map()) {
            const auto wanted =
                is_name(entry.key) ? "must be a map of directives" : "cannot be the name of a real server";
            context.problems.error(entry.mark, fmt::format("{} {}", in_quotes(entry.key), wanted),
                                   "write s1: {address: 10.0.0.1}");
            fine = false;
            continue;
        }
        auto real = read_real_server(context, entry.key, entry.value, server.each);
        fine = fine && real;
        if (real) real->origin = context.sources.origin(entry.mark.file);
        if (real) server.real_servers.push_back(std::move(*real));
    }
    std::ranges::sort(server.real_servers, {}, &RealServer::name);
    if (!fine) return std::nullopt;
    return node.mark;
}

Directive<ServerText> real_servers_row() {
    auto row = bare_row<ServerText>("real_servers", Shape::map, "a map from name to real server", "Who does the work.");
    row.read = read_real_servers;
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (server.real_servers.empty()) return std::nullopt;
        return write_real_servers(server);
    };
    return std::move(row).must_be_given();
}

template <auto Field, typename Type>
Directive<ServerText> own(std::string_view word, Type type, std::string_view help,
                          const std::string& default_text = {}) {
    return item_row<ServerText, Field>(word, type, help, default_text);
}

Directive<ServerText> directors_row() {
    auto row =
        bare_row<ServerText>("directors", Shape::list, "a list of node names",
                             "Who has the service in its kernel; any other node is a real server of it at most.");
    row.read = [](Context& context, const Node& node, ServerText& server) -> std::optional<Mark> {
        auto words = read_words(context, "directors", node, WordsAre::words);
        if (!words) return std::nullopt;
        for (const auto& item : node.items)
            if (const auto name = check_object_name(item); !name) {
                complain(context, "an entry of directors", item, name.error());
                return std::nullopt;
            }
        server.directors = std::move(*words);
        return node.mark;
    };
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (server.directors.empty()) return std::nullopt;
        return write_words(server.directors);
    };
    return std::move(row).says_default("every node");
}

std::vector<Directive<ServerText>> service_rows() {
    constexpr Duration longest = std::chrono::hours{24 * 31}; // ip_vs(9) has none, keepalived's limit
    return {
        kind_row(),
        address_row(),
        addresses_row(),
        mark_row(),
        family_row(),
        own<&VirtualServer::protocol>("protocol", protocols, "What clients speak; with mark, what has to be said too.",
                                      "has to be given, but for `kind: nginx`"),
        own<&VirtualServer::scheduler>(
            "scheduler", Text{check_scheduler, "rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, fo, ovf, mh or twos"},
            "Who gets the next connection."),
        flags_row(),
        own<&VirtualServer::persistence>(
            "persistence", Span{1s, longest, true},
            "A client stays with its server for so long after its last connection, in whole seconds; 0s: it does not."),
        own<&VirtualServer::persistence_prefix>(
            "persistence_prefix", Number<std::uint8_t>{0, 128},
            "Clients of a network of this length count as one; 0: each on its own."),
        own<&VirtualServer::persistence_engine>("persistence_engine", Text{check_object_name, "sip"},
                                                "By what else a client is known: sip, its call.", "its address"),
        own<&VirtualServer::one_packet>("one_packet", Flag{},
                                        "Every datagram is scheduled anew; only with udp or mark."),
        own<&VirtualServer::while_master>("while_master",
                                          Text{check_object_name, "the name of an instance or a sync group"},
                                          "The service is in the kernel only while that is master.", "always"),
        upstream_row(),
        own<&VirtualServer::guard>("guard", Flag{},
                                   "Of two hosts that direct and serve, only the one that holds an address directs it, "
                                   "and never what the other one forwarded; needs nft."),
        directors_row(),
    };
}

std::vector<Directive<ServerText>> pool_rows() {
    constexpr Duration day = std::chrono::hours{24};
    const Number<std::uint32_t> weight{0, 1'000'000'000};
    return {
        for_each_server(forwarding_row(), "How packets reach the real servers."),
        for_each_server(tunnel_row(), "The kind of tunnel; only with forwarding: tunnel."),
        for_each_server(weight_row({}), "Of each real server that has none of its own."),
        for_each_server(inhibit_row(), "Down, a real server stays in the table with weight 0: its connections go on."),
        for_each_server(check_row(), "How each real server is looked at that has no check of its own."),
        for_each_server(checks_row(), "Several of them; all have to be good."),
        own<&VirtualServer::quorum>("quorum", Number<std::uint32_t>{1, 1'000'000'000},
                                    "Weight of all that are up, to serve."),
        own<&VirtualServer::hysteresis>("hysteresis", weight,
                                        "So much above the quorum it is reached, so much below it is lost."),
        program_row<ServerText, &VirtualServer::quorum_up>("quorum_up", "Run when the quorum is reached."),
        program_row<ServerText, &VirtualServer::quorum_down>("quorum_down", "Run when the quorum is lost."),
        server_notify_row(),
        sorry_row(),
        own<&VirtualServer::all_down>(
            "all_down", all_down_words,
            "Without a server that is up, and no sorry server: refuse clients, or keep the last servers."),
        own<&VirtualServer::alpha>("alpha", Flag{}, "A server is down until its first good probe."),
        own<&VirtualServer::omega>("omega", Flag{}, "notify_down and quorum_down are run when the daemon stops, too."),
        own<&VirtualServer::drain_timeout>(
            "drain_timeout", Span{1s, day, true},
            "A server that leaves keeps its connections so long, with weight 0; 0s: it leaves at once."),
        own<&VirtualServer::slow_start>("slow_start", Span{1s, std::chrono::hours{1}, true},
                                        "A server that comes up has its whole weight after this time."),
        real_servers_row(),
    };
}

/// What is written for one kind is read back for it.
Directive<ServerText> unless_nginx(Directive<ServerText> row) {
    row.write = [write = std::move(row.write)](const ServerText& server,
                                               Secrets secrets) -> std::optional<std::string> {
        return server.nginx ? std::nullopt : write(server, secrets);
    };
    return row;
}

} // namespace

std::span<const Directive<ServerText>> server_directives() {
    static const auto all = [] {
        auto rows = service_rows();
        for (auto& row : pool_rows())
            rows.push_back(std::move(row));
        for (auto& row : rows)
            if (is_of_kernel(row.word)) row = unless_nginx(std::move(row));
        return rows;
    }();
    return all;
}

} // namespace holdfast::config
