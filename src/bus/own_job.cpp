#include "bus/own_job.hpp"

#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

namespace holdfast::bus {
namespace {

constexpr std::chrono::milliseconds answer_limit{250}; ///< of each of the three questions
constexpr auto systemd = "org.freedesktop.systemd1";
constexpr std::uint32_t caller =
    0; ///< GetUnitByPID: whoever asks, as the bus knows it, also from another PID namespace

bool is_answer(sd_bus_message* message) {
    return message != nullptr && sd_bus_message_is_method_error(message, nullptr) <= 0;
}

} // namespace

void OwnJob::read(const char* path, const char* interface, const char* property,
                  std::function<void(sd_bus_message*)> then) {
    sd_bus_message* call = nullptr;
    if (connection_.bus() == nullptr || sd_bus_message_new_method_call(connection_.bus(), &call, systemd, path,
                                                                       "org.freedesktop.DBus.Properties", "Get") < 0)
        return then(nullptr);
    Message owned{call};
    if (sd_bus_message_append(call, "ss", interface, property) < 0) return then(nullptr);
    connection_.ask(std::move(owned), answer_limit, std::move(then));
}

void OwnJob::ask(const std::function<void(bool restart)>& then) {
    const auto on_type = [then](sd_bus_message* answer) {
        const char* type = nullptr;
        then(is_answer(answer) && sd_bus_message_read(answer, "v", "s", &type) > 0 &&
             std::string_view{type} == "restart");
    };
    const auto on_job = [this, then, on_type](sd_bus_message* answer) {
        std::uint32_t id = 0;
        const char* path = nullptr;
        if (!is_answer(answer) || sd_bus_message_read(answer, "v", "(uo)", &id, &path) <= 0 || id == 0)
            return then(false);
        read(path, "org.freedesktop.systemd1.Job", "JobType", on_type);
    };
    const auto on_unit = [this, then, on_job](sd_bus_message* answer) {
        const char* path = nullptr;
        if (!is_answer(answer) || sd_bus_message_read(answer, "o", &path) <= 0) return then(false);
        read(path, "org.freedesktop.systemd1.Unit", "Job", on_job);
    };
    sd_bus_message* call = nullptr;
    if (connection_.bus() == nullptr ||
        sd_bus_message_new_method_call(connection_.bus(), &call, systemd, "/org/freedesktop/systemd1",
                                       "org.freedesktop.systemd1.Manager", "GetUnitByPID") < 0)
        return then(false);
    Message owned{call};
    if (sd_bus_message_append(call, "u", caller) < 0) return then(false);
    connection_.ask(std::move(owned), answer_limit, on_unit);
}

} // namespace holdfast::bus
