// The sign of life that systemd wants of a unit with WatchdogSec= (sd_notify(3)), for the helpers: their loops call it, so a
// helper that hangs is silent, is killed, and comes back. Written out, because libsystemd would be the runner's one library.
// A child of holdfastd has no $NOTIFY_SOCKET, so nothing is ever due.
#pragma once

#include "base/fd.hpp"
#include "base/time.hpp"

#include <string>

namespace holdfast::ipc {

class Watchdog {
  public:
    Watchdog();

    Time next_deadline() const { return due_; }
    /// Before it is due, nothing happens.
    void on_deadline(Time now);

  private:
    Fd socket_;
    std::string address_; ///< of the socket, as in sockaddr_un
    Duration every_{0};
    Time due_{never};
};

} // namespace holdfast::ipc
