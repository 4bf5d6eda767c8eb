#include "bus/event.hpp"

#include "base/assert.hpp"
#include "bus/clock.hpp"

#include <ctime>

namespace holdfast::bus {

Watch::Watch(sd_event* event, int fd, std::uint32_t events, std::function<void()> ready, std::function<void()> prepare)
    : ready_{std::move(ready)}, prepare_{std::move(prepare)} {
    const auto dispatch = [](sd_event_source*, int, std::uint32_t, void* self) {
        const auto call = static_cast<Watch*>(self)->ready_; // a copy: the call may end this object
        call();
        return 0;
    };
    HF_ASSERT(sd_event_add_io(event, &source_, fd, events, dispatch, this) >= 0);
    if (!prepare_) return;
    const auto before = [](sd_event_source*, void* self) {
        const auto call = static_cast<Watch*>(self)->prepare_;
        call();
        return 0;
    };
    HF_ASSERT(sd_event_source_set_prepare(source_, before) >= 0);
}

Watch::~Watch() {
    sd_event_source_disable_unref(source_);
}

void Watch::set_events(std::uint32_t events) {
    sd_event_source_set_io_events(source_, events);
}

void Watch::set_priority(int priority) {
    sd_event_source_set_priority(source_, priority);
}

Timer::Timer(sd_event* event, std::function<void()> elapsed) : elapsed_{std::move(elapsed)} {
    const auto dispatch = [](sd_event_source*, std::uint64_t, void* self) {
        const auto call = static_cast<Timer*>(self)->elapsed_;
        call();
        return 0;
    };
    constexpr std::uint64_t accuracy_usec = 1; // 0 would mean 250 ms (sd_event_add_time(3))
    HF_ASSERT(sd_event_add_time(event, &source_, CLOCK_MONOTONIC, UINT64_MAX, accuracy_usec, dispatch, this) >= 0);
    sd_event_source_set_enabled(source_, SD_EVENT_OFF);
}

Timer::~Timer() {
    sd_event_source_disable_unref(source_);
}

void Timer::after(Duration delay) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    at(usec(std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec} + delay));
}

void Timer::at(std::uint64_t usec) {
    if (usec == UINT64_MAX) {
        sd_event_source_set_enabled(source_, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time(source_, usec);
    sd_event_source_set_enabled(source_, SD_EVENT_ONESHOT);
}

} // namespace holdfast::bus
