// Asks systemd to reload a unit and waits for the end of that job, which alone says whether the unit took its configuration.
// Plain sd-bus on a connection of its own, as Units: nothing here may wait for the bus.
#pragma once

#include "bus/messages.hpp"
#include "bus/raw.hpp"

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <systemd/sd-bus.h>

namespace holdfast::bus {

class UnitReloads {
  public:
    UnitReloads(sd_event* event, std::function<void(UnitReloaded)> report);
    ~UnitReloads();
    UnitReloads(const UnitReloads&) = delete;
    UnitReloads& operator=(const UnitReloads&) = delete;

    /// Reported once, whatever happens to the bus.
    void reload(ReloadUnit);

  private:
    struct Order {
        UnitReloads* owner;
        ReloadUnit what;
        std::string job; ///< its path; empty: systemd has not said yet
        Slot slot;
    };

    bool connect();
    void lost();
    void accepted(Order&, sd_bus_message* reply);
    void removed(sd_bus_message* signal);
    void finish(Order&, std::string problem);

    sd_event* event_;
    std::function<void(UnitReloaded)> report_;
    RawBus bus_;
    Slot disconnected_, removed_, subscribed_;
    std::list<Order> orders_; ///< that systemd has not ended
};

} // namespace holdfast::bus
