// Why a packet was not an advertisement for us. Each reason is a counter, a word on the bus and a line in the journal.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::wire {

enum class Reject : std::uint8_t {
    truncated,      ///< shorter than its own header says
    ip_header,      ///< not a whole IPv4 header of protocol 112
    hop_limit,      ///< TTL or hop limit is not 255: it came through a router (RFC 9568 7.1)
    version,        ///< neither 2 nor 3, or not the instance's version
    type,           ///< not an advertisement
    vrid,           ///< 0
    address_count,  ///< 0 addresses
    length,         ///< does not match version and address count
    checksum,       ///<
    interval,       ///< 0, or (version 2) not the instance's own
    authentication, ///< type or password is not the instance's
    own_source,     ///< our own address as source: a reflected packet, or a duplicate address on the link
    transport,      ///< multicast where the instance has unicast, or the other way round
    peer,           ///< unicast from a host that is not among the peers

    signature_missing,    ///< unsigned, where signatures are enforced
    signature_malformed,  ///< not a signature of ours: type, reserved bits, lengths
    signature_unexpected, ///< signed in a way that the instance is not configured for
    signature_key,        ///< a key id that is not in the key set
    signature_wrong,      ///< the digest differs: another key, or a forgery
    signature_stale,      ///< the sender's time is outside the window
    signature_replay,     ///< a sequence number that was used before
};
inline constexpr std::size_t reject_count = static_cast<std::size_t>(Reject::signature_replay) + 1;

/// One word for counters and D-Bus: "hop_limit".
std::string_view name(Reject);
/// What happened and what to do: for the journal.
std::string_view explain(Reject);

} // namespace holdfast::wire
