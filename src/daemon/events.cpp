#include "daemon/events.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <sys/epoll.h>
#include <sys/signalfd.h>

namespace holdfast::daemon {
namespace {

constexpr std::uint64_t timer_accuracy_usec = 1; // 0 would mean 250 ms (sd_event_add_time(3))

std::uint64_t to_usec(Time time) {
    if (time == never) return UINT64_MAX;
    // Rounded up: a timer that fires a fraction early would find nothing to do and fire again.
    return static_cast<std::uint64_t>(
        std::chrono::ceil<std::chrono::microseconds>(std::max(time, Time{}).time_since_epoch()).count());
}

void set_order(sd_event_source* source, Wake order) {
    sd_event_source_set_priority(source, static_cast<std::int64_t>(order));
}

} // namespace

struct Events::Source {
    Events* events{nullptr};
    sd_event_source* source{nullptr};
    std::function<void()> callback;
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() { sd_event_source_disable_unref(source); }
};

Events::Events(Calls calls, std::initializer_list<int> signals) : calls_{std::move(calls)} {
    HF_ASSERT(sd_event_new(&event_) >= 0);
    const auto on_signal = [](sd_event_source*, const signalfd_siginfo* info, void* self) {
        auto& mine = static_cast<Events*>(self)->calls_;
        mine.woken();
        mine.signal(static_cast<int>(info->ssi_signo));
        return 0;
    };
    for (const int number : signals) {
        auto*& source = other_sources_.emplace_back();
        HF_ASSERT(sd_event_add_signal(event_, &source, number, on_signal, this) >= 0);
        set_order(source, Wake::door);
    }
    const auto on_time = [](sd_event_source*, std::uint64_t, void* self) {
        auto& mine = static_cast<Events*>(self)->calls_;
        mine.woken();
        mine.timer();
        return 0;
    };
    HF_ASSERT(sd_event_add_time(event_, &timer_, CLOCK_MONOTONIC, UINT64_MAX, timer_accuracy_usec, on_time, this) >= 0);
    set_order(timer_, Wake::timer);
    const auto after_dispatch = [](sd_event_source*, void* self) {
        static_cast<Events*>(self)->calls_.ended();
        return 0;
    };
    auto*& end = other_sources_.emplace_back();
    HF_ASSERT(sd_event_add_post(event_, &end, after_dispatch, this) >= 0);
    set_order(end, Wake::end);
}

Events::~Events() {
    sources_.clear();
    for (auto* source : other_sources_)
        sd_event_source_disable_unref(source);
    sd_event_source_disable_unref(timer_);
    sd_event_unref(event_);
}

void Events::watch(int fd, Wake order, std::function<void()> callback) {
    auto source = std::make_unique<Source>();
    source->events = this;
    source->callback = std::move(callback);
    const auto dispatch = [](sd_event_source*, int, std::uint32_t, void* self) {
        auto* mine = static_cast<Source*>(self);
        mine->events->calls_.woken();
        const auto call = mine->callback; // it may unwatch itself
        call();
        return 0;
    };
    HF_ASSERT(sd_event_add_io(event_, &source->source, fd, EPOLLIN, dispatch, source.get()) >= 0);
    set_order(source->source, order);
    sources_[fd] = std::move(source);
}

void Events::unwatch(int fd) {
    sources_.erase(fd);
}

void Events::enable(int fd, bool on) {
    sd_event_source_set_enabled(sources_.at(fd)->source, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

void Events::set_timer(Time deadline) {
    sd_event_source_set_time(timer_, to_usec(deadline));
    sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

bool Events::run_once() {
    return sd_event_run(event_, UINT64_MAX) >= 0;
}

} // namespace holdfast::daemon
