#include "kernel/observer.hpp"

#include "kernel/rtnl.hpp"
#include "kernel/rtnl_route.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

namespace holdfast::kernel {

Result<Observer, int> Observer::open() {
    constexpr std::array groups{static_cast<int>(RTNLGRP_LINK),        static_cast<int>(RTNLGRP_IPV4_IFADDR),
                                static_cast<int>(RTNLGRP_IPV6_IFADDR), static_cast<int>(RTNLGRP_IPV4_ROUTE),
                                static_cast<int>(RTNLGRP_IPV6_ROUTE),  static_cast<int>(RTNLGRP_IPV4_RULE),
                                static_cast<int>(RTNLGRP_IPV6_RULE)};
    auto socket = NetlinkSocket::open(groups, false);
    if (!socket) return unexpected{socket.error()};
    return Observer{std::move(*socket)};
}

/// A router's table changes a thousand times a second: what cannot concern us is told by its header alone.
bool Observer::is_wanted(const nlmsghdr& message) const {
    if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return true;
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) return false;
    const auto* header = static_cast<const rtmsg*>(nlmsg_data(&message));
    const bool replaces = message.nlmsg_type == RTM_NEWROUTE && (message.nlmsg_flags & NLM_F_REPLACE) != 0;
    return header->rtm_protocol == ownership_tag || replaces ||
           std::ranges::any_of(watched_, [&](const auto& where) { return where.to.length == header->rtm_dst_len; });
}

bool Observer::is_wanted(const engine::Event& event) const {
    const auto* changed = std::get_if<engine::RouteChanged>(&event);
    const auto* removed = std::get_if<engine::RouteRemoved>(&event);
    if (!changed && !removed) return true;
    const auto& route = changed ? changed->route : removed->route;
    return route.ours || (changed && changed->replaces) || is_watched(route, watched_);
}

bool Observer::read(const std::function<void(engine::Event)>& each) {
    bool complete = true;
    for (int datagrams = 0; datagrams < datagrams_a_call; ++datagrams) {
        const auto bytes = socket_.receive(buffer_);
        if (!bytes) {
            complete = false; // ENOBUFS clears itself; anything else would repeat, so it ends the turn too
            if (bytes.error() != ENOBUFS) return complete;
            continue;
        }
        if (bytes->empty()) return complete;
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            if (!is_wanted(message)) return;
            if (auto event = decode(message); event && is_wanted(*event)) each(std::move(*event));
        });
    }
    return complete;
}

} // namespace holdfast::kernel
