// Which session a packet is for (RFC 5880 6.8.6, RFC 5881 5, RFC 5883 4).
#pragma once

#include "bfd/session.hpp"

namespace holdfast::bfd {

struct Arrival {
    IpAddress source, destination;
    unsigned hop_limit{};
    bool multihop{false}; ///< by port
    wire::BfdControl packet;
};

/// Nothing: it is this session's. `stranger`: another one may have it.
std::optional<wire::BfdReject> unacceptable(const model::BfdTracker&, const Session&, const Arrival&);

} // namespace holdfast::bfd
