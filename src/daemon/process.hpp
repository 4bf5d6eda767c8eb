// What the process itself needs from the system before the loop starts: one daemon a runtime directory, capabilities,
// real-time scheduling, locked memory.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace holdfast::daemon {

/// Creates the directory and locks it; the error names the process that has it. Holding the Fd holds the lock.
/// Waits half a second for a holder that is dying: its other descriptors may be closed before this one, and a child that
/// it had just made holds the lock until it runs its program.
Result<Fd> lock_runtime_directory(const std::filesystem::path& directory);

/// The first capability that is missing (capabilities(7)), as a sentence with its cure.
std::optional<std::string> missing_capability();

/// SCHED_RR for the calling thread, when it is not real-time already. The error is one sentence: the daemon runs on.
Result<void> become_real_time();
/// Threads that must not compete with the loop call this first.
void become_ordinary();

/// mlockall(2); a page fault on the loop thread could cost an advert.
Result<void> lock_memory();

} // namespace holdfast::daemon
