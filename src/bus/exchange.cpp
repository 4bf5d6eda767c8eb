#include "bus/exchange.hpp"

#include "base/assert.hpp"
#include "bus/names.hpp"
#include "bus/sdbus_compat.hpp"

#include <atomic>
#include <fmt/format.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace holdfast::bus {
namespace {

constexpr int requests_a_turn = 32; ///< so a flood of calls does not hold up everything else
constexpr std::uint64_t look_usec = 1000;

/// A socket that listens under a name that nobody knows; the address as sd-bus writes it.
Fd listen_somewhere(std::string& address) {
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    socklen_t size = sizeof(sa_family_t); // the kernel chooses an abstract name (unix(7))
    HF_ASSERT(fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0 && ::listen(fd.get(), 64) == 0);
    size = sizeof name;
    HF_ASSERT(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
    address = "unix:abstract=" + std::string(name.sun_path + 1, size - sizeof(sa_family_t) - 1);
    return fd;
}

/// This process's own connection; nothing when nobody, or somebody else, was there.
Fd accept_ourselves(int listener) {
    Fd fd{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    ucred peer{};
    socklen_t size = sizeof peer;
    if (!fd || ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid != ::getpid()) return {};
    return fd;
}

Message copy_of(sd_bus_message* made, sd_bus_message* source) {
    Message copy{made};
    sd_bus_message_rewind(source, 1);
    return sd_bus_message_copy(made, source, 1) < 0 ? Message{} : std::move(copy);
}

} // namespace

Exchange::Exchange(sd_event* event) : objects_timer_{event, [this] { process_objects(); }} {
    connect_objects(event);
    objects_watch_ = std::make_unique<Watch>(
        event, compat::poll_data(*objects_).fd, EPOLLIN, [this] { process_objects(); }, [this] { prepare_objects(); });
}

Exchange::~Exchange() {
    objects_watch_.reset();
    arrived_.clear();
    turns_.clear();
    waiting_.clear();
    line_.reset(); // first: the other end would wait for us to read its last words
}

/// sdbus-c++ 1.x can only be the client of a bus, and waits for the bus's greeting: a thread opens it, and we greet.
void Exchange::connect_objects(sd_event* event) {
    std::string address, problem;
    const auto listener = listen_somewhere(address);
    std::atomic<bool> opened{false};
    std::thread opening{[&] {
        try {
            objects_ = sdbus::createSessionBusConnectionWithAddress(address);
        } catch (const sdbus::Error& error) {
            problem = error.getMessage();
        }
        opened = true;
    }};
    while (!opened) {
        if (auto ours = line_ ? Fd{} : accept_ourselves(listener.get())) {
            auto bus = serve(std::move(ours));
            HF_ASSERT(bus && sd_bus_start(bus.get()) >= 0);
            line_ = std::make_unique<Line>(
                event, std::move(bus), Line::Pace::always, [this](auto* message) { from_objects(message); },
                [] { HF_UNREACHABLE("the objects' own connection ended"); });
        }
        if (!line_)
            ::usleep(look_usec / 10);
        else if (sd_bus_process(line_->bus(), nullptr) == 0)
            sd_bus_wait(line_->bus(), look_usec);
    }
    opening.join();
    HF_ASSERT(objects_);
}

void Exchange::process_objects() {
    for (int i = 0; i < requests_a_turn && compat::process(*objects_); ++i) {
    }
}

void Exchange::prepare_objects() {
    const auto now = compat::poll_data(*objects_);
    objects_watch_->set_events(now.events);
    objects_timer_.at(now.timeout_usec);
}

bool Exchange::idle() const {
    int unread = 0;
    ::ioctl(sd_bus_get_fd(line_->bus()), FIONREAD, &unread);
    const auto objects = compat::poll_data(*objects_);
    return unread == 0 && unsent(line_->bus()) == 0 && (objects.events & EPOLLOUT) == 0;
}

// ---- inwards
// ------------------------------------------------------------------------------------------------------------

void Exchange::leave(Outside& outside) {
    outside_.erase(&outside);
    std::erase_if(arrived_, [&](const auto& entry) { return entry.second.caller == &outside; });
    std::erase_if(turns_, [&](const auto& entry) { return entry.second.caller == &outside; });
    std::erase_if(waiting_, [&](const auto& entry) { return entry.second.caller == &outside; });
}

void Exchange::call(Outside& outside, sd_bus_message* call, const char* caller) {
    const auto number = ++last_arrived_;
    arrived_.emplace(number, Waiting{&outside, Message{sd_bus_message_ref(call)}, caller});
    if (!guard_) return decided(number, {Refusal{error_access_denied, "nobody is let in yet: try again"}});
    guard_(call, caller, [this, number](const Decision& decision) { decided(number, decision); });
}

void Exchange::decided(std::uint64_t number, const Decision& decision) {
    auto found = arrived_.extract(number);
    if (found.empty()) return; // the caller has gone
    auto& call = found.mapped();
    call.in_turn = decision.in_turn;
    if (!decision.refusal) {
        call.in_turn ? queue(std::move(call)) : static_cast<void>(let_in(std::move(call)));
        return;
    }
    sd_bus_reply_method_errorf(call.call.get(), decision.refusal->error.c_str(), "%s", decision.refusal->text.c_str());
    call.caller->given();
}

void Exchange::queue(Waiting call) {
    const auto [at, first] = turns_.try_emplace(call.name, Turn{call.caller, {}});
    if (at->second.next.size() >= most_in_turn) {
        sd_bus_reply_method_errorf(call.call.get(), error_limits_exceeded,
                                   "%zu calls of this caller wait already: wait for their answers", most_in_turn);
        return call.caller->given();
    }
    const auto name = call.name;
    at->second.next.push_back(std::move(call));
    if (first) next_of(name);
}

void Exchange::next_of(const std::string& caller) {
    for (;;) {
        const auto at = turns_.find(caller);
        if (at == turns_.end()) return;
        auto& next = at->second.next;
        if (next.empty()) {
            turns_.erase(at);
            return;
        }
        auto call = std::move(next.front());
        next.pop_front();
        if (let_in(std::move(call))) return; // its answer brings the next one
    }
}

/// False when no answer of the objects will come.
bool Exchange::let_in(Waiting from) {
    sd_bus_message* made = nullptr;
    auto* const bus = line_->bus();
    auto* const call = from.call.get();
    const bool answer = sd_bus_message_get_expect_reply(call) > 0;
    std::uint64_t number = 0;
    Message copy;
    if (sd_bus_message_new_method_call(bus, &made, bus_name, sd_bus_message_get_path(call),
                                       sd_bus_message_get_interface(call), sd_bus_message_get_member(call)) >= 0)
        copy = copy_of(made, call);
    const bool sent = copy && sd_bus_message_set_sender(made, from.name.c_str()) >= 0 &&
                      sd_bus_message_set_expect_reply(made, answer) >= 0 && sd_bus_send(bus, made, &number) >= 0;
    if (sent && answer) {
        waiting_.emplace(number, std::move(from));
    } else if (answer) {
        sd_bus_reply_method_errorf(call, SD_BUS_ERROR_INVALID_ARGS, "the call can't be read, or carries a descriptor");
        from.caller->given();
    }
    return sent && answer;
}

// ---- outwards
// -----------------------------------------------------------------------------------------------------------

void Exchange::from_objects(sd_bus_message* message) {
    std::uint8_t type = 0;
    sd_bus_message_get_type(message, &type);
    if (type == SD_BUS_MESSAGE_METHOD_RETURN || type == SD_BUS_MESSAGE_METHOD_ERROR) return answered(message);
    if (type == SD_BUS_MESSAGE_SIGNAL) return signalled(message);
    // What a client asks of a bus: its name, to begin with.
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "Hello") > 0)
        sd_bus_reply_method_return(message, "s", ":objects.1");
    else
        sd_bus_reply_method_return(message, "");
}

void Exchange::answered(sd_bus_message* answer) {
    std::uint64_t number = 0;
    sd_bus_message_get_reply_cookie(answer, &number);
    auto found = waiting_.extract(number);
    if (found.empty()) return; // the caller has gone
    auto& [caller, call, name, in_turn] = found.mapped();
    sd_bus_message* made = nullptr;
    if (const auto* error = sd_bus_message_get_error(answer)) {
        sd_bus_reply_method_error(call.get(), error);
    } else if (sd_bus_message_new_method_return(call.get(), &made) >= 0) {
        if (const auto copy = copy_of(made, answer)) sd_bus_send(caller->bus(), made, nullptr);
    }
    caller->given();
    if (in_turn) next_of(name);
}

void Exchange::signalled(sd_bus_message* signal) {
    for (auto* outside : outside_) {
        if (!outside->wants_signals()) continue;
        sd_bus_message* made = nullptr;
        if (sd_bus_message_new_signal(outside->bus(), &made, sd_bus_message_get_path(signal),
                                      sd_bus_message_get_interface(signal), sd_bus_message_get_member(signal)) < 0)
            continue;
        if (const auto copy = copy_of(made, signal)) sd_bus_send(outside->bus(), made, nullptr);
        outside->given();
    }
}

} // namespace holdfast::bus
