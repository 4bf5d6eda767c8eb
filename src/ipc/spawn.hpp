// Starts a helper as a child process with its socket as descriptor 3 and nothing else of ours. Invariant: the child has
// an ordinary scheduling policy, no environment, default signals, /dev/null as input, and no descriptor above 3.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <span>
#include <string>
#include <sys/types.h>

namespace holdfast::ipc {

/// The number of the socket in the helper; the first one of socket activation too (sd_listen_fds(3)).
inline constexpr int helper_socket = 3;

/// A child of ours. Its pidfd becomes readable when it ends.
struct Child {
    pid_t pid{-1};
    Fd pidfd;
};

/// `command[0]` is the absolute path of the program. Costs the caller one vfork and exec, whatever its size in memory
/// (glibc's posix_spawn uses CLONE_VM | CLONE_VFORK). The child is in a process group of its own, so that Ctrl-C in a
/// terminal reaches the daemon and the daemon ends the helper. It must be called from a thread that lives as long as
/// the process: PR_SET_PDEATHSIG, which the helper asks for, is about the thread (prctl(2)).
Result<Child> spawn(std::span<const std::string> command, const Fd& socket);

/// How a child ended, from siginfo_t (waitid(2)): "exit status 1", "signal SIGKILL".
std::string describe_exit(int status, int code);

} // namespace holdfast::ipc
