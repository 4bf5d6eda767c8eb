// Watches links and addresses. Runs on the loop thread and never blocks: it only reads notifications. Complete lists are
// asked of the executor, because a dump can wait for the kernel's RTNL lock.
#pragma once

#include "engine/event.hpp"
#include "kernel/socket.hpp"

#include <array>
#include <functional>

namespace holdfast::kernel {

class Observer {
  public:
    /// The error is an errno.
    static Result<Observer, int> open();

    int fd() const { return socket_.fd(); }
    /// Hands over everything that waits. False when notifications were lost (ENOBUFS): a complete list is needed.
    bool read(const std::function<void(engine::Event)>& each);

  private:
    explicit Observer(NetlinkSocket socket) : socket_{std::move(socket)} {}
    NetlinkSocket socket_;
    std::array<std::uint8_t, 32768> buffer_{};
};

} // namespace holdfast::kernel
