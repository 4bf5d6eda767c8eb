#include "bus/unit_reloads.hpp"

#include <cstring>
#include <fmt/format.h>
#include <systemd/sd-event.h>
#include <utility>

namespace holdfast::bus {
namespace {

constexpr auto systemd = "org.freedesktop.systemd1";
constexpr auto manager_path = "/org/freedesktop/systemd1";
constexpr auto manager = "org.freedesktop.systemd1.Manager";

/// org.freedesktop.systemd1(5): JobRemoved. A unit that does not run has nothing to reload: it reads its files when it starts.
std::string problem_of(const std::string& unit, std::string_view result) {
    if (result == "done" || result == "skipped" || result == "invalid") return {};
    return fmt::format("{0} was not reloaded ({1}): systemctl status {0} tells why, and it runs on with what it has",
                       unit, result);
}

} // namespace

UnitReloads::UnitReloads(sd_event* event, std::function<void(UnitReloaded)> report)
    : event_{event}, report_{std::move(report)} {}

UnitReloads::~UnitReloads() {
    if (bus_) sd_bus_detach_event(bus_.get());
}

bool UnitReloads::connect() {
    if (bus_ && sd_bus_is_open(bus_.get()) > 0) return true;
    removed_.reset();
    subscribed_.reset();
    disconnected_.reset();
    if (bus_) sd_bus_detach_event(bus_.get());
    bus_.reset();
    sd_bus* bus = nullptr;
    if (sd_bus_open_system(&bus) < 0) return false;
    bus_.reset(bus);
    const auto on_disconnected = [](sd_bus_message*, void* self, sd_bus_error*) {
        static_cast<UnitReloads*>(self)->lost();
        return 0;
    };
    const auto on_removed = [](sd_bus_message* signal, void* self, sd_bus_error*) {
        static_cast<UnitReloads*>(self)->removed(signal);
        return 0;
    };
    const auto ignore = [](sd_bus_message*, void*, sd_bus_error*) { return 0; };
    constexpr auto local = "org.freedesktop.DBus.Local";
    sd_bus_slot* slot = nullptr;
    if (sd_bus_match_signal(bus, &slot, local, "/org/freedesktop/DBus/Local", local, "Disconnected", on_disconnected,
                            this) < 0)
        return false;
    disconnected_.reset(slot);
    if (sd_bus_match_signal_async(bus, &slot, systemd, manager_path, manager, "JobRemoved", on_removed, nullptr, this) <
        0)
        return false;
    removed_.reset(slot);
    // Until somebody subscribes systemd sends no signals.
    if (sd_bus_call_method_async(bus, &slot, systemd, manager_path, manager, "Subscribe", ignore, this, "") < 0)
        return false;
    subscribed_.reset(slot);
    return sd_bus_attach_event(bus, event_, SD_EVENT_PRIORITY_NORMAL) >= 0;
}

void UnitReloads::reload(ReloadUnit what) {
    auto& order = orders_.emplace_back(Order{this, std::move(what), {}, {}});
    if (!connect()) return finish(order, "there is no system bus to ask systemd by: give nginx a pid_file");
    const auto on_answer = [](sd_bus_message* reply, void* data, sd_bus_error*) {
        auto& self = *static_cast<Order*>(data);
        self.owner->accepted(self, reply);
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_method_async(bus_.get(), &slot, systemd, manager_path, manager, "ReloadUnit", on_answer, &order,
                                 "ss", order.what.unit.c_str(), "replace") < 0)
        return finish(order, fmt::format("systemd can't be asked to reload {}", order.what.unit));
    order.slot.reset(slot);
}

void UnitReloads::accepted(Order& order, sd_bus_message* reply) {
    if (const auto* error = sd_bus_message_get_error(reply)) {
        const bool refused = std::strcmp(error->name, "org.freedesktop.DBus.Error.AccessDenied") == 0 ||
                             std::strcmp(error->name, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) == 0;
        return finish(order, fmt::format("systemd does not reload {}: {}{}", order.what.unit, error->message,
                                         refused ? "; allow it by polkit, see holdfast.rules" : ""));
    }
    const char* job = nullptr;
    if (sd_bus_message_read(reply, "o", &job) >= 0) order.job = job;
}

void UnitReloads::removed(sd_bus_message* signal) {
    std::uint32_t id = 0;
    const char *job = nullptr, *unit = nullptr, *result = nullptr;
    if (sd_bus_message_read(signal, "uoss", &id, &job, &unit, &result) < 0) return;
    for (auto& order : orders_)
        if (order.job == job) return finish(order, problem_of(order.what.unit, result));
}

void UnitReloads::lost() {
    while (!orders_.empty())
        finish(orders_.front(), "the bus went away before systemd had answered");
}

void UnitReloads::finish(Order& order, std::string problem) {
    const auto id = order.what.id;
    std::erase_if(orders_, [&order](const Order& each) { return &each == &order; });
    report_({id, std::move(problem)});
}

} // namespace holdfast::bus
