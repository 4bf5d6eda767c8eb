// The few epoll(7) calls that the room and its helpers need, level-triggered, each event carrying the descriptor's
// number or another one of the caller's choice. An epoll descriptor is itself pollable, which is how Helper and
// ProcessSet show a changing set of descriptors to the daemon's loop as one that never changes.
#pragma once

#include "base/fd.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

namespace holdfast::ipc {

class Epoll {
  public:
    Epoll() : fd_{::epoll_create1(EPOLL_CLOEXEC)} {}

    int fd() const { return fd_.get(); }
    /// Adds `fd`, or changes what it waits for. False: the kernel refused (watch limit, memory).
    bool set(int fd, std::uint32_t events) { return set(fd, events, fd); }
    /// The same of a descriptor that is not in it yet.
    bool add(int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        return ::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
    }
    /// The same with a number of the caller's choice in the event's data.fd.
    bool set(int fd, std::uint32_t events, int token) {
        epoll_event event{};
        event.events = events;
        event.data.fd = token;
        if (::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return true;
        return errno == ENOENT && ::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
    }
    /// Before the descriptor is closed.
    void remove(int fd) { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

    /// What is ready now, or within `patience` (rounded up to whole milliseconds, so that a timer is never early and
    /// the caller never spins); at most 32 at a time. `Duration::max()` waits for ever.
    std::span<const epoll_event> wait(Duration patience) {
        using Milliseconds = std::chrono::milliseconds;
        const Duration bounded = std::clamp(patience, Duration{0}, Duration{1h});
        const int timeout =
            patience == Duration::max() ? -1 : static_cast<int>(std::chrono::ceil<Milliseconds>(bounded).count());
        const int count = ::epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
        return std::span{events_}.first(count > 0 ? static_cast<std::size_t>(count) : 0);
    }

  private:
    Fd fd_;
    std::array<epoll_event, 32> events_{};
};

} // namespace holdfast::ipc
