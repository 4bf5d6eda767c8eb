#include "metrics/daemon.hpp"

#include <cstdint>
#include <memory>
#include <systemd/sd-bus.h>

namespace holdfast::metrics {

namespace {

using Clock = std::chrono::steady_clock;

/// Null until the answer came; empty when it was an error.
using Heard = std::optional<std::optional<std::string>>;

int on_answer(sd_bus_message* answer, void* data, sd_bus_error*) {
    const char* text = nullptr;
    auto& heard = *static_cast<Heard*>(data);
    heard = std::optional<std::string>{};
    if (sd_bus_message_is_method_error(answer, nullptr) <= 0 && sd_bus_message_read(answer, "s", &text) >= 0)
        heard = std::optional<std::string>{text};
    return 0;
}

} // namespace

/// By hand, because sd_bus_call(3) waits for a stopped daemon's greeting whatever its time-out.
std::optional<std::string> describe(const std::string& address, std::chrono::milliseconds limit) {
    sd_bus* made = nullptr;
    if (sd_bus_new(&made) < 0) return std::nullopt;
    const std::unique_ptr<sd_bus, decltype(&sd_bus_close_unref)> bus{made, &sd_bus_close_unref};
    Heard heard;
    if (sd_bus_set_address(made, address.c_str()) < 0 || sd_bus_set_bus_client(made, 1) < 0 || sd_bus_start(made) < 0 ||
        sd_bus_call_method_async(made, nullptr, "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager", "Describe",
                                 on_answer, &heard, "") < 0)
        return std::nullopt;
    for (const auto end = Clock::now() + limit; !heard;) {
        const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(end - Clock::now()).count();
        const int more = sd_bus_process(made, nullptr);
        if (more < 0 || rest <= 0) return std::nullopt;
        if (more == 0) sd_bus_wait(made, static_cast<std::uint64_t>(rest));
    }
    return *heard;
}

} // namespace holdfast::metrics
