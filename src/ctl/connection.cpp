// Everything of D-Bus, for sdbus-c++ 1.x and 2.x. No exception of sdbus leaves this file: each becomes a Failure that
// says what failed, why, and what helps.
#include "ctl/connection.hpp"

#include "ctl/agent.hpp"
#include "ctl/output.hpp"
#include "ctl/signals.hpp"
#include "manager_proxy.hpp"
#include "realserver_proxy.hpp"
#include "virtualserver_proxy.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <sdbus-c++/sdbus-c++.h>
#include <string_view>
#include <systemd/sd-bus.h>

namespace holdfast::ctl {
namespace {

using Options = std::map<std::string, sdbus::Variant>;

constexpr std::chrono::seconds call_timeout{10};
constexpr std::chrono::seconds typing_timeout{
    150}; ///< of a call for which a person is asked; the daemon's own limit is less
constexpr std::string_view dbus_error = "org.freedesktop.DBus.Error.";

#if defined(HOLDFAST_SDBUS_V1)
std::string service(std::string name) {
    return name;
}
void add_match(sdbus::IConnection& bus, const std::string& rule, auto handler) {
    bus.addMatch(rule, handler, sdbus::floating_slot);
}
sdbus::MethodCall create_call(sdbus::IProxy& proxy, const std::string& interface, const std::string& method) {
    return proxy.createMethodCall(interface, method);
}
#else
sdbus::ServiceName service(std::string name) {
    return sdbus::ServiceName{std::move(name)};
}
void add_match(sdbus::IConnection& bus, const std::string& rule, auto handler) {
    bus.addMatch(rule, handler);
}
sdbus::MethodCall create_call(sdbus::IProxy& proxy, const std::string& interface, const std::string& method) {
    return proxy.createMethodCall(sdbus::InterfaceName{interface}, sdbus::MethodName{method});
}
#endif

std::string system_bus_address() {
    const char* address = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    return address != nullptr ? address : "unix:path=/run/dbus/system_bus_socket";
}

/// What messages name: the address that was asked for, or the bus.
std::string asked_address;
std::string bus_address() {
    return asked_address.empty() ? system_bus_address() : asked_address;
}
std::chrono::seconds patience{call_timeout};

// ---- errors
// -------------------------------------------------------------------------------------------------------------

Exit exit_of(std::string_view name) {
    static const std::map<std::string_view, Exit> codes{
        {"org.freedesktop.DBus.Error.ServiceUnknown", Exit::not_running},
        {"org.freedesktop.DBus.Error.NameHasNoOwner", Exit::not_running},
        {"org.freedesktop.DBus.Error.Disconnected", Exit::not_running},
        {"org.freedesktop.DBus.Error.NoReply", Exit::not_running},
        {"org.freedesktop.DBus.Error.AccessDenied", Exit::denied},
        {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", Exit::denied},
        {"org.freedesktop.DBus.Error.UnknownObject", Exit::no_object},
        {"org.holdfast1.Error.NoSuchInstance", Exit::no_object},
        {"org.holdfast1.Error.NoSuchServer", Exit::no_object},
        {"org.holdfast1.Error.InvalidConfig", Exit::invalid_config},
        {"org.freedesktop.DBus.Error.Timeout", Exit::timeout},
        {"org.freedesktop.DBus.Error.TimedOut", Exit::timeout},
    };
    const auto found = codes.find(name);
    return found == codes.end() ? Exit::failed : found->second;
}

Failure failure(const sdbus::Error& error, const std::string& action) {
    const std::string& name = error.getName();
    const std::string& text = error.getMessage();
    auto exit = exit_of(name);
    if (name == "org.freedesktop.DBus.Error.NoReply" && text.find("timed out") != std::string::npos)
        exit = Exit::timeout;
    switch (exit) {
    case Exit::not_running:
        if (name.ends_with(".NoReply"))
            return {exit, name,
                    fmt::format("holdfastd went away before it answered to {}: systemctl status holdfast says why",
                                action)};
        return {
            exit, name,
            fmt::format("holdfastd is not running on this bus ({}): start it with systemctl start holdfast, or point "
                        "DBUS_SYSTEM_BUS_ADDRESS at its bus",
                        bus_address())};
    case Exit::denied: // what the daemon says names polkit's action and the cure; the bus's own refusal does not
        return {exit, name,
                fmt::format("{}: {}", action,
                            text.starts_with("Rejected ") ? "only root may do this: run it with sudo" : text)};
    case Exit::timeout:
        return {
            exit, name,
            fmt::format("{}: holdfastd did not answer within {} s: holdfastctl status tells whether it was done after "
                        "all",
                        action, patience.count())};
    case Exit::no_object:
        return {exit, name,
                text + (name.ends_with(".NoSuchServer") ? ": holdfastctl ipvs shows those that there are"
                                                        : ": holdfastctl list shows those that there are")};
    case Exit::invalid_config:
        return {exit, name,
                (action == "reload"
                     ? "the configuration is not valid, so the one before stays in force; correct it and "
                       "reload again:\n"
                     : "such a server is not valid, so nothing has changed:\n") +
                    text};
    default: return {exit, name, text};
    }
}

/// "Failed to open bus (No such file or directory)": what stands in the parentheses.
std::string reason_of(const std::string& text) {
    const auto begin = text.rfind('(');
    return begin != std::string::npos && text.ends_with(')') ? text.substr(begin + 1, text.size() - begin - 2) : text;
}

Failure no_bus(const sdbus::Error& error) {
    const auto exit = exit_of(error.getName()) == Exit::denied ? Exit::denied : Exit::not_running;
    const auto name = std::string{dbus_error} + (exit == Exit::denied ? "AccessDenied" : "NoServer");
    if (!asked_address.empty())
        return {exit, name,
                fmt::format("nobody answers at {} ({}): start holdfastd, or run this as root", bus_address(),
                            reason_of(error.getMessage()))};
    return {exit, name,
            fmt::format("no bus at {} ({}), and no holdfastd that you may use at {}: start dbus, or point "
                        "DBUS_SYSTEM_BUS_ADDRESS at the bus of holdfastd",
                        bus_address(), reason_of(error.getMessage()), private_address)};
}

auto calling(const std::string& action, const auto& call) {
    try {
        return call();
    } catch (const sdbus::Error& error) {
        throw failure(error, action);
    }
}

} // namespace

void usage(const std::string& text) {
    throw Failure{Exit::usage, "org.freedesktop.DBus.Error.InvalidArgs", text};
}

namespace {

/// From now on every call says that a person may be asked. sdbus-c++ has no word for it, sd-bus has (sd_bus_set_property(3)), and
/// a message knows its bus.
bool allow_interaction(sdbus::IConnection& connection) {
    struct Inside : sdbus::MethodCall {
        static sd_bus_message* of(const sdbus::MethodCall& call) {
            return static_cast<sd_bus_message*>(call.*(&Inside::msg_));
        }
    };
    const auto driver =
        sdbus::createProxy(connection, service("org.freedesktop.DBus"), sdbus::ObjectPath{"/org/freedesktop/DBus"});
    const auto never_sent = create_call(*driver, "org.freedesktop.DBus.Peer", "Ping");
    return sd_bus_set_allow_interactive_authorization(sd_bus_message_get_bus(Inside::of(never_sent)), 1) >= 0;
}

} // namespace

struct Connection::Bus {
    struct Manager final : sdbus::ProxyInterfaces<org::holdfast1::Manager_proxy> {
        explicit Manager(sdbus::IConnection& bus)
            : ProxyInterfaces{bus, service("org.holdfast1"), sdbus::ObjectPath{"/org/holdfast1"}} {
            registerProxy();
        }
        ~Manager() { unregisterProxy(); }
    };

    struct RealServer final : sdbus::ProxyInterfaces<org::holdfast1::RealServer_proxy> {
        RealServer(sdbus::IConnection& bus, const std::string& path)
            : ProxyInterfaces{bus, service("org.holdfast1"), sdbus::ObjectPath{path}} {
            registerProxy();
        }
        ~RealServer() { unregisterProxy(); }
        void onStateChanged(const std::string&, const std::string&, const std::string&, const std::uint64_t&) override {
        }
    };

    struct VirtualServer final : sdbus::ProxyInterfaces<org::holdfast1::VirtualServer_proxy> {
        VirtualServer(sdbus::IConnection& bus, const std::string& path)
            : ProxyInterfaces{bus, service("org.holdfast1"), sdbus::ObjectPath{path}} {
            registerProxy();
        }
        ~VirtualServer() { unregisterProxy(); }
        void onStateChanged(const std::string&, const std::string&, const std::string&, const std::uint64_t&) override {
        }
    };

    Bus(std::unique_ptr<sdbus::IConnection> opened, bool can_ask) : connection{std::move(opened)}, asks{can_ask} {}

    /// Something for which polkit may want a password. It is asked for when the daemon has refused for want of one, so whoever
    /// has the right without it waits for no agent.
    auto changing(const std::string& action, const auto& call) {
        try {
            return call();
        } catch (const sdbus::Error& error) {
            if (error.getName() != std::string{dbus_error} + "InteractiveAuthorizationRequired" || !let_polkit_ask())
                throw failure(error, action);
        }
        return calling(action, call);
    }

    std::unique_ptr<sdbus::IConnection> connection;
    Manager manager{*connection};

  private:
    bool let_polkit_ask() {
        if (!asks) return false;
        if (!agent) agent = PasswordAgent::start();
        if (!agent) return false;
        patience = typing_timeout;
        connection->setMethodCallTimeout(patience);
        return allow_interaction(*connection);
    }

    bool asks;
    std::unique_ptr<PasswordAgent> agent;
};

namespace {

bool runs_on(sdbus::IConnection& bus) {
    bool owned = false;
    const auto driver =
        sdbus::createProxy(bus, service("org.freedesktop.DBus"), sdbus::ObjectPath{"/org/freedesktop/DBus"});
    driver->callMethod("NameHasOwner")
        .onInterface("org.freedesktop.DBus")
        .withArguments(std::string{"org.holdfast1"})
        .storeResultsTo(owned);
    return owned;
}

std::unique_ptr<sdbus::IConnection> try_private() {
    try {
        return sdbus::createSessionBusConnectionWithAddress(private_address);
    } catch (const sdbus::Error&) {
        return nullptr; // the bus's own answer says more
    }
}

/// The bus when holdfastd is on it; else its private socket; else the bus, which says what is wrong.
std::unique_ptr<sdbus::IConnection> open_any() {
    try {
        auto bus = sdbus::createSystemBusConnection();
        if (runs_on(*bus)) return bus;
        if (auto direct = try_private()) return direct;
        return bus;
    } catch (const sdbus::Error&) {
        if (auto direct = try_private()) return direct;
        throw;
    }
}

} // namespace

Connection::Connection(const Whereabouts& where) {
    asked_address = where.host.empty() ? where.address : "the bus of " + where.host;
    try {
        bus_ =
            std::make_unique<Bus>(!where.host.empty()      ? sdbus::createRemoteSystemBusConnection(where.host)
                                  : !where.address.empty() ? sdbus::createSessionBusConnectionWithAddress(where.address)
                                                           : open_any(),
                                  where.may_ask && where.host.empty());
        bus_->connection->setMethodCallTimeout(patience);
    } catch (const sdbus::Error& error) {
        throw no_bus(error);
    }
}

Connection::~Connection() = default;

Json Connection::describe() {
    return Json::parse(calling("status", [&] { return bus_->manager.Describe(); }));
}

std::string Connection::failover(const std::string& name, std::optional<Duration> hold) {
    Options options;
    if (hold)
        options["hold-usec"] = sdbus::Variant{
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(*hold).count())};
    return bus_->changing("failover", [&] { return bus_->manager.Failover(name, options); });
}

std::string Connection::takeover(const std::string& name, bool force) {
    Options options;
    if (force) options["force"] = sdbus::Variant{true};
    return bus_->changing("takeover", [&] { return bus_->manager.Takeover(name, options); });
}

std::string Connection::set_priority(const std::string& name, std::uint8_t priority) {
    return bus_->changing("priority", [&] { return bus_->manager.SetPriority(name, priority); });
}

std::string Connection::announce(const std::string& name) {
    return bus_->changing("announce", [&] { return bus_->manager.Announce(name); });
}

void Connection::set_maintenance(bool on, const std::string& reason) {
    bus_->changing("maintenance", [&] { bus_->manager.SetMaintenance(on, reason); });
}

std::vector<std::string> Connection::reload() {
    return bus_->changing("reload", [&] { return bus_->manager.Reload({}); });
}

std::string Connection::drain(const std::string& path, std::optional<Duration> timeout) {
    Options options;
    if (timeout)
        options["timeout-usec"] = sdbus::Variant{
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(*timeout).count())};
    return bus_->changing("drain", [&] { return Bus::RealServer{*bus_->connection, path}.Drain(options); });
}

std::string Connection::disable(const std::string& path) {
    return bus_->changing("disable", [&] { return Bus::RealServer{*bus_->connection, path}.Disable(); });
}

std::string Connection::enable(const std::string& path) {
    return bus_->changing("enable", [&] { return Bus::RealServer{*bus_->connection, path}.Enable(); });
}

std::string Connection::set_weight(const std::string& path, std::int32_t weight) {
    return bus_->changing("weight", [&] {
        Bus::RealServer server{*bus_->connection, path};
        return static_cast<org::holdfast1::RealServer_proxy&>(server).SetWeight(weight);
    });
}

std::string Connection::check_now(const std::string& path) {
    return bus_->changing("probe", [&] { return Bus::RealServer{*bus_->connection, path}.CheckNow(); });
}

std::string Connection::add_server(const std::string& path, const std::string& name, const std::string& directives,
                                   bool persistent) {
    return bus_->changing(
        "add", [&] { return Bus::VirtualServer{*bus_->connection, path}.AddServer(name, directives, persistent); });
}

std::string Connection::remove_server(const std::string& path, const std::string& name) {
    return bus_->changing("remove", [&] { return Bus::VirtualServer{*bus_->connection, path}.RemoveServer(name); });
}

void Connection::watch(const OnEvent& on_event, const std::function<void()>& ready) {
    auto& bus = *bus_->connection;
    const auto rule = [](const char* interface, const char* member) {
        return fmt::format(
            "type='signal',sender='org.holdfast1',path_namespace='/org/holdfast1/instance',interface='{}',member='{}'",
            interface, member);
    };
    calling("monitor", [&] {
        add_match(bus, rule("org.holdfast1.Instance", "StateChanged"),
                  [&](auto&& message) { on_event(state_changed(message, name_of(message.getPath()))); });
        add_match(bus, rule("org.freedesktop.DBus.Properties", "PropertiesChanged"),
                  [&](auto&& message) { on_event(properties_changed(message, name_of(message.getPath()))); });
        add_match(bus, "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.holdfast1'",
                  [&](auto&& message) { on_event(owner_changed(message)); });
    });
    ready();
    calling("monitor", [&] { bus.enterEventLoop(); });
    throw Failure{Exit::not_running, std::string{dbus_error} + "Disconnected",
                  bus_address() + " went away: the daemon or dbus ended"};
}

} // namespace holdfast::ctl
