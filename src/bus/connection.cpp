#include "bus/connection.hpp"

#include "bus/driver.hpp"
#include "bus/names.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::bus {
namespace {

constexpr Duration first_retry = 1s, longest_retry = 30s;
constexpr Duration open_limit = 2s;     ///< as long as the first attempt may hold up READY=1
constexpr Duration ping_interval = 30s; ///< a bus that hangs would let signals pile up
constexpr std::chrono::seconds answer_limit{25};
constexpr std::uint64_t most_unsent = 65'536; ///< messages that a bus may leave unread
constexpr const char* local = "org.freedesktop.DBus.Local";

Message driver_call(sd_bus* bus, const char* member) {
    sd_bus_message* made = nullptr;
    sd_bus_message_new_method_call(bus, &made, driver_name, driver_path, driver_name, member);
    return Message{made};
}

std::string error_text(sd_bus_message* answer) {
    const auto* error = answer != nullptr ? sd_bus_message_get_error(answer) : nullptr;
    return error == nullptr ? "no answer" : error->message != nullptr ? error->message : error->name;
}

} // namespace

std::string bus_address() {
    const char* address = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    return address ? address : "unix:path=/run/dbus/system_bus_socket";
}

Connection::Connection(sd_event* event, Exchange& exchange, Missing missing, Gone gone)
    : event_{event}, exchange_{exchange}, missing_{std::move(missing)}, gone_{std::move(gone)}, retry_{first_retry},
      open_limit_timer_{
          event,
          [this] {
              settled_ = true;
              missing_(
                  fmt::format("{} does not answer; holdfastctl uses the private socket until it does", bus_address()));
          }},
      retry_timer_{event, [this] { open(); }}, ping_timer_{event, [this] { ping(); }},
      failure_timer_{event, [this] { drop(); }} {
    open();
}

Connection::~Connection() {
    exchange_.leave(*this);
}

// ---- coming and going
// ---------------------------------------------------------------------------------------------------

/// Asynchronous: calls made before the bus has greeted us wait in its queue.
void Connection::open() {
    sd_bus* made = nullptr;
    if (sd_bus_new(&made) < 0) return fail("no memory for a connection to the bus");
    bus_.reset(made);
    sd_bus_set_address(made, bus_address().c_str());
    sd_bus_set_bus_client(made, 1);
    sd_bus_negotiate_fds(made, 0);
    if (!attach()) return;
    exchange_.join(*this);
    open_limit_timer_.after(open_limit);
    if (serving_) request_name();
}

bool Connection::attach() {
    const auto on_disconnected = [](sd_bus_message*, void* self, sd_bus_error*) {
        static_cast<Connection*>(self)->fail(fmt::format("the connection to {} ended", bus_address()));
        return 0;
    };
    const auto made = [](int result, Slot& owner, sd_bus_slot* slot) {
        if (result >= 0) owner.reset(slot);
        return result;
    };
    sd_bus_slot* slot = nullptr;
    int result = made(sd_bus_add_filter(bus_.get(), &slot, on_message, this), filter_, slot);
    if (result >= 0)
        result = made(sd_bus_match_signal(bus_.get(), &slot, local, "/org/freedesktop/DBus/Local", local,
                                          "Disconnected", on_disconnected, this),
                      disconnected_, slot);
    if (result >= 0) result = sd_bus_start(bus_.get());
    if (result >= 0) result = made(watch_clients(&slot), departed_, slot);
    if (result >= 0) result = sd_bus_attach_event(bus_.get(), event_, SD_EVENT_PRIORITY_NORMAL);
    if (result < 0) fail(fmt::format("no D-Bus at {}: {}", bus_address(), std::strerror(-result)));
    return result >= 0;
}

int Connection::watch_clients(sd_bus_slot** slot) {
    const auto on_departed = [](sd_bus_message* signal, void* self, sd_bus_error*) {
        const char* name = nullptr;
        if (sd_bus_message_read(signal, "s", &name) > 0 && *name == ':') static_cast<Connection*>(self)->gone_(name);
        return 0;
    };
    const auto ignore = [](sd_bus_message*, void*, sd_bus_error*) { return 0; };
    constexpr auto match = "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                           "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''";
    return sd_bus_add_match_async(bus_.get(), slot, match, on_departed, ignore, this);
}

void Connection::fail(std::string text) {
    if (failure_) return;
    failure_ = std::move(text);
    failure_timer_.after(0s);
}

void Connection::drop() {
    named_ = false;
    exchange_.leave(*this);
    gone_({});
    open_limit_timer_.stop();
    ping_timer_.stop();
    // Whoever waits for an answer is told first that there will be none.
    for (auto waiting = std::exchange(asked_, {}); const auto& each : waiting)
        each.on_answer(nullptr);
    filter_.reset();
    disconnected_.reset();
    departed_.reset();
    if (bus_) sd_bus_detach_event(bus_.get());
    bus_.reset();
    settled_ = true;
    missing_(
        fmt::format("{}; holdfastctl uses the private socket; tried again every {}", *failure_, to_string(retry_)));
    failure_.reset();
    retry_timer_.after(retry_);
    retry_ = std::min(retry_ * 2, longest_retry);
}

// ---- the name
// -----------------------------------------------------------------------------------------------------------

void Connection::serve() {
    if (std::exchange(serving_, true)) return;
    if (bus_ && !failure_) request_name();
}

void Connection::request_name() {
    constexpr std::uint32_t do_not_queue = 4;
    auto call = driver_call(bus_.get(), "RequestName");
    if (!call || sd_bus_message_append(call.get(), "su", bus_name, do_not_queue) < 0) return fail("no memory");
    ask(std::move(call), answer_limit, [this](sd_bus_message* answer) { named(answer); });
}

void Connection::named(sd_bus_message* answer) {
    constexpr std::uint32_t primary_owner = 1, already_owner = 4;
    std::uint32_t result = 0;
    if (answer == nullptr) return;
    if (sd_bus_message_is_method_error(answer, nullptr) > 0 || sd_bus_message_read(answer, "u", &result) < 0)
        return fail(fmt::format("the bus refuses the name {}: {}; is dbus-1/system.d/org.holdfast1.conf installed?",
                                bus_name, error_text(answer)));
    if (result != primary_owner && result != already_owner)
        return fail(fmt::format("another holdfastd has the name {} on this bus: stop it, or give this one a bus of its "
                                "own (DBUS_SYSTEM_BUS_ADDRESS)",
                                bus_name));
    retry_ = first_retry;
    settled_ = named_ = true;
    open_limit_timer_.stop();
    missing_({});
    ping_timer_.after(ping_interval);
}

void Connection::ping() {
    ask(driver_call(bus_.get(), "GetId"), answer_limit, [this](sd_bus_message* answer) {
        if (answer == nullptr || sd_bus_message_is_method_error(answer, nullptr) > 0)
            return fail(fmt::format("{} does not answer any more", bus_address()));
        ping_timer_.after(ping_interval);
    });
}

void Connection::given() {
    if (unsent(bus_.get()) > most_unsent) fail(fmt::format("{} does not read any more", bus_address()));
}

// ---- calls
// --------------------------------------------------------------------------------------------------------------

int Connection::on_message(sd_bus_message* message, void* self, sd_bus_error*) {
    std::uint8_t type = 0;
    sd_bus_message_get_type(message, &type);
    if (type != SD_BUS_MESSAGE_METHOD_CALL) return 0;
    auto& connection = *static_cast<Connection*>(self);
    const char* sender = sd_bus_message_get_sender(message);
    if (sender != nullptr && !connection.failure_) connection.exchange_.call(connection, message, sender);
    return 1;
}

bool Connection::ask(Message call, std::chrono::microseconds timeout, OnAnswer on_answer) {
    if (!call || !bus_ || failure_) {
        on_answer(nullptr);
        return false;
    }
    auto& asked = asked_.emplace_back(this, std::move(on_answer), nullptr);
    const auto on_reply = [](sd_bus_message* message, void* data, sd_bus_error*) {
        const auto* self = static_cast<Asked*>(data);
        self->owner->answer(self, message);
        return 0;
    };
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_async(bus_.get(), &slot, call.get(), on_reply, &asked,
                          static_cast<std::uint64_t>(timeout.count())) < 0) {
        const auto then = std::move(asked.on_answer);
        asked_.pop_back();
        then(nullptr);
        return false;
    }
    asked.slot.reset(slot);
    return true;
}

/// The entry goes first: what is called then may ask again.
void Connection::answer(const Asked* asked, sd_bus_message* message) {
    const auto found = std::ranges::find(asked_, asked, [](const auto& each) { return &each; });
    if (found == asked_.end()) return;
    std::list<Asked> held;
    held.splice(held.end(), asked_, found);
    held.front().on_answer(message);
}

void Connection::ask_user(const std::string& caller, std::function<void(std::optional<uid_t>)> then) {
    Message call = bus_ ? driver_call(bus_.get(), "GetConnectionUnixUser") : Message{};
    if (call) sd_bus_message_append(call.get(), "s", caller.c_str());
    ask(std::move(call), answer_limit, [then = std::move(then)](sd_bus_message* answer) {
        std::uint32_t user = 0;
        const bool known = answer != nullptr && sd_bus_message_is_method_error(answer, nullptr) <= 0 &&
                           sd_bus_message_read(answer, "u", &user) >= 0;
        then(known ? std::optional<uid_t>{user} : std::nullopt);
    });
}

} // namespace holdfast::bus
