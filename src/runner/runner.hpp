// The runner's loop: one pass over /proc serves all watches that are due; the pidfds tell it to look more often when
// processes end. Invariant: a daemon that does not read costs nothing: what does not fit into the socket is not kept,
// the next scan says it again.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/epoll.hpp"
#include "runner/proc.hpp"
#include "runner/watch.hpp"

#include <map>

namespace holdfast::runner {

inline constexpr Duration fast_scan = 100ms; ///< while fewer than the quorum run
inline constexpr Duration slow_scan = 1s;
inline constexpr std::size_t max_watches = 4096;

class Runner {
  public:
    Runner(ipc::Channel channel, Proc proc);
    /// Until the other end closes the socket.
    void run();

  private:
    struct Entry {
        Watch watch;
        Time due;
    };

    bool take_requests();
    void take(const ipc::Request& request);
    void ended(int pidfd);
    void scan(Time now);
    std::vector<Match> matches(std::span<const pid_t> named) const;
    void forget(const Fd& pidfd);
    void update(Watch& watch, std::span<const Match> found);
    void report(Watch& watch);
    Time next_scan() const;

    ipc::Channel channel_;
    Proc proc_;
    ipc::Epoll epoll_;
    std::map<ipc::WatchId, Entry> watches_;
};

} // namespace holdfast::runner
