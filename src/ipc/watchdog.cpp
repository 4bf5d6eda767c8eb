#include "ipc/watchdog.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace holdfast::ipc {

namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name); // no thread runs yet that sets one
    return value != nullptr ? value : "";
}

std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

} // namespace

Watchdog::Watchdog() : address_{variable("NOTIFY_SOCKET")} {
    const auto period = number(variable("WATCHDOG_USEC"));
    const auto whom = variable("WATCHDOG_PID");
    const bool ours = whom.empty() || number(whom) == ::getpid();
    if (period <= 1 || !ours || address_.size() < 2 || address_.size() >= sizeof(sockaddr_un::sun_path)) return;
    if (address_[0] == '@') address_[0] = '\0'; // an abstract address (unix(7))
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return;
    every_ = std::chrono::microseconds{period / 2};
    due_ = Time{}; // at once
}

void Watchdog::on_deadline(Time now) {
    if (now < due_) return;
    due_ = now + every_;
    constexpr std::string_view alive = "WATCHDOG=1";
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    address_.copy(to.sun_path, sizeof to.sun_path - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    // One that does not arrive is followed by the next.
    [[maybe_unused]] const auto sent =
        ::sendto(socket_.get(), alive.data(), alive.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), size);
}

} // namespace holdfast::ipc
