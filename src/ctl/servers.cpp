// `ipvs`, `drain`, `disable`, `enable`, `weight`, `probe`: virtual servers and the real servers behind them.
#include "ctl/servers.hpp"

#include "ctl/commands.hpp"

#include <chrono>
#include <fmt/format.h>
#include <thread>

namespace holdfast::ctl {
namespace {

constexpr std::chrono::milliseconds look_every{500};

std::string count(const Json& object, const char* key) {
    return std::to_string(object["Counters"][key].get<std::uint64_t>());
}

std::string endpoint(const Json& real) {
    auto address = text(real, "Address");
    const auto port = real["Port"].get<unsigned>();
    if (port == 0) return address;
    return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                  : fmt::format("[{}]:{}", address, port);
}

std::string state_text(const Json& server) {
    auto out = fmt::format("weight {} of quorum {}", server["Weight"].get<std::uint64_t>(),
                           server["Quorum"].get<std::uint64_t>());
    if (const auto master = text(server, "WhileMaster"); !master.empty())
        out += fmt::format(", while {} is master here", master);
    if (const auto sorry = text(server, "SorryServer"); !sorry.empty()) out += fmt::format(", sorry server {}", sorry);
    return out;
}

void print_server(const Look& look, const Json& server) {
    const auto state = text(server, "State");
    print(fmt::format("{} {}  {}: {}, {}", dot(look, state), bold(look, text(server, "Name")),
                      coloured(look, state, state), text(server, "Scheduler"), state_text(server)));
    for (const auto& service : server["Services"])
        print("    " + printable(service.get<std::string>()));
    for (const auto& [key, word] : {std::pair{"Problem", "problem"}, std::pair{"Warning", "warning"}})
        if (const auto said = text(server, key); !said.empty()) print(fmt::format("    {}: {}", word, said));
    std::vector<std::vector<std::string>> rows{
        {"   ", "SERVER", "ADDRESS", "FORWARD", "STATE", "WEIGHT", "ACTIVE", "INACTIVE", "ORIGIN", "CHECK"}};
    for (const auto& real : server["RealServers"])
        rows.push_back({"   ", text(real, "Name"), endpoint(real), text(real, "Forwarding"), text(real, "State"),
                        real["InTable"].get<bool>() ? std::to_string(real["Weight"].get<std::uint64_t>()) : "-",
                        count(real, "active_connections"), count(real, "inactive_connections"), text(real, "Origin"),
                        text(real, "Detail")});
    fmt::print("{}", table(std::move(rows), look));
}

Failure no_such_server(const std::string& name) {
    return {Exit::no_object, "org.holdfast1.Error.NoSuchServer",
            fmt::format("there is no virtual server '{}': holdfastctl ipvs shows those that there are", name)};
}

} // namespace

ServerName parse_server_name(const std::string& name) {
    const auto slash = name.find('/');
    if (slash == std::string::npos)
        usage(fmt::format("'{}' names no real server: write SERVER/NAME, as web-http/lb1", name));
    return {name.substr(0, slash), name.substr(slash + 1)};
}

Json find_server(const Json& node, const std::string& name) {
    for (const auto& server : node["VirtualServers"])
        if (server["Name"] == name) return server;
    throw no_such_server(name);
}

Json find_real(const Json& node, const ServerName& name) {
    const auto server = find_server(node, name.server);
    for (const auto& real : server["RealServers"])
        if (real["Name"] == name.real) return real;
    throw Failure{
        Exit::no_object, "org.holdfast1.Error.NoSuchServer",
        fmt::format("virtual server '{}' has no real server '{}': holdfastctl ipvs shows those that there are",
                    name.server, name.real)};
}

bool wait_for_drain(Connection& connection, const Look& look, const std::string& name) {
    const auto say = [&](const std::string& line) {
        if (look.json == JsonStyle::off) print(line);
        std::fflush(stdout);
    };
    std::string said;
    for (;;) {
        const auto real = find_real(connection.describe(), parse_server_name(name));
        if (real["State"] != "draining") {
            say(fmt::format("{} is {} again", name, text(real, "State")));
            return false;
        }
        if (!real["InTable"].get<bool>()) {
            say(fmt::format("{} has drained", name));
            return true;
        }
        auto line = fmt::format("{}: {} active, {} inactive connections", name, count(real, "active_connections"),
                                count(real, "inactive_connections"));
        if (line != said) say(line);
        said = std::move(line);
        std::this_thread::sleep_for(look_every);
    }
}

void ipvs(Connection& connection, const Look& look, const std::string& name) {
    const auto node = connection.describe();
    auto chosen = Json::array();
    for (const auto& server : node["VirtualServers"])
        if (name.empty() || server["Name"] == name) chosen.push_back(server);
    if (chosen.empty() && !name.empty()) throw no_such_server(name);
    if (look.json != JsonStyle::off) return print(chosen, look.json);
    if (chosen.empty()) return print("no virtual servers are configured");
    for (const auto& server : chosen)
        print_server(look, server);
}

void order(Connection& connection, const Look& look, const ServerOrder& order) {
    const auto path = find_real(connection.describe(), parse_server_name(order.server))["Path"].get<std::string>();
    const auto answer = order.command == "drain"     ? connection.drain(path, order.timeout)
                        : order.command == "disable" ? connection.disable(path)
                        : order.command == "enable"  ? connection.enable(path)
                        : order.command == "weight"
                            ? connection.set_weight(path, order.weight ? static_cast<std::int32_t>(*order.weight) : -1)
                            : connection.check_now(path);
    if (look.json != JsonStyle::off) return print(Json{{"Result", answer}}, look.json);
    print(printable(answer));
    if (order.wait) wait_for_drain(connection, look, order.server);
}

} // namespace holdfast::ctl
