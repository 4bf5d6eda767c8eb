// `connections`: what the kernel balances at this moment, as `ipvsadm -Lnc` shows it, with the names of the file. Read from
// /proc/net/ip_vs_conn line by line: there may be millions, and no daemon has to carry them.
#include "ctl/commands.hpp"

#include "base/ip.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <sstream>

namespace holdfast::ctl {
namespace {

constexpr auto table_path = "/proc/net/ip_vs_conn";

struct End {
    IpAddress address;
    std::uint16_t port{};
};
struct Flow {
    std::string protocol, state, expires;
    End client, service, server;
};

std::optional<std::uint32_t> hex(std::string_view text) {
    std::uint32_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, 16);
    return error == std::errc{} && rest == end ? std::optional{value} : std::nullopt;
}

/// net/netfilter/ipvs/ip_vs_conn.c: IPv4 as eight hex digits, IPv6 as text; ports as four hex digits.
std::optional<End> read_end(const std::string& address, const std::string& port) {
    const auto number = hex(port);
    if (!number || *number > 65535) return std::nullopt;
    const auto as_port = static_cast<std::uint16_t>(*number);
    if (address.find(':') != std::string::npos) {
        const auto six = parse_ip(address);
        return six ? std::optional{End{*six, as_port}} : std::nullopt;
    }
    const auto four = hex(address);
    if (!four) return std::nullopt;
    const auto byte = [&](unsigned shift) { return static_cast<std::uint8_t>(*four >> shift); };
    return End{IpAddress::v4(byte(24), byte(16), byte(8), byte(0)), as_port};
}

/// Nothing: the heading, or a line that is not as the kernel of today writes it.
std::optional<Flow> read_flow(const std::string& line) {
    std::istringstream words{line};
    std::array<std::string, 6> ends;
    Flow flow;
    words >> flow.protocol;
    for (auto& word : ends)
        words >> word;
    words >> flow.state >> flow.expires;
    if (!words) return std::nullopt;
    const auto client = read_end(ends[0], ends[1]), service = read_end(ends[2], ends[3]),
               server = read_end(ends[4], ends[5]);
    if (!client || !service || !server) return std::nullopt;
    flow.client = *client;
    flow.service = *service;
    flow.server = *server;
    return flow;
}

std::string print(const End& end) {
    return end.address.family == Family::ipv6 ? fmt::format("[{}]:{}", to_string(end.address), end.port)
                                              : fmt::format("{}:{}", to_string(end.address), end.port);
}

/// Who is meant by "SERVER" or "SERVER/NAME", and how real servers are called.
class Names {
  public:
    Names(const Json& node, const std::string& wanted) : all_{wanted.empty()} {
        const auto slash = wanted.find('/');
        bool known = wanted.empty();
        for (const auto& server : node["VirtualServers"]) {
            if (!wanted.empty() && server["Name"] != wanted.substr(0, slash)) continue;
            for (const auto& real : server["RealServers"]) {
                if (slash != std::string::npos && real["Name"] != wanted.substr(slash + 1)) continue;
                known = true;
                for (const auto& service : server["Services"])
                    add(service.get<std::string>(), server["Name"].get<std::string>(), real);
            }
        }
        if (!known)
            throw Failure{
                Exit::no_object, "org.holdfast1.Error.NoSuchServer",
                fmt::format("there is no virtual or real server '{}': holdfastctl ipvs shows those that there are",
                            wanted)};
    }
    /// Nothing: it is none of those that are wanted.
    std::optional<std::string> of(const Flow& flow) const {
        const auto at = names_.find({print(flow.service), flow.server.address});
        if (at != names_.end()) return at->second;
        return all_ ? std::optional<std::string>{"-"} : std::nullopt;
    }

  private:
    void add(const std::string& service, const std::string& server, const Json& real) {
        const auto address = parse_ip(real["Address"].get<std::string>());
        const auto where = service.substr(service.find(' ') + 1); // "tcp 192.0.2.10:80"
        if (address) names_[{where, *address}] = printable(server + "/" + real["Name"].get<std::string>());
    }

    bool all_;
    std::map<std::pair<std::string, IpAddress>, std::string> names_; ///< by service and where it went
};

} // namespace

void connections(Connection& connection, const Look& look, const std::string& name) {
    const Names names{connection.describe(), name};
    std::ifstream file{table_path};
    if (!file)
        throw Failure{errno == EACCES ? Exit::denied : Exit::failed, "org.freedesktop.DBus.Error.Failed",
                      errno == ENOENT
                          ? std::string{"this kernel balances nothing: it has no ip_vs (modprobe ip_vs)"}
                          : fmt::format("{} can't be read: {}; only root may", table_path, std::strerror(errno))};
    constexpr auto row = "{:<4} {:>7} {:<12} {:<22} {:<22} {:<22} {}\n";
    if (look.json == JsonStyle::off && look.legend)
        fmt::print(row, "PROT", "EXPIRES", "STATE", "CLIENT", "SERVICE", "SERVER", "NAME");
    for (std::string line; std::getline(file, line);) {
        const auto flow = read_flow(line);
        const auto called = flow ? names.of(*flow) : std::nullopt;
        if (!called) continue;
        if (look.json == JsonStyle::off)
            fmt::print(row, flow->protocol, flow->expires + "s", flow->state, print(flow->client), print(flow->service),
                       print(flow->server), *called);
        else // a line each: nobody holds them all
            print(Json{{"Protocol", flow->protocol},
                       {"ExpiresSec", std::strtoull(flow->expires.c_str(), nullptr, 10)},
                       {"State", flow->state},
                       {"Client", print(flow->client)},
                       {"Service", print(flow->service)},
                       {"Server", print(flow->server)},
                       {"Name", *called}},
                  JsonStyle::compact);
    }
}

} // namespace holdfast::ctl
