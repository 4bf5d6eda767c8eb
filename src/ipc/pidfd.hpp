// Process descriptors (pidfd_open(2), pidfd_send_signal(2)) by system call: glibc 2.36's sys/pidfd.h can't be used from
// C++ (it forgets extern "C").
#pragma once

#include "base/fd.hpp"

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace holdfast::ipc {

/// Becomes readable when the process ends; close-on-exec. Empty with errno set: no such process, no descriptors left,
/// or a kernel before 5.3.
inline Fd open_pidfd(pid_t pid) {
    return Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

/// Never reaches another process that has been given the same pid.
inline void send_signal(const Fd& pidfd, int signal) {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

} // namespace holdfast::ipc
