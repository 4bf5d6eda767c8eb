#include "kernel/observer.hpp"

#include "kernel/rtnl.hpp"

#include <linux/rtnetlink.h>

namespace holdfast::kernel {

Result<Observer, int> Observer::open() {
    constexpr std::array groups{static_cast<int>(RTNLGRP_LINK), static_cast<int>(RTNLGRP_IPV4_IFADDR),
                                static_cast<int>(RTNLGRP_IPV6_IFADDR)};
    auto socket = NetlinkSocket::open(groups, false);
    if (!socket) return unexpected{socket.error()};
    return Observer{std::move(*socket)};
}

bool Observer::read(const std::function<void(engine::Event)>& each) {
    bool complete = true;
    for (;;) {
        const auto bytes = socket_.receive(buffer_);
        if (!bytes) {
            complete = false; // ENOBUFS clears itself; anything else would repeat, so it ends the turn too
            if (bytes.error() != ENOBUFS) return complete;
            continue;
        }
        if (bytes->empty()) return complete;
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            if (auto event = decode(message)) each(std::move(*event));
        });
    }
}

} // namespace holdfast::kernel
