// The processes behind one `process` tracker, as the daemon knows them: the runner's scans bring births, the pidfds
// tell deaths at once and without the runner. Invariant: a process whose end has been seen never counts again, even
// when a scan that was taken before its end arrives after it.
#pragma once

#include "base/fd.hpp"
#include "ipc/epoll.hpp"
#include "ipc/message.hpp"

#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace holdfast::ipc {

/// What a process tracker is worth now.
struct ProcessVerdict {
    bool known{false};    ///< false until the first scan is complete
    bool up{false};       ///< at least `quorum` run, and not too many
    bool degraded{false}; ///< workers run, but no process that is not a worker: their master is gone
    unsigned running{0};
    std::string text; ///< for the status: "4 processes 'nginx'"
    bool operator==(const ProcessVerdict&) const = default;
};

class ProcessSet {
  public:
    /// `name` is for messages; `most`: nothing for no limit.
    ProcessSet(std::string name, unsigned quorum, std::optional<unsigned> most = std::nullopt);

    /// For the loop, EPOLLIN, level-triggered: a process has ended. One number for the whole life of this object.
    int fd() const { return epoll_.fd(); }
    /// Call when fd() is readable. True: a process has ended, look at the verdict.
    bool on_readable();

    /// Takes a report of the runner with its descriptors (Reported::fds). True when it completes a scan: one
    /// observation for rise and fall.
    bool on_found(const ProcessesFound& found, std::vector<Fd> fds);

    /// The process has ended; unknown pids are ignored. For callers that learn it elsewhere; on_readable does it
    /// itself.
    void on_exit(pid_t pid);

    ProcessVerdict verdict() const;

  private:
    struct Process {
        std::uint64_t start{0};
        Fd pidfd; ///< none when descriptors ran out: its end is then seen by the next scan
        bool child{false};
        bool parent{false};
        bool ended{false}; ///< kept until a scan agrees
        bool listed{false};

        // Sticky both: an orphaned worker is still a worker, and nginx's new master after a binary upgrade (child of
        // the old one) is none, as it has workers itself.
        bool is_worker() const { return child && !parent; }
    };

    void take(const ProcessInfo& info, Fd pidfd);
    void end(Process& process);
    void finish_scan();

    std::string name_;
    unsigned quorum_;
    std::optional<unsigned> most_;
    Epoll epoll_;
    std::map<pid_t, Process> processes_;
    bool scanning_{false}; ///< the first message of a scan has come, the last one not yet
    bool known_{false};
};

} // namespace holdfast::ipc
