// Netlink messages as literal bytes: a reader compares them with what `ip -d` under strace sends.
#pragma once

#include "base/bytes.hpp"

#include <cstdio>
#include <string>

namespace holdfast::kernel::testing {

/// "2c 00 00 00" in groups of four bytes, eight groups a line.
inline std::string hex(ByteView bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", bytes[i]);
        out += two;
        if (i % 4 == 3) out += i % 32 == 31 ? "\n" : " ";
    }
    return out;
}

} // namespace holdfast::kernel::testing
