// The directives of a real server, most of which its virtual server can say for all of them.
#include "config/real_server_rows.hpp"

#include "config/server_notify_rows.hpp"
#include "config/word_of.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Forwarding;
using model::RealServer;
using model::Tunnel;

constexpr std::size_t most_checks = 16;
constexpr auto methods = word_of<Forwarding::Method>(
    {{"nat", Forwarding::Method::nat}, {"dr", Forwarding::Method::dr}, {"tunnel", Forwarding::Method::tunnel}});
constexpr auto tunnel_kinds = word_of<model::TunnelKind>(
    {{"ipip", model::TunnelKind::ipip}, {"gue", model::TunnelKind::gue}, {"gre", model::TunnelKind::gre}});
constexpr auto checksums = word_of<model::TunnelChecksum>({{"none", model::TunnelChecksum::none},
                                                           {"full", model::TunnelChecksum::full},
                                                           {"remote", model::TunnelChecksum::remote}});

std::optional<Tunnel> read_tunnel(Context& context, const Node& node) {
    constexpr auto example = "tunnel: {kind: gue, port: 5555}";
    return read_map<Tunnel>(context, node, tunnel_directives(), {}, "tunnel", example, [&](const Draft<Tunnel>& draft) {
        const auto& tunnel = draft.object;
        const bool gue = tunnel.kind == model::TunnelKind::gue;
        if (gue != (tunnel.port != 0))
            context.problems.error(draft.place("port", node.mark),
                                   gue ? "a gue tunnel needs a port" : "only a gue tunnel has a port",
                                   gue ? "add port: 5555, where the real servers listen for it" : "remove it");
        if (tunnel.kind == model::TunnelKind::ipip && tunnel.checksum != model::TunnelChecksum::none)
            context.problems.error(draft.place("checksum", node.mark), "an ipip tunnel has no checksum",
                                   "remove it, or use gue or gre");
        if (tunnel.kind == model::TunnelKind::gre && tunnel.checksum == model::TunnelChecksum::remote)
            context.problems.error(draft.place("checksum", node.mark), "remote checksums are of gue tunnels",
                                   "write checksum: full");
    });
}

std::optional<std::vector<model::Check>> read_checks(Context& context, const Node& node) {
    if (!node.is_list() || node.items.size() > most_checks) {
        complain(context, "checks", node,
                 must_be(fmt::format("a list of at most {} checks", most_checks), node, "write [{tcp: {}}]"));
        return std::nullopt;
    }
    std::vector<model::Check> result;
    bool fine = true;
    for (const auto& item : node.items) {
        auto check = read_check(context, item);
        fine = fine && check;
        if (check) result.push_back(std::move(*check));
    }
    if (!fine) return std::nullopt;
    return result;
}

Directive<RealServer> address_row() {
    auto row = bare_row<RealServer>("address", Shape::scalar, "ADDRESS, ADDRESS:PORT or [IPv6]:PORT",
                                    "Where it is; without a port, at the service's.");
    row.read = [](Context& context, const Node& node, RealServer& server) -> std::optional<Mark> {
        const auto endpoint = parse_endpoint(node);
        if (!endpoint) complain(context, "address", node, endpoint.error());
        if (!endpoint) return std::nullopt;
        server.address = endpoint->address;
        server.port = endpoint->port;
        return node.mark;
    };
    row.write = [](const RealServer& server, Secrets) -> std::optional<std::string> {
        return yaml_text(print(Endpoint{server.address, server.port}));
    };
    return std::move(row).must_be_given();
}

} // namespace

Directive<RealServer> forwarding_row() {
    auto row = bare_row<RealServer>("forwarding", Shape::scalar, methods.values(), "How packets reach it.");
    row.read = [](Context& context, const Node& node, RealServer& server) {
        return read_scalar(context, "forwarding", node, methods,
                           [&](auto method) { server.forwarding.method = method; });
    };
    row.write = [](const RealServer& server, Secrets) {
        return std::optional{methods.print(server.forwarding.method)};
    };
    return row;
}

Directive<RealServer> tunnel_row() {
    auto row = bare_row<RealServer>("tunnel", Shape::map,
                                    "{kind: ipip, gue or gre, port: PORT, checksum: none, full or remote}",
                                    "The kind of tunnel; only with forwarding: tunnel.");
    row.read = [](Context& context, const Node& node, RealServer& server) -> std::optional<Mark> {
        const auto tunnel = read_tunnel(context, node);
        if (!tunnel) return std::nullopt;
        server.forwarding.tunnel = *tunnel;
        return node.mark;
    };
    row.write = [](const RealServer& server, Secrets) -> std::optional<std::string> {
        if (server.forwarding.tunnel == Tunnel{}) return std::nullopt;
        return write_item(tunnel_directives(), server.forwarding.tunnel);
    };
    return std::move(row).says_default("`{kind: ipip}`");
}

Directive<RealServer> check_row() {
    auto row = bare_row<RealServer>("check", Shape::map, "{http: /health, interval: 2s, ...}, see below",
                                    "How it is looked at.");
    row.read = [](Context& context, const Node& node, RealServer& server) -> std::optional<Mark> {
        auto check = read_check(context, node);
        if (!check) return std::nullopt;
        server.checks = {std::move(*check)};
        return node.mark;
    };
    row.write = [](const RealServer&, Secrets) -> std::optional<std::string> { return std::nullopt; };
    return std::move(row).says_default("none: it counts as up");
}

Directive<RealServer> checks_row() {
    auto row = bare_row<RealServer>("checks", Shape::list, "a list of checks", "Several of them; all have to be good.");
    row.read = reads<&RealServer::checks>(read_checks);
    row.write = [](const RealServer& server, Secrets) -> std::optional<std::string> {
        if (server.checks.empty()) return std::nullopt;
        std::vector<std::string> out;
        for (const auto& check : server.checks)
            out.push_back(write_check(check));
        return "[" + join(out, ", ") + "]";
    };
    return std::move(row).says_default("none");
}

Directive<RealServer> weight_row(std::string_view help) {
    return item_row<RealServer, &RealServer::weight>("weight", Number<std::uint32_t>{0, 65535}, help);
}

Directive<RealServer> inhibit_row() {
    return item_row<RealServer, &RealServer::inhibit_on_failure>(
        "inhibit_on_failure", Flag{}, "Down, it stays in the table with weight 0: its connections go on.");
}

namespace {

std::vector<Directive<RealServer>> rows() {
    const Number<std::uint32_t> connections{0, 1'000'000'000};
    return {
        address_row(),
        weight_row("Its share of new connections; 0: none."),
        forwarding_row(),
        tunnel_row(),
        item_row<RealServer, &RealServer::upper_threshold>(
            "upper_threshold", connections, "With so many connections it gets no new ones; 0: no limit."),
        item_row<RealServer, &RealServer::lower_threshold>(
            "lower_threshold", connections,
            "Below so many it gets new ones again; 0: three quarters of the upper one."),
        inhibit_row(),
        item_row<RealServer, &RealServer::host>("host", Text{check_object_name, "the name of a node"},
                                                "It is this node, which also runs holdfast.", "none of the nodes"),
        check_row(),
        checks_row(),
        program_row<RealServer, &RealServer::notify_up>("notify_up", "Run when it comes up."),
        program_row<RealServer, &RealServer::notify_down>("notify_down", "Run when it goes down."),
        real_notify_row(),
    };
}

std::vector<Directive<Tunnel>> tunnel_rows() {
    return {
        item_row<Tunnel, &Tunnel::kind>("kind", tunnel_kinds, "What packets are wrapped in."),
        item_row<Tunnel, &Tunnel::port>("port", Number<std::uint16_t>{1, 65535}, "UDP port of gue.", "none"),
        item_row<Tunnel, &Tunnel::checksum>("checksum", checksums,
                                            "Of gue and gre: of the whole packet, or left to the receiver."),
    };
}

} // namespace

std::span<const Directive<RealServer>> real_server_directives() {
    static const auto all = rows();
    return all;
}

std::span<const Directive<Tunnel>> tunnel_directives() {
    static const auto all = tunnel_rows();
    return all;
}

std::optional<RealServer> read_real_server(Context& context, const std::string& name, const Node& node,
                                           const RealServer& inherited) {
    const auto before = context.problems.count();
    const auto what = fmt::format("real server '{}'", name);
    Draft<RealServer> draft;
    draft.object = inherited;
    draft.object.name = name;
    read_object<RealServer>(context, node, real_server_directives(), foreign_real_server_words(), "a real server",
                            draft);
    require<RealServer>(context, real_server_directives(), draft, what, node.mark);
    const auto& server = draft.object;
    if (draft.has("check") && draft.has("checks"))
        context.problems.error(draft.given.at("checks").key, fmt::format("{} has both check and checks", what),
                               "put all into checks");
    if (server.lower_threshold > server.upper_threshold)
        context.problems.error(draft.place("lower_threshold", node.mark),
                               fmt::format("lower_threshold {} is above upper_threshold {}", server.lower_threshold,
                                           server.upper_threshold),
                               "the lower one says when an overloaded server gets connections again");
    if (draft.has("tunnel") && server.forwarding.method != Forwarding::Method::tunnel)
        context.problems.error(draft.given.at("tunnel").key, "tunnel goes with forwarding: tunnel",
                               "remove it, or set forwarding");
    if (context.problems.count() != before) return std::nullopt;
    return server;
}

std::string write_real_servers(const model::VirtualServer& of) {
    std::vector<std::string> out;
    for (const auto& server : of.real_servers)
        out.push_back(fmt::format("{}: {}", yaml_text(server.name), write_real_server(server, of.notify)));
    return "{" + join(out, ", ") + "}";
}

} // namespace holdfast::config
