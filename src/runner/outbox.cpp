#include "runner/outbox.hpp"

#include "ipc/codec.hpp"
#include "ipc/service.hpp"

#include <fmt/format.h>

namespace holdfast::runner {

void Outbox::tell(const ipc::Report& report) {
    auto bytes = ipc::encode(report);
    if (!bytes) return ipc::warn("holdfast-runner", fmt::format("dropped a report: {}", bytes.error()));
    if (waiting_.size() >= max_waiting) {
        ipc::warn("holdfast-runner", "dropped a report: the daemon does not read");
        waiting_.pop_front();
    }
    waiting_.push_back(*std::move(bytes));
    flush();
}

// A daemon that is gone is met where the socket is read.
void Outbox::flush() {
    while (!waiting_.empty() && channel_.send(waiting_.front()) == ipc::Sent::yes)
        waiting_.pop_front();
    epoll_.set(channel_.fd(), waiting_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

} // namespace holdfast::runner
