// How the socket of a probe is made: its source, interface and mark. Invariant: what this host refuses (descriptors, a
// privilege, an address that it does not have) is told apart from what the server does.
#pragma once

#include "base/fd.hpp"
#include "base/ip.hpp"
#include "model/check.hpp"
#include "prober/outcome.hpp"

#include <sys/socket.h>

namespace holdfast::prober {

struct Endpoint {
    IpAddress address;
    std::uint16_t port{0};
};
/// "192.0.2.1:80", "[2001:db8::1]:80"
std::optional<Endpoint> parse_endpoint(std::string_view text);

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size{0};
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
/// `interface` is the scope of a link-local address.
SocketAddress socket_address(const Endpoint&, const std::string& interface);

int family_of(const IpAddress&);

/// Non-blocking, and what `how` wants; the error says why it can't be and what would help.
Result<Fd> open_socket(int family, int type, int protocol, const model::ProbeSocket& how);
/// The same of a socket that somebody else has opened.
Result<void> dress(int fd, int family, const model::ProbeSocket& how);

/// A probe that this host could not make.
Outcome our_fault(std::string why);
/// Of connect(2), send(2) and recv(2).
Outcome failure(std::string_view what, int error);

} // namespace holdfast::prober
