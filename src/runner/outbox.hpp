// What the runner has to say and must not lose: kept in order while the socket is full. Invariant: bounded; the oldest go
// first, and are counted.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/epoll.hpp"

#include <deque>

namespace holdfast::runner {

inline constexpr std::size_t max_waiting = 4096; ///< reports

class Outbox {
  public:
    Outbox(ipc::Channel& channel, ipc::Epoll& epoll) : channel_{channel}, epoll_{epoll} {}

    void tell(const ipc::Report& report);
    /// When the socket may have room again.
    void flush();

  private:
    ipc::Channel& channel_;
    ipc::Epoll& epoll_;
    std::deque<Bytes> waiting_;
};

} // namespace holdfast::runner
