// Virtual servers in the file: the words of a virtual server, of a real server, of a check. Invariant: as list.hpp's; what
// real servers inherit (forwarding, weight, checks) is resolved while they are read, so the model has no second place for it.
#pragma once

#include "config/item.hpp"
#include "config/list.hpp"
#include "model/server.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::config {

/// A virtual server while it is read: what only its services and its real servers keep.
struct ServerText : model::VirtualServer {
    model::RealServer each;           ///< what a real server has that does not say otherwise
    std::vector<IpAddress> addresses; ///< as given, ranges expanded; with `ports` of the same order
    std::vector<std::uint16_t> ports;
    std::uint32_t mark{0};
    Family mark_family{Family::ipv4};
    model::Upstream upstream; ///< of `nginx`, which only the kind nginx has
};

std::span<const Directive<ServerText>> server_directives();
std::span<const Directive<model::RealServer>> real_server_directives();
std::span<const Directive<model::Check>> check_directives();
std::span<const Directive<model::HttpRequest>> http_request_directives();
std::span<const Directive<model::Tunnel>> tunnel_directives();
std::span<const Directive<model::Upstream>> upstream_directives();
std::span<const Directive<model::ServerNotify>> server_notify_directives();

/// An address with or without a port: "192.0.2.1", "[2001:db8::1]:80", "2001:db8::1".
struct Endpoint {
    IpAddress address;
    std::uint16_t port{0};
};
Parsed<Endpoint> parse_endpoint(const Node&);
std::string print(const Endpoint&);

/// One address, a range "192.0.2.20-192.0.2.30:80" or a prefix "192.0.2.16/28:80", each address with the same port.
Parsed<std::vector<Endpoint>> parse_endpoints(const Node&);

/// `check:` is one of them, `checks:` a list.
std::optional<model::Check> read_check(Context&, const Node&);
std::string write_check(const model::Check&);

std::optional<model::RealServer> read_real_server(Context&, const std::string& name, const Node&,
                                                  const model::RealServer& inherited);
std::string write_real_servers(const model::VirtualServer&);

/// Complains of what nginx does not do, and of what a service of the kernel has no use for.
void check_kind(Context&, const Draft<ServerText>&, Mark);
/// Complains where two virtual servers fill one file.
void check_upstream_files(Context&, const std::vector<std::pair<const Entry*, const model::Upstream*>>&);

/// All of `virtual_servers:`, with the rules that need more than one directive.
struct ServerNames {
    const std::vector<std::string>& instances; ///< as the file has them
    const std::vector<std::string>& groups;
};
/// Complains where nothing of this name can be master.
void check_followed(Context&, const std::string& name, Mark, const ServerNames&);
/// Complains where a tracker follows the quorum of a server that is in no entry.
void check_tracked_server(Context&, const Draft<model::Tracker>&, Mark, const std::vector<const Entry*>& servers);
/// Complains where two hosts that direct the service would send its packets to and fro.
void check_directors(Context&, const Draft<ServerText>&, Mark);
/// Complains of an address that no instance has; gives every other service of a guarded server its mark.
void settle_guard(Context&, std::vector<model::VirtualServer>&, const std::vector<const Entry*>&,
                  const std::vector<IpAddress>& advertised);
std::vector<model::VirtualServer> read_virtual_servers(Context&, const std::vector<const Entry*>&, const ServerNames&);

} // namespace holdfast::config
