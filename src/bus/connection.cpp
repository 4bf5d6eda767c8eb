#include "bus/connection.hpp"

#include "base/fd.hpp"
#include "base/mailbox.hpp"
#include "bus/event.hpp"
#include "bus/names.hpp"
#include "bus/objects.hpp"
#include "bus/sdbus_compat.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <thread>

namespace holdfast::bus {
namespace {

constexpr Duration first_retry = 1s, longest_retry = 30s;
constexpr Duration open_limit = 2s;     ///< as long as the first attempt may hold up READY=1
constexpr Duration close_limit = 1s;    ///< for the last signals at the end
constexpr Duration ping_interval = 30s; ///< a bus that hangs would let signals pile up
constexpr int requests_a_turn = 32;     ///< so a flood of calls does not hold up everything else
constexpr const char* driver_name = "org.freedesktop.DBus";
constexpr const char* driver_path = "/org/freedesktop/DBus";

/// Connecting waits for the bus's greeting, which a stuck bus never sends: it has a thread of its own, and that
/// thread's result a life of its own.
struct Opening {
    struct Result {
        std::unique_ptr<sdbus::IConnection> connection;
        std::string error;
    };
    Mailbox<Result> result;
};

std::shared_ptr<Opening> open_elsewhere() {
    auto opening = std::make_shared<Opening>();
    std::thread{[opening] {
        pthread_setname_np(pthread_self(), "bus-open");
        try {
            opening->result.push({sdbus::createSystemBusConnection(), {}});
        } catch (const sdbus::Error& error) {
            opening->result.push({nullptr, error.getMessage()});
        }
    }}.detach();
    return opening;
}

/// Closing flushes, for as long as the bus takes: elsewhere too. The result tells when it is done.
std::shared_ptr<Mailbox<bool>> close_elsewhere(std::unique_ptr<sdbus::IConnection> connection) {
    auto done = std::make_shared<Mailbox<bool>>();
    std::thread{[done, held = std::move(connection)]() mutable {
        pthread_setname_np(pthread_self(), "bus-close");
        held.reset();
        done->push(true);
    }}.detach();
    return done;
}

} // namespace

std::string bus_address() {
    const char* address = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    return address ? address : "unix:path=/run/dbus/system_bus_socket";
}

struct Connection::Impl {
    Impl(sd_event* loop, Handlers doors) : event{loop}, handlers{std::move(doors)} { open(); }

    void open();
    void opened(Opening::Result result);
    void attach(std::unique_ptr<sdbus::IConnection> fresh);
    void process();
    void publish_objects();
    void request_name();
    void ping();
    void fail(std::string text);
    void drop();
    template <typename Action>
    void guarded(const Action& action);
    void ask_user(const std::string& caller, std::function<void(std::optional<uid_t>)> then);

    sd_event* event;
    Handlers handlers;
    std::optional<Shown> shown;
    Calls calls{handlers.tell_loop, [this](const std::string& caller, std::function<void(std::optional<uid_t>)> then) {
                    ask_user(caller, std::move(then));
                }};
    bool settled{false};
    Duration retry{first_retry};

    std::shared_ptr<Opening> opening;
    std::unique_ptr<Watch> opening_watch;
    Timer open_limit_timer{
        event, [this] {
            settled = true;
            handlers.missing(
                fmt::format("{} does not answer; holdfastctl can't reach this daemon until it does", bus_address()));
        }};
    Timer retry_timer{event, [this] { open(); }};

    // While there is a connection, in the order of their making.
    std::unique_ptr<sdbus::IConnection> connection;
    std::unique_ptr<sdbus::IProxy> driver;
    std::unique_ptr<Objects> objects;
    Fd bus_fd;
    std::unique_ptr<Watch> bus_watch;
    Timer bus_timer{event, [this] { process(); }};
    Timer ping_timer{event, [this] { ping(); }};
    std::optional<std::string> failure; ///< found inside a callback of the connection: dropped when that has returned
    Timer failure_timer{event, [this] { drop(); }};
};

void Connection::Impl::open() {
    opening = open_elsewhere();
    opening_watch = std::make_unique<Watch>(event, opening->result.fd(), EPOLLIN, [this] {
        auto results = opening->result.take();
        if (!results.empty()) opened(std::move(results.front()));
    });
    open_limit_timer.after(open_limit);
}

void Connection::Impl::opened(Opening::Result result) {
    opening_watch.reset();
    opening.reset();
    open_limit_timer.stop();
    if (!result.connection) return fail(fmt::format("no D-Bus at {}: {}", bus_address(), result.error));
    guarded([&] {
        attach(std::move(result.connection));
        if (shown && !failure) publish_objects();
    });
}

void Connection::Impl::attach(std::unique_ptr<sdbus::IConnection> fresh) {
    connection = std::move(fresh);
    driver = sdbus::createProxy(*connection, compat::service(driver_name), compat::path(driver_path));
    const auto data = compat::poll_data(*connection);
    // A copy: sd-bus closes its own when the bus goes, and while ours is watched its number must not be somebody
    // else's.
    bus_fd.reset(::fcntl(data.fd, F_DUPFD_CLOEXEC, 3));
    if (!bus_fd) return fail(fmt::format("no descriptor for {}: {}", bus_address(), std::strerror(errno)));
    bus_watch = std::make_unique<Watch>(
        event, bus_fd.get(), data.events, [this] { process(); },
        [this] {
            guarded([&] {
                const auto now = compat::poll_data(*connection);
                bus_watch->set_events(now.events);
                bus_timer.at(now.timeout_usec);
            });
        });
}

void Connection::Impl::process() {
    guarded([&] {
        for (int i = 0; i < requests_a_turn && connection && compat::process(*connection); ++i) {
        }
    });
}

void Connection::Impl::publish_objects() {
    objects = std::make_unique<Objects>(*connection, calls, handlers.warn, *shown);
    request_name();
}

/// Asynchronous like everything on this thread: sdbus's own requestName waits for the bus.
void Connection::Impl::request_name() {
    constexpr std::uint32_t do_not_queue = 4, primary_owner = 1, already_owner = 4;
    driver->callMethodAsync("RequestName")
        .onInterface(driver_name)
        .withArguments(std::string{bus_name}, do_not_queue)
        .uponReplyInvoke([this](compat::ReplyError error, std::uint32_t result) {
            if (error)
                return fail(
                    fmt::format("the bus refuses the name {}: {}; is dbus-1/system.d/org.holdfast1.conf installed?",
                                bus_name, std::string{error->getMessage()}));
            if (result != primary_owner && result != already_owner)
                return fail(
                    fmt::format("another holdfastd has the name {} on this bus: stop it, or give this one a bus of its "
                                "own (DBUS_SYSTEM_BUS_ADDRESS)",
                                bus_name));
            retry = first_retry;
            settled = true;
            handlers.missing({});
            ping_timer.after(ping_interval);
        });
}

void Connection::Impl::ping() {
    guarded([&] {
        driver->callMethodAsync("GetId")
            .onInterface(driver_name)
            .uponReplyInvoke([this](compat::ReplyError error, const std::string&) {
                if (error) return fail(fmt::format("{} does not answer any more", bus_address()));
                ping_timer.after(ping_interval);
            });
    });
}

void Connection::Impl::ask_user(const std::string& caller, std::function<void(std::optional<uid_t>)> then) {
    guarded([&] {
        driver->callMethodAsync("GetConnectionUnixUser")
            .onInterface(driver_name)
            .withArguments(caller)
            .uponReplyInvoke([then = std::move(then)](compat::ReplyError error, std::uint32_t user) {
                then(error ? std::nullopt : std::optional<uid_t>{user});
            });
    });
}

template <typename Action>
void Connection::Impl::guarded(const Action& action) {
    if (failure) return;
    try {
        action();
    } catch (const sdbus::Error& error) {
        fail(fmt::format("the connection to {} ended: {}", bus_address(), std::string{error.getMessage()}));
    }
}

void Connection::Impl::fail(std::string text) {
    if (failure) return;
    failure = std::move(text);
    failure_timer.after(0s);
}

/// Answers that still wait hold messages of this connection: they go first.
void Connection::Impl::drop() {
    calls.forget();
    bus_timer.stop();
    bus_watch.reset();
    bus_fd.reset();
    objects.reset();
    driver.reset();
    ping_timer.stop();
    if (connection) close_elsewhere(std::move(connection));
    settled = true;
    handlers.missing(
        fmt::format("{}; holdfastctl can't reach this daemon; tried again every {}", *failure, to_string(retry)));
    failure.reset();
    retry_timer.after(retry);
    retry = std::min(retry * 2, longest_retry);
}

Connection::Connection(sd_event* event, Handlers handlers)
    : impl_{std::make_unique<Impl>(event, std::move(handlers))} {}

/// What is queued goes out, but a stuck bus does not keep the daemon from ending.
Connection::~Connection() {
    impl_->calls.forget();
    impl_->bus_watch.reset();
    impl_->objects.reset();
    impl_->driver.reset();
    if (!impl_->connection) return;
    const auto done = close_elsewhere(std::move(impl_->connection));
    pollfd wait{done->fd(), POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(close_limit / 1ms));
}

void Connection::show(const Shown& shown) {
    impl_->shown = shown;
    if (!impl_->connection || impl_->failure) return;
    impl_->guarded([&] {
        if (impl_->objects)
            impl_->objects->show(shown);
        else
            impl_->publish_objects();
    });
}

bool Connection::settled() const {
    return impl_->settled;
}

Calls& Connection::calls() {
    return impl_->calls;
}

} // namespace holdfast::bus
