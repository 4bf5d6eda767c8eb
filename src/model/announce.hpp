// When and how fast a master announces its addresses (gratuitous ARP, unsolicited NA) beside the rounds of a takeover, which
// are fixed (PROTOCOL.md, "Leaving").
#pragma once

#include "base/time.hpp"

#include <string>
#include <vector>

namespace holdfast::model {

/// Announcements of addresses that are on other interfaces than the instance's own.
struct OtherLinks {
    Duration every{0}; ///< 0: none
    bool all{false};   ///< not only those on the interface of a virtual MAC
    bool operator==(const OtherLinks&) const = default;
};

/// Interfaces that announce at one pace, as if they were one.
struct AnnounceGroup {
    std::string name;
    std::vector<std::string> interfaces;
    Duration interval{0}; ///< the least time between two announcements
    bool operator==(const AnnounceGroup&) const = default;
};

} // namespace holdfast::model
