// rtnetlink messages: engine operations to bytes, bytes to engine events. No socket here, so tests use literal messages.
// Only what the kernel itself sent is believed; the sockets check nl_pid 0.
#pragma once

#include "base/bytes.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"

#include <linux/netlink.h>
#include <optional>
#include <vector>

namespace holdfast::kernel {

/// IFA_PROTO of every address that holdfast adds: VRRP's own protocol number.
inline constexpr std::uint8_t ownership_tag = 112;

/// One request message with NLM_F_ACK and this sequence number.
Bytes encode(const engine::Operation&, std::uint32_t sequence);
/// RTM_GETLINK or RTM_GETADDR dump request.
Bytes encode_dump(std::uint16_t type, std::uint32_t sequence);

/// The event in one message of RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR or RTNLGRP_IPV6_IFADDR, or of a dump. Nothing for other
/// messages and for malformed ones.
std::optional<engine::Event> decode(const nlmsghdr&);

/// Calls `each(const nlmsghdr&)` for every whole message in `bytes`; lengths that do not fit end the walk.
template <typename F>
void for_each_message(ByteView bytes, F each) {
    while (bytes.size() >= sizeof(nlmsghdr)) {
        const auto* header = reinterpret_cast<const nlmsghdr*>(bytes.data());
        if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > bytes.size()) return;
        each(*header);
        const std::size_t step = (header->nlmsg_len + 3U) & ~std::size_t{3};
        if (step >= bytes.size()) return;
        bytes = bytes.subspan(step);
    }
}

/// The errno with which a dump ended (NLMSG_DONE).
int dump_error_of(const nlmsghdr&);
/// The errno of an NLMSG_ERROR message (0 for an acknowledgement).
int error_of(const nlmsghdr&);

} // namespace holdfast::kernel
