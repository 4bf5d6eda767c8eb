// Watches links, addresses, routes and rules. Runs on the loop thread and never blocks: it only reads notifications. Complete lists are
// asked of the executor, because a dump can wait for the kernel's RTNL lock.
#pragma once

#include "engine/action.hpp"
#include "engine/event.hpp"
#include "kernel/socket.hpp"

#include <array>
#include <functional>
#include <linux/netlink.h>
#include <vector>

namespace holdfast::kernel {

/// Some thousands of addresses or routes: a millisecond or two of work.
inline constexpr int datagrams_a_call = 64;

class Observer {
  public:
    /// The error is an errno.
    static Result<Observer, int> open();

    int fd() const { return socket_.fd(); }
    /// Routes of others are told of only if they lead to one of these.
    void watch(const engine::WatchRoutes& routes) { watched_ = routes.where; }
    /// Hands over what waits, at most `datagrams_a_call` of news: there may be no end of it. False when notifications were lost (ENOBUFS): a complete list is needed.
    bool read(const std::function<void(engine::Event)>& each);

  private:
    explicit Observer(NetlinkSocket socket) : socket_{std::move(socket)} {}
    bool is_wanted(const nlmsghdr& message) const;
    bool is_wanted(const engine::Event& event) const;

    NetlinkSocket socket_;
    std::vector<engine::WatchRoutes::Where> watched_;
    std::array<std::uint8_t, 32768> buffer_{};
};

} // namespace holdfast::kernel
