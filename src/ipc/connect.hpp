// Both ends of a connection to a helper that is a unit of its own: systemd listens (holdfast-prober.socket) and starts the
// helper for the first connection. Invariant: neither end talks to anybody but whom the kernel names (SO_PEERCRED) as root,
// as its own user, or to the helper as the owner of the socket.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <filesystem>
#include <string_view>

namespace holdfast::ipc {

/// The daemon's end; never waits. A connection is there before anybody has accepted it: what is sent waits in it. Errors:
/// nobody listens, too many connections wait already, or a stranger listens.
Result<Fd> connect_to(const std::filesystem::path& socket);

/// The helper's end: waits for one connection on `listening`, at most for `patience`, with a sign of life for systemd
/// meanwhile. Connections that ended while they waited, of a daemon that lost its own patience, are left out, and so are
/// strangers, of whom it warns as `name`. Empty: nobody came.
Result<Fd> accept_from(int listening, Duration patience, std::string_view name);

} // namespace holdfast::ipc
