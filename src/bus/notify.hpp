// What the service manager is told (sd_notify(3)). Without $NOTIFY_SOCKET every call does nothing.
#pragma once

#include "base/fd.hpp"
#include "base/time.hpp"

#include <string>
#include <string_view>

namespace holdfast::bus {

class Notify {
  public:
    void ready();
    void reloading();
    void stopping();
    void heartbeat();
    /// Sent when it differs from the last one.
    void status(std::string line);

    /// Kept open for the next process, and not watched meanwhile: an error that is pending on a socket is not its end.
    void keep(const std::string& name, const Fd& fd);
    void forget(const std::string& name);

    /// Half of $WATCHDOG_USEC, zero when no watchdog runs.
    static Duration heartbeat_interval();

  private:
    std::string status_;
    bool stopping_{false};
};

} // namespace holdfast::bus
