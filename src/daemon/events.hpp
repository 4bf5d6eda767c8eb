// What wakes the loop thread, and in which order: sd-event, its descriptors, its signals and its one timer. Knows nothing of
// the engine.
#pragma once

#include "base/time.hpp"

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <systemd/sd-event.h>
#include <vector>

namespace holdfast::daemon {

/// Of several descriptors that are ready: the wire before every other news. The doors, the kernel's and people's, come in turn,
/// so that a storm of news keeps nobody out. The clock comes when nothing else waits; where news never ends, whoever ends the
/// turns has to look at it.
enum class Wake : std::int8_t { end = -30, wire = -20, door = -10, timer = 10 };

class Events {
  public:
    struct Calls {
        std::function<void()> woken;            ///< before every other call
        std::function<void(int number)> signal; ///< of those that were asked for
        std::function<void()> timer;
        std::function<void()> ended; ///< behind every call, whatever it was
    };

    /// The signals have to be blocked in every thread (signalfd(2)).
    Events(Calls calls, std::initializer_list<int> signals);
    ~Events();
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;

    void watch(int fd, Wake order, std::function<void()> callback);
    /// Also from within its own callback.
    void unwatch(int fd);
    void enable(int fd, bool on);
    /// One deadline, `never` included; it replaces the one before.
    void set_timer(Time deadline);

    /// One wake-up and all that belongs to it. False: sd-event is broken.
    bool run_once();

  private:
    struct Source; ///< one descriptor in sd-event

    Calls calls_;
    sd_event* event_{nullptr};
    sd_event_source* timer_{nullptr};
    std::map<int, std::unique_ptr<Source>> sources_;
    std::vector<sd_event_source*> other_sources_;
};

} // namespace holdfast::daemon
