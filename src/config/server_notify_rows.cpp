// `notify` of virtual servers and real servers: who else is told of an edge than the program that it names.
#include "config/server_notify_rows.hpp"

#include "config/real_server_rows.hpp"

namespace holdfast::config {
namespace {

using model::RealServer;
using model::ServerNotify;

constexpr Span program_time{100ms, std::chrono::hours{1}};

std::vector<Directive<ServerNotify>> rows() {
    return {
        item_row<ServerNotify, &ServerNotify::mail>("mail", Flag{}, "A mail for each edge, as `mail` says where to."),
        item_row<ServerNotify, &ServerNotify::fifo>("fifo", Text{check_path, "the absolute path of a FIFO"},
                                                    "A line for each: TYPE \"NAME\" STATE 0.", "none"),
        item_row<ServerNotify, &ServerNotify::user>("user", Text{check_user, "the name of a user"},
                                                    "Who runs the programs.", "whom the runner runs as"),
        item_row<ServerNotify, &ServerNotify::timeout>("timeout", program_time, "How long a program may take."),
    };
}

template <typename Object>
Directive<Object> row_of(std::string_view help) {
    return bare_row<Object>("notify", Shape::map, "{mail: true, fifo: PATH, user: NAME, timeout: 30s}", help, "none");
}

std::optional<ServerNotify> read(Context& context, const Node& node) {
    return read_map<ServerNotify>(context, node, server_notify_directives(), {}, "notify", "{mail: true}");
}

std::optional<std::string> write(const ServerNotify& notify) {
    if (notify == ServerNotify{}) return std::nullopt;
    return write_item(server_notify_directives(), notify);
}

} // namespace

std::span<const Directive<ServerNotify>> server_notify_directives() {
    static const auto all = rows();
    return all;
}

Directive<RealServer> real_notify_row() {
    auto row = row_of<RealServer>("Who is told that it came up or went down.");
    row.read = reads<&RealServer::notify>(read);
    row.write = [](const RealServer& server, Secrets) { return write(server.notify); };
    return row;
}

Directive<ServerText> server_notify_row() {
    auto row = row_of<ServerText>("Who is told of its quorum, and of each real server that does not say otherwise.");
    row.read = [](Context& context, const Node& node, ServerText& server) -> std::optional<Mark> {
        const auto notify = read(context, node);
        if (!notify) return std::nullopt;
        server.notify = server.each.notify = *notify;
        return node.mark;
    };
    row.write = [](const ServerText& server, Secrets) { return write(server.notify); };
    return row;
}

std::string write_real_server(const RealServer& server, const ServerNotify& inherited) {
    auto text = write_item(real_server_directives(), server);
    if (server.notify == ServerNotify{} && inherited != server.notify)
        text.insert(text.size() - 1, ", notify: {}"); // before the brace; without it, it would inherit
    return text;
}

} // namespace holdfast::config
