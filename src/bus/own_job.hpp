// Which of systemd's jobs our own unit has: on SIGTERM it tells a restart from a stop (org.freedesktop.systemd1(5)).
#pragma once

#include "bus/connection.hpp"

#include <functional>

namespace holdfast::bus {

class OwnJob {
  public:
    explicit OwnJob(Connection& connection) : connection_{connection} {}
    OwnJob(const OwnJob&) = delete;
    OwnJob& operator=(const OwnJob&) = delete;

    /// `then` is told whether the job is a restart. Whatever is unclear (no bus, no answer in time, no job) is none.
    void ask(const std::function<void(bool restart)>& then);

  private:
    void read(const char* path, const char* interface, const char* property, std::function<void(sd_bus_message*)> then);

    Connection& connection_;
};

} // namespace holdfast::bus
