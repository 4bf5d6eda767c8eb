// A check as a whole: exactly one kind, only what goes with it, and how it is written back.
#include "config/server.hpp"
#include "model/check_limits.hpp"

#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Check;

constexpr std::array<std::string_view, 9> kinds{"tcp", "http", "https",   "smtp",  "dns",
                                                "udp", "ping", "tracker", "script"};

struct Belongs {
    std::string_view word, kind, also{};
};
constexpr std::array belongings{
    Belongs{"status", "http", "https"},  Belongs{"digest", "http", "https"},   Belongs{"body", "http", "https"},
    Belongs{"version", "http", "https"}, Belongs{"method", "http", "https"},   Belongs{"host", "http", "https"},
    Belongs{"headers", "http", "https"}, Belongs{"server_name", "https"},      Belongs{"verify", "https"},
    Belongs{"ca_file", "https"},         Belongs{"certificate_file", "https"}, Belongs{"key_file", "https"},
    Belongs{"weight", "tracker"},        Belongs{"reverse", "tracker"},        Belongs{"user", "script"},
    Belongs{"dynamic", "script"}};
/// Of these a probe has a socket, which trackers and scripts lack.
constexpr std::array<std::string_view, 6> socket_words{"connect",     "connect_port", "source",
                                                       "source_port", "interface",    "mark"};

std::string_view find_kind(Context& context, const Draft<Check>& draft, Mark mark) {
    std::string_view first;
    for (const auto kind : kinds) {
        if (!draft.has(kind)) continue;
        if (!first.empty())
            context.problems.error(draft.given.at(kind).key,
                                   fmt::format("the check has {} already, and {} would be a second one", first, kind),
                                   "write two: checks: [{...}, {...}]");
        if (first.empty()) first = kind;
    }
    if (first.empty())
        context.problems.error(mark, "a check does not say what it does",
                               "add one of tcp, http, https, smtp, dns, udp, ping, tracker and script");
    return first;
}

void check_whole(Context& context, const Draft<Check>& draft, Mark mark) {
    const auto kind = find_kind(context, draft, mark);
    if (kind.empty()) return;
    for (const auto& [word, wanted, also] : belongings)
        if (draft.has(word) && kind != wanted && kind != also)
            context.problems.error(draft.given.at(word).key,
                                   fmt::format("{} goes with {}, not with {}", word, wanted, kind), "remove it");
    const bool has_socket = kind != "tracker" && kind != "script";
    for (const auto word : socket_words)
        if (draft.has(word) && (!has_socket || (kind == "ping" && word.ends_with("port"))))
            context.problems.error(draft.given.at(word).key, fmt::format("{} has no meaning for {}", word, kind),
                                   "remove it");
    const auto& check = draft.object;
    if (kind != "tracker" && check.timeout > check.interval && draft.has("timeout"))
        context.problems.error(draft.place("timeout", mark),
                               fmt::format("timeout {} is longer than the interval, {}", to_string(check.timeout),
                                           to_string(check.interval)),
                               "a probe ends before the next begins");
    if (check.socket.address && check.socket.source && check.socket.address->family != check.socket.source->family)
        context.problems.error(draft.place("source", mark), "connect and source are of two families",
                               "give both in the same");
    if (const auto* const http = std::get_if<model::HttpCheck>(&check.kind);
        http && http->certificate_file.empty() != http->key_file.empty())
        context.problems.error(mark, "certificate_file and key_file go together", "give both");
    if (const auto fine = model::limits_of(check.kind); !fine)
        context.problems.error(mark, fine.error(), "the prober would refuse such a check");
}

} // namespace

std::optional<Check> read_check(Context& context, const Node& node) {
    auto check = read_map<Check>(context, node, check_directives(), foreign_check_words(), "a check",
                                 "{http: /health} or {tcp: {}}",
                                 [&](const Draft<Check>& draft) { check_whole(context, draft, node.mark); });
    // Who asks more often than the default timeout lasts need not say so.
    if (check && !node.find("timeout")) check->timeout = std::min(check->timeout, check->interval);
    return check;
}

std::string write_check(const Check& check) {
    std::vector<std::string> parts;
    for (const auto& row : check_directives())
        if (const auto text = row.write(check, Secrets::hide)) parts.push_back(fmt::format("{}: {}", row.word, *text));
    return "{" + join(parts, ", ") + "}";
}

} // namespace holdfast::config
