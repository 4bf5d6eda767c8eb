// The TCP driver: a connection can be made, and is ended again; no byte is sent or read. Invariant: a probe ends by its
// timeout at the latest, and its socket with it.
#pragma once

#include "base/fd.hpp"
#include "ipc/epoll.hpp"
#include "prober/outcome.hpp"

#include <map>

namespace holdfast::prober {

class TcpDriver {
  public:
    TcpDriver(ipc::Epoll& epoll, Done done) : epoll_{epoll}, done_{std::move(done)} {}

    /// Connect to "ADDRESS:PORT" ("[IPv6]:PORT"). One probe per id at a time.
    void start(ipc::WatchId id, const std::string& address, Duration timeout, Time now);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return probes_.contains(id); }

    bool owns(int fd) const { return sockets_.contains(fd); }
    void on_socket(int fd);
    Time next_deadline() const;
    void on_timer(Time now);

  private:
    struct Probe {
        Fd socket;
        Time started;
        Time deadline; ///< at once when `error` is known already
        Duration timeout;
        int error{0};
    };
    void finish(ipc::WatchId id, const Outcome& outcome);

    ipc::Epoll& epoll_;
    Done done_;
    std::map<ipc::WatchId, Probe> probes_;
    std::map<int, ipc::WatchId> sockets_;
};

} // namespace holdfast::prober
