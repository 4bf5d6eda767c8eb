// Watches systemd's units: ActiveState, by its signals, never by polling. Plain sd-bus on a connection of its own,
// because every call here must be asynchronous and sdbus-c++ 1.x can't install a match without waiting for the bus. A
// verdict that was known holds for a while when the bus goes (it may be restarted); then the units are unknown, which
// has no effect.
#pragma once

#include "bus/event.hpp"
#include "bus/messages.hpp"
#include "bus/raw.hpp"
#include "engine/event.hpp"

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <systemd/sd-bus.h>

namespace holdfast::bus {

class Units {
  public:
    Units(sd_event* event, std::function<void(engine::TrackerObserved)> report, std::function<void(std::string)> warn);
    ~Units();
    Units(const Units&) = delete;
    Units& operator=(const Units&) = delete;

    void watch(std::string tracker, std::string unit);
    void unwatch(const std::string& tracker);
    /// Asks systemd for one restart of the tracker's unit.
    void restart(const std::string& tracker);
    /// Asks systemd to stop and to start units; a refusal is warned of.
    void move(const MoveUnits& move);
    /// systemd has not answered an order yet; whoever leaves the bus before is not allowed by polkit any more.
    bool busy() const { return !orders_.empty(); }

  private:
    struct Unit;
    struct Order {
        Units* owner;
        std::string text; ///< "start a.service (web)"
        Slot slot;
    };

    void connect();
    void lost();
    void systemd_appeared();
    void systemd_vanished();
    void order(const char* method, const std::string& unit, const std::string& object);
    void start(Unit& unit);
    void read(Unit& unit);
    void report(Unit& unit, engine::Observation observation, std::string detail,
                engine::Repair repair = engine::Repair::none);

    sd_event* event_;
    std::function<void(engine::TrackerObserved)> report_;
    std::function<void(std::string)> warn_;
    bool ordered_{false};                                ///< a connection is wanted for orders too
    std::list<Order> orders_;                            ///< that systemd has not answered
    std::map<std::string, std::unique_ptr<Unit>> units_; ///< by tracker
    RawBus bus_;
    Slot disconnected_, owner_changed_, subscribed_;
    Duration retry_;
    Timer retry_timer_, lost_timer_, unknown_timer_;
};

} // namespace holdfast::bus
