// The one way to set a socket option, and the options that every protocol socket of ours has.
#pragma once

#include "base/fd.hpp"

#include <sys/socket.h>

namespace holdfast::kernel {

inline constexpr int traffic_class = 0xc0; ///< DSCP CS6, what routers give to their own protocols
inline constexpr int queue_priority = 6;   ///< the best band of pfifo_fast (tc-prio(8))

/// setsockopt(2); on false errno says why.
template <typename T>
bool set(const Fd& fd, int level, int option, const T& value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
}

} // namespace holdfast::kernel
