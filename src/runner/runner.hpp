// The runner's loop: scripts, files, FIFOs, and one pass over /proc that serves all watches that are due; the pidfds tell it
// to look more often when processes end. Invariant: a daemon that does not read costs little: a scan that does not fit into
// the socket is not kept, the next one says it again; of the rest a bounded number waits.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/epoll.hpp"
#include "ipc/watchdog.hpp"
#include "runner/fifos.hpp"
#include "runner/files.hpp"
#include "runner/outbox.hpp"
#include "runner/proc.hpp"
#include "runner/scripts.hpp"
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
    std::vector<Match> matches(std::span<const pid_t> named, const ipc::WatchProcesses& what) const;
    void forget(const Fd& pidfd);
    void forget(ipc::WatchId id, Time now);
    void update(Watch& watch, std::span<const Match> found);
    void report(Watch& watch);
    Time next_scan() const;
    Time next_deadline() const;
    bool on_ready(const epoll_event& event);
    void watch(const ipc::WatchProcesses& what);

    ipc::Channel channel_;
    Proc proc_;
    ipc::Epoll epoll_;
    ipc::Watchdog watchdog_;
    Outbox outbox_{channel_, epoll_};
    Scripts scripts_{epoll_, [this](const ipc::Report& report) { outbox_.tell(report); }};
    Files files_{epoll_, [this](const ipc::Report& report) { outbox_.tell(report); }};
    Fifos fifos_{[this](const ipc::Report& report) { outbox_.tell(report); }};
    std::map<ipc::WatchId, Entry> watches_;
};

} // namespace holdfast::runner
