#include "kernel/rtnl.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"
#include "kernel/rtnl_address.hpp"
#include "kernel/rtnl_link.hpp"
#include "kernel/rtnl_message.hpp"
#include "kernel/rtnl_route.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>

namespace holdfast::kernel {
Bytes encode(const engine::Operation& operation, std::uint32_t sequence) {
    return std::visit([&](const auto& body) { return encode(body, sequence); }, operation.what);
}

Bytes encode_dump(std::uint16_t type, std::uint32_t sequence) {
    auto message = new_message(type, NLM_F_DUMP, sequence);
    if (type == RTM_GETLINK)
        append(message.get(), ifinfomsg{});
    else
        append(message.get(), ifaddrmsg{});
    return bytes_of(message);
}

std::optional<engine::Event> decode(const nlmsghdr& message) {
    switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: return decode_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR: return decode_address(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE: return decode_route(message);
    case RTM_NEWRULE:
    case RTM_DELRULE: return decode_rule(message);
    default: return std::nullopt;
    }
}

int dump_error_of(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(int))) return 0;
    return -*static_cast<const int*>(nlmsg_data(&message));
}

int error_of(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EBADMSG;
    return -static_cast<const nlmsgerr*>(nlmsg_data(&message))->error;
}

} // namespace holdfast::kernel
