// Services that two hosts both direct and serve. A director sends the packets of direct routing and tunnels on unchanged, so at
// a real server they look as if a client had sent them: if its own table has the service too, they are scheduled again and may
// come back, for ever. Such a file is refused, unless one host directs at a time (`while_master`) or the guard keeps the two
// apart (`guard`).
#include "config/server.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace holdfast::config {
namespace {

/// What a guarded service's packets are marked with: "HF" and a number. The same on every node with the same file, because
/// connections that are kept in step carry it.
constexpr std::uint32_t first_mark = 0x48460000, most_marks = 0x10000;

bool is_other(const model::RealServer& real, const std::string& node) {
    return !real.host.empty() && real.host != node;
}

/// This node has the service in its table, takes its packets as a real server, and is not the only such node.
bool directs_and_serves(const ServerText& server, const std::string& node) {
    const auto serves_here = [&](const model::RealServer& real) {
        return real.host == node && !node.empty() && keeps_destination(real);
    };
    const auto directs_there = [&](const model::RealServer& real) {
        return is_other(real, node) && is_directed_by(server, real.host);
    };
    return is_directed_by(server, node) && std::ranges::any_of(server.real_servers, serves_here) &&
           (server.directors.size() > 1 || std::ranges::any_of(server.real_servers, directs_there));
}

} // namespace

void check_directors(Context& context, const Draft<ServerText>& draft, Mark mark) {
    const auto& server = draft.object;
    const auto error = [&](std::string_view word, std::string_view text, std::string hint) {
        context.problems.error(draft.place(word, mark), fmt::format("virtual server '{}' {}", server.name, text),
                               std::move(hint));
    };
    if (!draft.usable("guard") || !draft.usable("directors") || !draft.usable("while_master") ||
        !draft.usable("real_servers"))
        return;
    if (!server.guard && server.while_master.empty() && directs_and_serves(server, context.node_name))
        error("real_servers",
              fmt::format("is directed by this node ({}) and by another one, and both serve it: what one sends to the "
                          "other is scheduled again there, and some connections hang",
                          context.node_name),
              "add while_master: INSTANCE, so that only the master directs, or guard: on");
    if (!server.guard) return;
    if (server.mark != 0)
        error("guard", "has guard and mark: the guard marks packets by itself", "give its addresses, or remove guard");
    if (std::ranges::none_of(server.real_servers, model::keeps_destination))
        error("guard", "has guard, and forwarding: nat: no packet comes back as it went", "remove guard");
}

void settle_guard(Context& context, std::vector<model::VirtualServer>& servers,
                  const std::vector<const Entry*>& entries, const std::vector<IpAddress>& advertised) {
    std::uint32_t next = 0;
    for (auto& server : servers) {
        if (!server.guard) continue;
        const auto* const entry = *std::ranges::find(entries, server.name, &Entry::key);
        for (auto& key : server.services) {
            if (key.mark != 0) continue; // complained of
            key.mark = first_mark + next++;
            if (std::ranges::find(advertised, key.address) == advertised.end() &&
                is_directed_by(server, context.node_name))
                context.problems.error(entry->mark,
                                       fmt::format("virtual server '{}' has guard, and {} is no address of an instance",
                                                   server.name, to_string(key.address)),
                                       "the guard follows the master: add the address to an instance");
        }
        if (next > most_marks)
            context.problems.error(entry->mark, fmt::format("more than {} services are guarded", most_marks),
                                   "use while_master instead");
        std::ranges::sort(server.services);
    }
}

} // namespace holdfast::config
