// holdfast-fetch: a greedy bus client: GetManagedObjects on holdfastd in a tight loop, and on at once when it is told to
// wait. Prints how many calls were answered, those with a refusal too.
//
//   holdfast-fetch SECONDS        (the bus is DBUS_SYSTEM_BUS_ADDRESS)

#include "wire.hpp"

#include <systemd/sd-bus.h>

int main(int argc, char** argv) {
    using namespace holdfast::bench;
    if (argc != 2) {
        std::fputs("usage: holdfast-fetch SECONDS\n", stderr);
        return 2;
    }
    const auto end = now_ns() + static_cast<std::int64_t>(std::atof(argv[1]) * 1e9);
    sd_bus* bus = nullptr;
    if (sd_bus_open_system(&bus) < 0) return 1;
    long answered = 0;
    while (now_ns() < end) {
        sd_bus_message* reply = nullptr;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const int result =
            sd_bus_call_method(bus, "org.holdfast1", "/org/holdfast1", "org.freedesktop.DBus.ObjectManager",
                               "GetManagedObjects", &error, &reply, "");
        const bool told_to_wait = sd_bus_error_has_name(&error, SD_BUS_ERROR_LIMITS_EXCEEDED) > 0;
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        if (result < 0 && !told_to_wait) break;
        ++answered;
    }
    sd_bus_unref(bus);
    std::printf("%ld\n", answered);
    return 0;
}
