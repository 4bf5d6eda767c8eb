// What the two helper programs have in common: their command line, finding their socket, giving up what they do not
// need, and their own clock. Invariant: `begin_service` returns a socket only when the process has no capability beyond
// those that it names.
#pragma once

#include "ipc/channel.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::ipc {

struct Service {
    std::string_view name;              ///< "holdfast-prober"
    std::string_view help;              ///< one paragraph
    bool become_nobody{false};          ///< when started as root: uid and gid 65534, no groups
    std::uint64_t keep_capabilities{0}; ///< bits by number (capabilities(7)); kept only if the process has them
    std::uint64_t keep_on_request{0};   ///< likewise, with `keep_rights` on the command line
};

/// The argument that asks for it.
inline constexpr std::string_view keep_rights = "--keep-rights";

/// Everything before the loop. The error is the exit status to end with, its reason already on stderr: 0 after --help and
/// --version, 64 (EX_USAGE) without a socket as descriptor 3, 77 (EX_NOPERM) when privileges cannot be given up.
/// The socket is a connected one (a child of holdfastd) or a listening one of systemd's socket activation; of that, one
/// connection is accepted, and waited for; 0 too if nobody comes.
Result<Channel, int> begin_service(const Service& service, std::span<char* const> arguments);

/// CLOCK_MONOTONIC. The helpers read their own clock; the daemon's rooms are given theirs.
Time clock_now();

/// One line on stderr with journald's warning level (sd-daemon(3)): "<4>NAME: TEXT". At most ten a minute, and it never
/// waits for the reader: when stderr is a full pipe the line is lost. From the main thread only.
void warn(std::string_view name, std::string_view text);

} // namespace holdfast::ipc
