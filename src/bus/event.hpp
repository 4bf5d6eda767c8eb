// Owners of sd-event sources: a descriptor, a timer. Each may be destroyed from within its own callback.
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <systemd/sd-event.h>

namespace holdfast::bus {

/// Calls back while the descriptor is ready (level-triggered). `prepare`, when given, runs before each poll.
class Watch {
  public:
    Watch(sd_event* event, int fd, std::uint32_t events, std::function<void()> ready,
          std::function<void()> prepare = {});
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    void set_events(std::uint32_t events);
    void set_priority(int priority);

  private:
    sd_event_source* source_{nullptr};
    std::function<void()> ready_, prepare_;
};

/// Calls back once for each time that it is set.
class Timer {
  public:
    Timer(sd_event* event, std::function<void()> elapsed);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void after(Duration delay);
    /// Microseconds of CLOCK_MONOTONIC; UINT64_MAX: off.
    void at(std::uint64_t usec);
    void stop() { at(UINT64_MAX); }

  private:
    sd_event_source* source_{nullptr};
    std::function<void()> elapsed_;
};

} // namespace holdfast::bus
