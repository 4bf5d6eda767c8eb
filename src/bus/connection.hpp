// Our place on the bus: a connection that is opened off this thread, the objects on it, and the name. Objects first,
// then the name. Whatever fails, all of it is dropped and tried again after 1 s, 2 s, ... 30 s; nothing here ever
// blocks.
#pragma once

#include "bus/calls.hpp"
#include "bus/shown.hpp"

#include <functional>
#include <memory>
#include <string>
#include <systemd/sd-event.h>

namespace holdfast::bus {

class Connection {
  public:
    struct Handlers {
        std::function<void(ToLoop)> tell_loop;
        std::function<void(std::string)> missing; ///< why we are not on the bus; empty: we are
        std::function<void(std::string)> warn;    ///< one line for the journal
    };

    Connection(sd_event* event, Handlers handlers);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void show(const Shown& shown);
    /// The first attempt has ended, one way or the other.
    bool settled() const;
    Calls& calls();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The address of the system bus, as messages name it.
std::string bus_address();

} // namespace holdfast::bus
