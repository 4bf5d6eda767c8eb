// `add` and `remove`: real servers that are not in the configuration.
#include "ctl/commands.hpp"
#include "ctl/servers.hpp"

#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

/// What the file would have behind the name. Whoever writes a --set is judged by the daemon.
std::string directives(const AddedServer& added) {
    auto text = fmt::format("{{address: {}", Json(added.address).dump());
    if (added.weight) text += fmt::format(", weight: {}", *added.weight);
    for (const auto& each : added.more)
        text += ", " + each;
    return text + "}";
}

void print_answer(const Look& look, const std::string& answer) {
    if (look.json != JsonStyle::off) return print(Json{{"Result", answer}}, look.json);
    print(printable(answer));
}

} // namespace

void add(Connection& connection, const Look& look, const AddedServer& added) {
    const auto name = parse_server_name(added.name);
    const auto path = find_server(connection.describe(), name.server)["Path"].get<std::string>();
    print_answer(look, connection.add_server(path, name.real, directives(added), added.persistent));
}

void remove(Connection& connection, const Look& look, const RemovedServer& removed) {
    const auto name = parse_server_name(removed.name);
    const auto node = connection.describe();
    const auto path = find_server(node, name.server)["Path"].get<std::string>();
    if (removed.drain) {
        const auto real = find_real(node, name);
        if (real["Origin"] != "file") { // else it is refused, and goes on
            const auto answer = connection.drain(real["Path"].get<std::string>(), removed.timeout);
            if (look.json == JsonStyle::off) print(printable(answer));
            if (!wait_for_drain(connection, look, removed.name))
                throw Failure{Exit::failed, "org.freedesktop.DBus.Error.Failed",
                              fmt::format("{} is not removed: somebody enabled it meanwhile", removed.name)};
        }
    }
    print_answer(look, connection.remove_server(path, name.real));
}

} // namespace holdfast::ctl
