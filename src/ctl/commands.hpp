// The subcommands. Each asks the daemon, prints, and throws Failure when there is nothing to print.
#pragma once

#include "base/time.hpp"
#include "ctl/connection.hpp"
#include "ctl/output.hpp"
#include "model/check.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::ctl {

struct StatusOrder {
    std::string name;          ///< empty: all
    unsigned journal_lines{0}; ///< the newest, behind the rest
};
void status(Connection&, const Look&, const StatusOrder&);
enum class Listed { instances, servers, trackers };
void list(Connection&, const Look&, Listed);
void show(Connection&, const Look&, const std::string& name, const std::vector<std::string>& properties,
          bool value_only);
[[noreturn]] void monitor(Connection&, const Look&, const std::string& name);
void failover(Connection&, const Look&, const std::string& name, std::optional<Duration> hold);
void takeover(Connection&, const Look&, const std::string& name, bool force);
/// Nothing: the configured one again.
void priority(Connection&, const Look&, const std::string& name, std::optional<std::uint8_t> value);
void announce(Connection&, const Look&, const std::string& name);
void reload(Connection&, const Look&);
struct MaintenanceOrder {
    std::optional<bool> on; ///< nothing: only say which
    std::string reason;
};
void maintenance(Connection&, const Look&, const MaintenanceOrder&);
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
/// A real server that is not in the configuration.
struct AddedServer {
    std::string name, address;           ///< "SERVER/NAME"; ADDRESS or ADDRESS:PORT
    std::optional<std::uint64_t> weight; ///< nothing: the virtual server's
    std::vector<std::string> more;       ///< "directive: value"
    bool persistent{false};              ///< it outlives a reboot
};
void add(Connection&, const Look&, const AddedServer&);
struct RemovedServer {
    std::string name;
    bool drain{false}; ///< first its connections end, for so long at most
    std::optional<Duration> timeout;
};
void remove(Connection&, const Look&, const RemovedServer&);
/// Prints the state; the status is 0 when all instances of this name are master here, else 1.
int is_master(Connection&, const Look&, const std::string& name);
enum class HealthKind {
    readiness, ///< 0: nothing is at fault; 1: something is
    liveness,  ///< 0: the daemon answers
    nagios,    ///< 0 to 3, as monitoring plugins have it
};
int health(Connection&, const Look&, HealthKind);
/// The same where there is nobody to ask.
int health_of_nobody(const Failure&, HealthKind);
void tree(Connection&, const Look&);
/// `rounds`: looks, one every two seconds; 0: until interrupted.
void top(Connection&, std::uint64_t rounds);
struct LogOrder {
    std::string name; ///< empty: all of the daemon's
    std::string lines;
    bool follow{false}, explain{false}, no_pager{false};
};
/// What the kernel balances now: all, of a virtual server, or of "SERVER/NAME".
void connections(Connection&, const Look&, const std::string& name);
struct DigestOrder {
    std::string url, virtual_host; ///< empty: the URL's
    model::DigestKind kind{model::DigestKind::sha256};
    bool server_name{true}; ///< SNI
    bool as_genhash{false}; ///< printed as keepalived's genhash does
    Duration timeout{5s};
    std::string helper_directory; ///< where holdfast-prober is
};
/// Asks nobody's daemon.
void digest(const Look&, const DigestOrder&);
/// Does not return where there is a journalctl.
void log(const Look&, const LogOrder&);
/// The newest lines that the journal shows this user, the oldest of them first; empty also where there is no journalctl.
std::string newest_of_log(const std::string& name, unsigned lines);
/// Names for the shells' completion, one a line.
void complete(Connection&);
/// The same of real servers: SERVER/NAME.
void complete_servers(Connection&);

/// `web` names web and both of web/ipv4, web/ipv6.
bool names(const std::string& wanted, const std::string& instance);
/// The instances of that name (all for ""); Failure NoSuchInstance when there is none.
Json instances_named(const Json& node, const std::string& name);

} // namespace holdfast::ctl
