#include "bus/driver.hpp"

#include "bus/names.hpp"

#include <string_view>

namespace holdfast::bus {
namespace {

bool is(sd_bus_message* call, const char* member) {
    return sd_bus_message_is_method_call(call, driver_name, member) > 0;
}

/// The first argument, a name; empty when there is none.
std::string_view asked_name(sd_bus_message* call) {
    const char* name = nullptr;
    return sd_bus_message_read(call, "s", &name) > 0 ? name : "";
}

void answer_owner(sd_bus_message* call) {
    const auto name = asked_name(call);
    if (name == bus_name || name == private_owner)
        sd_bus_reply_method_return(call, "s", private_owner);
    else if (name == driver_name)
        sd_bus_reply_method_return(call, "s", driver_name);
    else
        sd_bus_reply_method_errorf(call, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "there is only %s here", bus_name);
}

void answer_has_owner(sd_bus_message* call) {
    const auto name = asked_name(call);
    sd_bus_reply_method_return(call, "b", name == bus_name || name == private_owner || name == driver_name);
}

/// A monitor knows by the loss of its name that it is one from now on.
void begin_monitoring(sd_bus_message* call, Acquaintance& client) {
    client.monitors = true;
    sd_bus_reply_method_return(call, "");
    sd_bus_emit_signal(sd_bus_message_get_bus(call), driver_path, driver_name, "NameLost", "s", client.name.c_str());
}

} // namespace

void answer_as_bus(sd_bus_message* call, Acquaintance& client) {
    if (is(call, "Hello")) {
        client.greeted = true;
        sd_bus_reply_method_return(call, "s", client.name.c_str());
    } else if (is(call, "AddMatch")) {
        ++client.matches;
        sd_bus_reply_method_return(call, "");
    } else if (is(call, "RemoveMatch")) {
        if (client.matches > 0) --client.matches;
        sd_bus_reply_method_return(call, "");
    } else if (is(call, "ListNames")) {
        sd_bus_reply_method_return(call, "as", 4, driver_name, bus_name, private_owner, client.name.c_str());
    } else if (is(call, "ListActivatableNames")) {
        sd_bus_reply_method_return(call, "as", 0);
    } else if (is(call, "NameHasOwner")) {
        answer_has_owner(call);
    } else if (is(call, "GetNameOwner")) {
        answer_owner(call);
    } else if (is(call, "StartServiceByName")) {
        constexpr std::uint32_t runs_already = 2;
        sd_bus_reply_method_return(call, "u", runs_already);
    } else if (sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Monitoring", "BecomeMonitor") > 0) {
        begin_monitoring(call, client);
    } else {
        sd_bus_reply_method_errorf(call, SD_BUS_ERROR_UNKNOWN_METHOD,
                                   "this is holdfastd's private socket and no bus: it knows no %s",
                                   sd_bus_message_get_member(call));
    }
}

} // namespace holdfast::bus
