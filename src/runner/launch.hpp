// Starts a script: a process group of its own, another user if wanted, no capability, no descriptor of ours. Invariant:
// whatever keeps the program from being executed comes back in words through `failure`, never as an exit status that could
// be taken for the program's own.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "model/tracker.hpp"

#include <optional>
#include <string>
#include <sys/types.h>

namespace holdfast::runner {

struct Launched {
    pid_t pid{-1};
    Fd pidfd;
    Fd output;  ///< what it prints, both streams; non-blocking
    Fd failure; ///< says why the program could not be executed; empty once it is
};

/// `user` empty: as we are. Error: it can't be started at all ("there is no user 'x'").
Result<Launched> launch(const model::Words& argv, const std::string& user, const model::Words& environment);

/// After its end: what kept it from being executed, or nothing.
std::optional<std::string> failure_of(const Fd& failure, const model::Words& argv, const std::string& user);

} // namespace holdfast::runner
