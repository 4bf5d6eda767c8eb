// What the kernel's load balancer answers: bytes of generic netlink to values (linux/ip_vs.h, genetlink.h). An entry is read
// whole or refused; nothing is read beyond its end. Without libnl, so that it can be fuzzed alone.
#pragma once

#include "base/bytes.hpp"
#include "engine/ipvs.hpp"

#include <linux/netlink.h>
#include <optional>

namespace holdfast::kernel {

/// A message behind its two headers.
struct GenericMessage {
    std::uint8_t command{0};
    ByteView attributes;
};
/// `message` has to lie in memory as long as it says.
std::optional<GenericMessage> generic_message(const nlmsghdr& message);

/// The number that a family was given (CTRL_CMD_NEWFAMILY).
std::optional<std::uint16_t> decode_family(const GenericMessage&);
/// Its destinations come in messages of their own.
std::optional<engine::IpvsListedService> decode_service(const GenericMessage&);
std::optional<engine::IpvsListedDestination> decode_destination(const GenericMessage&, Family of_service);
std::optional<engine::IpvsSync> decode_sync(const GenericMessage&);
std::optional<engine::IpvsTimeouts> decode_timeouts(const GenericMessage&);

} // namespace holdfast::kernel
