// Virtual servers that nginx balances: their kind, the directives of their upstream block, and what of a service of the kernel
// they have no use for.
#include "config/upstream_rows.hpp"
#include "config/real_server_rows.hpp"
#include "config/utf8.hpp"
#include "config/word_of.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Upstream;

using Balance = Upstream::Balance;
constexpr auto balances = word_of<Balance>({{name(Balance::round_robin), Balance::round_robin},
                                            {name(Balance::least_conn), Balance::least_conn},
                                            {name(Balance::ip_hash), Balance::ip_hash},
                                            {name(Balance::random), Balance::random}});
constexpr auto kinds = word_of<bool>({{"ipvs", false}, {"nginx", true}});
constexpr std::size_t longest_file_name = 200;

/// What only a service of the kernel has.
constexpr std::array<std::string_view, 16> words_of_ipvs{
    "slow_start",         "address",    "addresses",          "mark",         "family",
    "protocol",           "scheduler",  "scheduler_flags",    "persistence",  "one_packet",
    "persistence_prefix", "forwarding", "persistence_engine", "while_master", "tunnel",
    "inhibit_on_failure"};

Parsed<std::string> check_file(const Node& node) {
    const auto is_fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    };
    if (node.is_scalar() && node.text.find('/') != std::string::npos)
        return std::unexpected{Complaint{
            fmt::format("{} is outside the directory of upstreams", in_quotes(node.text)),
            "holdfast writes into /var/lib/holdfast/nginx alone: give a name, and include it from nginx.conf"}};
    if (!node.is_scalar() || node.text.empty() || node.text.size() > longest_file_name || node.text.starts_with('.') ||
        !std::ranges::all_of(node.text, is_fine))
        return std::unexpected{must_be("the name of a file, like web.conf", node)};
    return node.text;
}

Parsed<std::string> check_unit(const Node& node) {
    const auto is_fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view{":-_.@\\"}.find(c) != std::string_view::npos;
    };
    if (!node.is_scalar() || !node.text.ends_with(".service") || node.text.size() > longest_file_name ||
        !std::ranges::all_of(node.text, is_fine))
        return std::unexpected{must_be("the name of a service of systemd, like nginx.service", node)};
    return node.text;
}

Parsed<std::string> check_pid_file(const Node& node) {
    if (!node.is_scalar() || !node.text.starts_with('/') || node.text.size() > 4000)
        return std::unexpected{must_be("the absolute path of a file, like /run/nginx.pid", node)};
    return node.text;
}

std::vector<Directive<Upstream>> rows() {
    return {
        item_row<Upstream, &Upstream::file>("file", Text{check_file, "the name of a file, without a directory"},
                                            "Where the block is written, in /var/lib/holdfast/nginx.",
                                            "the virtual server's name and `.conf`"),
        item_row<Upstream, &Upstream::unit>("unit", Text{check_unit, "the name of a service of systemd"},
                                            "What systemd reloads, at most once a second."),
        item_row<Upstream, &Upstream::pid_file>(
            "pid_file", Text{check_pid_file, "the absolute path of a file"},
            "Instead of systemd: the process in this file, nginx's master, is told by SIGHUP.", "none"),
        item_row<Upstream, &Upstream::balance>("balance", balances, "Which server gets the next request."),
        item_row<Upstream, &Upstream::keepalive>("keepalive", Number<std::uint32_t>{0, 100'000},
                                                 "Idle connections to the servers that each worker keeps; 0: none."),
    };
}

std::optional<Upstream> read_upstream(Context& context, const Node& node) {
    const auto* const unit = node.is_map() ? node.find("unit") : nullptr;
    return read_map<Upstream>(context, node, upstream_directives(), {}, "nginx", "nginx: {balance: least_conn}",
                              [&](const Draft<Upstream>& draft) {
                                  if (unit && draft.has("pid_file"))
                                      context.problems.error(unit->mark, "nginx has both unit and pid_file",
                                                             "give the one by which it is reloaded");
                              });
}

} // namespace

std::span<const Directive<Upstream>> upstream_directives() {
    static const auto all = rows();
    return all;
}

Directive<ServerText> kind_row() {
    auto row = bare_row<ServerText>("kind", Shape::scalar, kinds.values(),
                                    "Who balances: the kernel, or an nginx whose upstream block is kept.", "`ipvs`");
    row.read = [](Context& context, const Node& node, ServerText& server) {
        return read_scalar(context, "kind", node, kinds, [&](bool nginx) {
            if (nginx) server.nginx.emplace();
        });
    };
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (!server.nginx) return std::nullopt;
        return kinds.print(true);
    };
    return row;
}

Directive<ServerText> upstream_row() {
    auto row = bare_row<ServerText>("nginx", Shape::map, "{balance: least_conn, keepalive: 16, ...}, see below",
                                    "The upstream block; only with kind: nginx.", "as below");
    row.read = reads<&ServerText::upstream>(read_upstream);
    row.write = [](const ServerText& server, Secrets) -> std::optional<std::string> {
        if (!server.nginx) return std::nullopt;
        return write_item(upstream_directives(), *server.nginx);
    };
    return row;
}

bool is_of_kernel(std::string_view word) {
    return std::ranges::find(words_of_ipvs, word) != words_of_ipvs.end();
}

void check_kind(Context& context, const Draft<ServerText>& draft, Mark mark) {
    const auto& server = draft.object;
    const auto error = [&](Mark where, const std::string& text, std::string hint) {
        context.problems.error(where, fmt::format("virtual server '{}' {}", server.name, text), std::move(hint));
    };
    if (!server.nginx) {
        if (draft.has("nginx"))
            error(draft.given.at("nginx").key, "has nginx, and is of the kind ipvs", "add kind: nginx, or remove it");
        return;
    }
    for (const auto word : words_of_ipvs)
        if (draft.has(word))
            error(draft.given.find(word)->second.key, fmt::format("has {}, which is for services of the kernel", word),
                  "nginx has its own listen and proxy_pass: remove it");
    const auto lacks = [&](const model::RealServer& real, const std::string& what, Mark where) {
        if (real.port == 0)
            error(where, fmt::format("has no port for {}", what),
                  fmt::format("write address: {}", print(Endpoint{real.address, 80})));
        const bool said = draft.has("forwarding") || draft.has("tunnel"); // for all of them, and refused there
        if ((!said && real.forwarding != model::Forwarding{}) || !real.host.empty())
            error(where, fmt::format("says for {} how the kernel reaches it", what),
                  "nginx makes connections of its own: remove forwarding, tunnel and host");
    };
    const auto servers = draft.given.find("real_servers");
    for (const auto& real : server.real_servers) {
        const auto* const entry = servers == draft.given.end() ? nullptr : servers->second.node->find(real.name);
        lacks(real, fmt::format("real server '{}'", real.name), entry ? entry->mark : mark);
    }
    if (server.sorry_server) lacks(*server.sorry_server, "its sorry server", draft.place("sorry_server", mark));
}

void check_upstream_files(Context& context,
                          const std::vector<std::pair<const Entry*, const model::Upstream*>>& upstreams) {
    std::map<std::string_view, const Entry*> owners;
    for (const auto& [entry, upstream] : upstreams) {
        const auto [first, fresh] = owners.emplace(upstream->file, entry);
        if (!fresh)
            context.problems.error(
                entry->mark,
                fmt::format("{} is the file of virtual server '{}' already", upstream->file, first->second->key),
                fmt::format("it stands at {}; give file: another name", context.sources.place(first->second->mark)));
    }
}

} // namespace holdfast::config
