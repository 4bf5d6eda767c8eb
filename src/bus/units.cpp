#include "bus/units.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace holdfast::bus {
namespace {

constexpr Duration first_retry = 1s, longest_retry = 30s;
constexpr Duration verdict_holds = 10s; ///< longer than a restart of the bus or of systemd itself takes
constexpr const char* systemd = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* properties = "org.freedesktop.DBus.Properties";
constexpr const char* nobody = "no systemd on this bus: the unit can't be watched";

struct UnitState {
    std::string active, load;
};

/// a{sv}, of which only two entries matter.
UnitState read_state(sd_bus_message* message) {
    UnitState result;
    if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return result;
    while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
        const char* key = nullptr;
        const char* value = nullptr;
        if (sd_bus_message_read(message, "s", &key) < 0) break;
        const bool active = std::string_view{key} == "ActiveState";
        if (active || std::string_view{key} == "LoadState") {
            if (sd_bus_message_read(message, "v", "s", &value) < 0) break;
            (active ? result.active : result.load) = value;
        } else if (sd_bus_message_skip(message, "v") < 0) {
            break;
        }
        sd_bus_message_exit_container(message);
    }
    return result;
}

/// What somebody stopped stays stopped; only what failed by itself is worth a restart.
engine::Repair repair_of(const UnitState& state) {
    if (state.load == "not-found") return engine::Repair::none;
    if (state.active == "failed") return engine::Repair::wanted;
    return state.active == "activating" ? engine::Repair::under_way : engine::Repair::none;
}

} // namespace

struct Units::Unit {
    Units* owner;
    std::string tracker, name;
    std::string path;
    Slot loading, changed, reading, restarting; ///< ending one cancels its callback
    bool known{false};                          ///< systemd has told its state
    bool told{false};
    engine::Observation observation{engine::Observation::unknown};
    std::string detail;
    engine::Repair repair{engine::Repair::none};
};

Units::Units(sd_event* event, std::function<void(engine::TrackerObserved)> report,
             std::function<void(std::string)> warn)
    : event_{event}, report_{std::move(report)}, warn_{std::move(warn)}, retry_{first_retry},
      retry_timer_{event, [this] { connect(); }}, lost_timer_{event, [this] { lost(); }},
      unknown_timer_{event, [this] {
                         for (auto& [tracker, unit] : units_)
                             this->report(*unit, engine::Observation::unknown, nobody);
                     }} {}

Units::~Units() = default;

void Units::unwatch(const std::string& tracker) {
    units_.erase(tracker);
}

void Units::watch(std::string tracker, std::string name) {
    auto& unit = units_[tracker];
    unit = std::make_unique<Unit>(Unit{.owner = this,
                                       .tracker = std::move(tracker),
                                       .name = std::move(name),
                                       .path = {},
                                       .loading = {},
                                       .changed = {},
                                       .reading = {},
                                       .restarting = {},
                                       .detail = {}});
    if (bus_)
        start(*unit);
    else
        connect();
}

// ---- the bus
// ------------------------------------------------------------------------------------------------------------

/// Opening is asynchronous: calls made before the bus has answered wait in its queue.
void Units::connect() {
    if (bus_ || (units_.empty() && !ordered_)) return;
    sd_bus* bus = nullptr;
    if (sd_bus_open_system(&bus) < 0) return lost();
    bus_.reset(bus);
    const auto on_disconnected = [](sd_bus_message*, void* self, sd_bus_error*) {
        static_cast<Units*>(self)->lost_timer_.after(0s); // not from inside the connection's own callback
        return 0;
    };
    const auto on_owner = [](sd_bus_message* message, void* self, sd_bus_error*) {
        const char *name = nullptr, *before = nullptr, *after = nullptr;
        if (sd_bus_message_read(message, "sss", &name, &before, &after) < 0) return 0;
        if (*after != '\0')
            static_cast<Units*>(self)->systemd_appeared();
        else
            static_cast<Units*>(self)->systemd_vanished();
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    const char* local = "org.freedesktop.DBus.Local";
    if (sd_bus_match_signal(bus, &slot, local, "/org/freedesktop/DBus/Local", local, "Disconnected", on_disconnected,
                            this) < 0)
        return lost();
    disconnected_.reset(slot);
    const auto rule = fmt::format("type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                  "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{}'",
                                  systemd);
    if (sd_bus_add_match_async(bus, &slot, rule.c_str(), on_owner, nullptr, this) < 0) return lost();
    owner_changed_.reset(slot);
    if (sd_bus_attach_event(bus, event_, SD_EVENT_PRIORITY_NORMAL) < 0) return lost();
    systemd_appeared();
}

void Units::lost() {
    for (auto& [tracker, unit] : units_) {
        unit->loading.reset();
        unit->changed.reset();
        unit->reading.reset();
        unit->restarting.reset();
    }
    subscribed_.reset();
    owner_changed_.reset();
    disconnected_.reset();
    if (bus_) sd_bus_detach_event(bus_.get());
    bus_.reset();
    systemd_vanished();
    for (const auto& order : std::exchange(orders_, {}))
        warn_(fmt::format("systemd was not reached to {}", order.text));
    if (units_.empty()) return;
    retry_timer_.after(retry_);
    retry_ = std::min(retry_ * 2, longest_retry);
}

/// Until somebody subscribes systemd sends no signals.
void Units::systemd_appeared() {
    sd_bus_slot* slot = nullptr;
    const auto ignore = [](sd_bus_message*, void*, sd_bus_error*) { return 0; };
    if (sd_bus_call_method_async(bus_.get(), &slot, systemd, manager_path, manager, "Subscribe", ignore, this, "") >= 0)
        subscribed_.reset(slot);
    for (auto& [tracker, unit] : units_)
        start(*unit);
}

void Units::systemd_vanished() {
    bool hold = false;
    for (auto& [tracker, unit] : units_) {
        if (unit->known)
            hold = true;
        else
            report(*unit, engine::Observation::unknown, nobody);
    }
    if (hold) unknown_timer_.after(verdict_holds);
}

// ---- one unit
// -----------------------------------------------------------------------------------------------------------

void Units::start(Unit& unit) {
    const auto on_loaded = [](sd_bus_message* reply, void* data, sd_bus_error*) {
        auto& self = *static_cast<Unit*>(data);
        const char* path = nullptr;
        if (const auto* error = sd_bus_message_get_error(reply)) {
            const std::string_view name{error->name};
            const bool gone = name == SD_BUS_ERROR_SERVICE_UNKNOWN || name == SD_BUS_ERROR_NAME_HAS_NO_OWNER ||
                              name == SD_BUS_ERROR_DISCONNECTED || name == SD_BUS_ERROR_NO_REPLY ||
                              name == SD_BUS_ERROR_TIMEOUT || name.starts_with("org.freedesktop.DBus.Error.Spawn");
            if (!gone || !self.known)
                self.owner->report(self, engine::Observation::unknown,
                                   gone ? nobody : fmt::format("systemd can't load {}: {}", self.name, error->message));
        } else if (sd_bus_message_read(reply, "o", &path) >= 0) {
            self.path = path;
            self.owner->read(self);
        }
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_method_async(bus_.get(), &slot, systemd, manager_path, manager, "LoadUnit", on_loaded, &unit, "s",
                                 unit.name.c_str()) >= 0)
        unit.loading.reset(slot);
    else
        report(unit, engine::Observation::unknown, fmt::format("systemd can't be asked about '{}'", unit.name));
}

/// First the match, then the question: the bus keeps this order, so no change falls between the two.
void Units::read(Unit& unit) {
    const auto apply = [](Unit& self, const UnitState& state) {
        if (state.active.empty()) return;
        self.known = true;
        self.owner->unknown_timer_.stop();
        self.owner->retry_ = first_retry;
        const bool up = state.active == "active" || state.active == "reloading" || state.active == "refreshing";
        self.owner->report(self, up ? engine::Observation::up : engine::Observation::down,
                           state.load == "not-found" ? self.name + " does not exist"
                                                     : fmt::format("{} is {}", self.name, state.active),
                           repair_of(state));
    };
    static constexpr auto update = apply;
    const auto on_changed = [](sd_bus_message* message, void* data, sd_bus_error*) {
        const char* interface = nullptr;
        if (sd_bus_message_read(message, "s", &interface) >= 0 && std::strcmp(interface, unit_interface) == 0)
            update(*static_cast<Unit*>(data), read_state(message));
        return 0;
    };
    const auto on_read = [](sd_bus_message* reply, void* data, sd_bus_error*) {
        if (!sd_bus_message_get_error(reply)) update(*static_cast<Unit*>(data), read_state(reply));
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_match_signal_async(bus_.get(), &slot, systemd, unit.path.c_str(), properties, "PropertiesChanged",
                                  on_changed, nullptr, &unit) >= 0)
        unit.changed.reset(slot);
    if (sd_bus_call_method_async(bus_.get(), &slot, systemd, unit.path.c_str(), properties, "GetAll", on_read, &unit,
                                 "s", unit_interface) >= 0)
        unit.reading.reset(slot);
}

void Units::restart(const std::string& tracker) {
    const auto at = units_.find(tracker);
    if (at == units_.end() || !bus_) return;
    auto& unit = *at->second;
    const auto on_restarted = [](sd_bus_message* reply, void* data, sd_bus_error*) {
        auto& self = *static_cast<Unit*>(data);
        if (const auto* error = sd_bus_message_get_error(reply))
            self.owner->report(self, engine::Observation::down,
                               fmt::format("systemd does not restart {}: {}; allow it by polkit, see holdfast.rules",
                                           self.name, error->message),
                               engine::Repair::failed);
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_method_async(bus_.get(), &slot, systemd, manager_path, manager, "RestartUnit", on_restarted, &unit,
                                 "ss", unit.name.c_str(), "replace") >= 0)
        unit.restarting.reset(slot);
}

void Units::move(const MoveUnits& move) {
    ordered_ = true;
    connect();
    for (const auto& unit : move.stop)
        order("StopUnit", unit, move.object);
    for (const auto& unit : move.start)
        order("StartUnit", unit, move.object);
}

void Units::order(const char* method, const std::string& unit, const std::string& object) {
    const auto text =
        fmt::format("{} {} for {}", std::string_view{method} == "StopUnit" ? "stop" : "start", unit, object);
    if (!bus_) return warn_(fmt::format("there is no system bus to {}", text));
    auto& order = orders_.emplace_back(Order{this, text, {}});
    const auto on_answer = [](sd_bus_message* reply, void* data, sd_bus_error*) {
        auto& self = *static_cast<Order*>(data);
        auto& owner = *self.owner;
        if (const auto* error = sd_bus_message_get_error(reply);
            error && std::strcmp(error->name, "org.freedesktop.systemd1.NoSuchUnit") != 0)
            owner.warn_(fmt::format("systemd does not {}: {}; allow it by polkit, see holdfast.rules", self.text,
                                    error->message));
        else if (error)
            owner.warn_(fmt::format("systemd does not {}: {}", self.text, error->message));
        std::erase_if(owner.orders_, [&self](const Order& each) { return &each == &self; });
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_method_async(bus_.get(), &slot, systemd, manager_path, manager, method, on_answer, &order, "ss",
                                 unit.c_str(), "replace") >= 0) {
        order.slot.reset(slot);
        return;
    }
    orders_.pop_back();
    warn_(fmt::format("systemd can't be asked to {}", text));
}

void Units::report(Unit& unit, engine::Observation observation, std::string detail, engine::Repair repair) {
    if (observation == engine::Observation::unknown) unit.known = false;
    if (unit.told && unit.observation == observation && unit.detail == detail && unit.repair == repair) return;
    unit.told = true;
    unit.repair = repair;
    unit.observation = observation;
    unit.detail = detail;
    report_(engine::TrackerObserved{
        .tracker = unit.tracker, .observation = observation, .detail = std::move(detail), .repair = repair});
}

} // namespace holdfast::bus
