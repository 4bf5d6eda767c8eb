// A thread that does what it is asked to, one request after the other, away from a loop that may not wait.
#pragma once

#include "base/mailbox.hpp"

#include <functional>
#include <optional>
#include <poll.h>
#include <pthread.h>
#include <thread>

namespace holdfast {

template <typename Request>
class Worker {
  public:
    /// `work` is called on the worker's thread; `name` is what ps(1) shows, 15 bytes at most.
    Worker(const char* name, std::function<void(Request)> work) : work_{std::move(work)} {
        thread_ = std::thread{[this] { loop(); }};
        pthread_setname_np(thread_.native_handle(), name);
    }
    /// What was asked before is done first.
    ~Worker() {
        requests_.push(std::nullopt);
        thread_.join();
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void ask(Request request) { requests_.push(std::move(request)); }

  private:
    void loop() {
        for (;;) {
            pollfd wait{requests_.fd(), POLLIN, 0};
            ::poll(&wait, 1, -1);
            for (auto& request : requests_.take()) {
                if (!request) return;
                work_(std::move(*request));
            }
        }
    }

    std::function<void(Request)> work_;
    Mailbox<std::optional<Request>> requests_; ///< nothing: the end
    std::thread thread_;
};

} // namespace holdfast
