// sd-bus as values that own: for what sdbus-c++ 1.x cannot do. And one connection of it in the event loop, which is read
// only as fast as its other end reads.
#pragma once

#include "base/fd.hpp"
#include "bus/event.hpp"

#include <functional>
#include <memory>
#include <systemd/sd-bus.h>

namespace holdfast::bus {

struct Unref {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
    void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
    void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
};
using Message = std::unique_ptr<sd_bus_message, Unref>;
using Slot = std::unique_ptr<sd_bus_slot, Unref>;
using RawBus = std::unique_ptr<sd_bus, Unref>;

/// How many messages wait because the other end does not read.
std::uint64_t unsent(sd_bus* bus);

/// A server's end of a peer-to-peer connection on `fd`, not started; null when there is no memory for it.
RawBus serve(Fd fd);

/// A connection whose descriptor is there already. Whoever destroys it does so from outside of its callbacks.
class Line {
  public:
    enum class Pace { always, as_it_reads }; ///< what is not read by the other end keeps us from reading its next call
    using OnMessage = std::function<void(sd_bus_message*)>;

    Line(sd_event* event, RawBus bus, Pace pace, OnMessage on_message, std::function<void()> ended);
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    sd_bus* bus() const { return bus_.get(); }

  private:
    void process();
    void prepare();
    bool held() const { return pace_ == Pace::as_it_reads && unsent(bus_.get()) > 0; }

    RawBus bus_;
    Pace pace_;
    OnMessage on_message_;
    std::function<void()> ended_;
    Slot filter_;
    Fd fd_; ///< a copy: sd-bus closes its own at the end, and a number that is watched must not be somebody else's
    Timer timer_;
    std::unique_ptr<Watch> watch_; ///< none any more when it has ended
};

} // namespace holdfast::bus
