// How threads talk: values go in on any thread and come out on one, in order. The lock is held only to push one value or to
// swap the whole batch, and inherits priority, so the real-time loop never waits behind a preempted thread. The eventfd
// becomes readable when there is something to take.
#pragma once

#include "base/assert.hpp"
#include "base/fd.hpp"

#include <cerrno>
#include <cstdint>
#include <pthread.h>
#include <sys/eventfd.h>
#include <utility>
#include <vector>

namespace holdfast {

/// A mutex with PTHREAD_PRIO_INHERIT (pthread_mutexattr_setprotocol(3)).
class InheritingMutex {
  public:
    InheritingMutex() {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
        HF_ASSERT(pthread_mutex_init(&mutex_, &attributes) == 0);
        pthread_mutexattr_destroy(&attributes);
    }
    ~InheritingMutex() { pthread_mutex_destroy(&mutex_); }
    InheritingMutex(const InheritingMutex&) = delete;
    InheritingMutex& operator=(const InheritingMutex&) = delete;
    void lock() { pthread_mutex_lock(&mutex_); }
    void unlock() { pthread_mutex_unlock(&mutex_); }

  private:
    pthread_mutex_t mutex_{};
};

template <typename T>
class Mailbox {
  public:
    Mailbox() : wake_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} { HF_ASSERT(wake_); }

    void push(T value) {
        mutex_.lock();
        const bool was_empty = values_.empty();
        values_.push_back(std::move(value));
        mutex_.unlock();
        if (!was_empty) return; // the reader was woken and has not come yet
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    }

    /// Everything that waits, in the order of pushing; empty if nothing does. Never blocks.
    std::vector<T> take() {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
        std::vector<T> result;
        mutex_.lock();
        result.swap(values_);
        mutex_.unlock();
        return result;
    }

    /// Readable when take() has something.
    int fd() const { return wake_.get(); }

  private:
    InheritingMutex mutex_;
    std::vector<T> values_;
    Fd wake_;
};

} // namespace holdfast
