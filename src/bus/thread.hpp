// The bus thread: everything that tells the outside and may block doing so. An sd-event loop of its own with sdbus-c++
// in it; serves the last Snapshot as D-Bus objects, on the bus and on the private socket, sends signals, journal lines and sd_notify, watches systemd's
// units, and posts commands to the loop. Stores no state of its own. No bus, no journal, no systemd: the rest works on,
// and `Missing` says so.
#pragma once

#include "bus/messages.hpp"

#include <filesystem>
#include <functional>
#include <memory>

namespace holdfast::bus {

class Thread {
  public:
    /// `tell_loop` is called on the bus thread. Starts the thread; signals must be blocked in the caller. The private
    /// socket is made at that path; empty: none.
    explicit Thread(std::function<void(ToLoop)> tell_loop, std::filesystem::path private_socket = {});
    /// Sends Quit and joins.
    ~Thread();
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    /// Any thread; never blocks.
    void post(ToBus message);

    /// How often the service manager wants a sign of life (half of WATCHDOG_USEC), 0 for never.
    static Duration heartbeat_interval();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace holdfast::bus
