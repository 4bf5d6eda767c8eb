// Lines for FIFOs. Nobody is waited for: a FIFO without a reader, or a full one, is tried again; its lines wait in order.
// Invariant: a line is written whole or not at all (PIPE_BUF, pipe(7)), and each ends in exactly one Ended.
#pragma once

#include "ipc/epoll.hpp"
#include "ipc/message.hpp"

#include <deque>
#include <functional>
#include <map>
#include <string>

namespace holdfast::runner {

inline constexpr Duration reader_wait = 200ms; ///< how often a FIFO without a reader is tried

class Fifos {
  public:
    using Tell = std::function<void(ipc::Report)>;
    explicit Fifos(Tell tell) : tell_{std::move(tell)} {}

    void write(const ipc::WriteLine& what, Time now);
    void stop(ipc::WatchId id);

    Time next_deadline() const;
    void on_deadline(Time now);

  private:
    struct Fifo {
        Fd fd;
        std::deque<ipc::WriteLine> lines;
        Time due{never};
    };
    void push(const std::string& path, Fifo& fifo, Time now);
    bool open(const std::string& path, Fifo& fifo);
    void give_up(Fifo& fifo, const std::string& why);

    Tell tell_;
    std::map<std::string, Fifo> fifos_;
};

} // namespace holdfast::runner
