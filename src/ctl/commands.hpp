// The subcommands. Each asks the daemon, prints, and throws Failure when there is nothing to print.
#pragma once

#include "base/time.hpp"
#include "ctl/connection.hpp"
#include "ctl/output.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::ctl {

void status(Connection&, const Look&, const std::string& name);
void list(Connection&, const Look&);
void show(Connection&, const Look&, const std::string& name, const std::vector<std::string>& properties,
          bool value_only);
[[noreturn]] void monitor(Connection&, const Look&, const std::string& name);
void failover(Connection&, const Look&, const std::string& name, std::optional<Duration> hold);
void reload(Connection&, const Look&);
/// The table that people know from `ipvsadm -Ln`, with the health of each server.
void ipvs(Connection&, const Look&, const std::string& name);
/// A real server, "SERVER/NAME", is told something. `wait`: until its connections are over.
struct ServerOrder {
    std::string command; ///< drain, disable, enable, weight, probe
    std::string server;
    std::optional<std::uint64_t> weight; ///< nothing: the file's
    std::optional<Duration> timeout;
    bool wait{false};
};
void order(Connection&, const Look&, const ServerOrder&);
/// Names for the shells' completion, one a line.
void complete(Connection&);
/// The same of real servers: SERVER/NAME.
void complete_servers(Connection&);

/// `web` names web and both of web/ipv4, web/ipv6.
bool names(const std::string& wanted, const std::string& instance);
/// The instances of that name (all for ""); Failure NoSuchInstance when there is none.
Json instances_named(const Json& node, const std::string& name);

} // namespace holdfast::ctl
