// The daemon's side of one helper: a child process that is kept alive, or a connection to a unit that systemd keeps alive,
// and the subscriptions that it must know. It is driven from outside: the loop polls `fd()`, which never changes, and calls
// back at `next_deadline()`; nothing here blocks. Invariant: what the helper has been told plus what waits in `pending_` is
// exactly `wanted_`; a new helper starts from nothing and is told all of `wanted_`. While there is no helper, the last
// verdicts simply stay (nothing is reported).
#pragma once

#include "ipc/channel.hpp"
#include "ipc/epoll.hpp"
#include "ipc/spawn.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::ipc {

/// A report, with the descriptors that came with it, in the order of the report's list.
struct Reported {
    Report report;
    std::vector<Fd> fds;
};
/// The helper runs, or systemd has been asked for it, and is being told everything.
struct HelperStarted {
    pid_t pid{-1}; ///< of a child
};
/// The helper ended, misbehaved or could not be started; it is tried again after `retry`.
struct HelperDied {
    std::string reason; ///< one line for the journal, names the helper
    unsigned in_a_row{1};
    Duration retry{0};
};
/// After a death: it has said something, or has lived and taken its messages for a while.
struct HelperServes {};
using HelperEvent = std::variant<Reported, HelperStarted, HelperDied, HelperServes>;

class Helper {
  public:
    struct Options {
        std::string name;                 ///< in messages: "holdfast-prober"
        std::vector<std::string> command; ///< absolute path of the program, then its arguments
        std::filesystem::path socket{};   ///< where systemd listens for it; empty: it is a child of ours, by `command`
        Duration first_retry{100ms};      ///< doubles with each death in a row
        Duration longest_retry{5s};
        Duration healthy_after{10s};  ///< a helper that lived so long died for the first time
        Duration convinced_after{1s}; ///< one that died before, and is silent, serves when it has lived so long
        Duration stuck_after{5s};     ///< alive, but for so long it has not taken what we have for it: killed, or left
    };

    explicit Helper(Options options);
    /// Kills a child and waits for its end (a few hundred microseconds); a unit ends by itself when its connection does.
    ~Helper();
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    /// Starts the helper; call once. Later starts happen by themselves.
    std::vector<HelperEvent> start(Time now);

    /// Adds a subscription, or replaces the one with this id; `request` is none that ends one. Also before
    /// `start` and while the helper is down. Error: a field is out of its limits; nothing has changed then.
    Result<void> subscribe(const Request& request, Time now);
    /// Unknown ids are ignored. A report that is already under way may still come.
    void unsubscribe(WatchId id, Time now);

    /// For the loop, EPOLLIN, level-triggered; one number for the whole life of this object.
    int fd() const { return epoll_.fd(); }
    /// Call when fd() is readable. Bounded: at most 64 messages a call, the rest makes fd() readable again.
    std::vector<HelperEvent> on_readable(Time now);
    /// `never` or when on_deadline wants to be called. It may change with each call of any method above.
    Time next_deadline() const;
    std::vector<HelperEvent> on_deadline(Time now);

    /// Of the running child, for status pages and tests; -1 while it is down, and of a unit.
    pid_t pid() const { return child_.pid; }
    int pidfd() const { return child_.pidfd.get(); }

  private:
    using Events = std::vector<HelperEvent>;

    void launch(Time now, Events& events);
    Result<Fd> start_child();
    Result<Fd> connect() const;
    bool receive(Events& events);
    bool accept(Packet& packet, Events& events);
    void flush(Time now);
    void want_room(bool wanted);
    void condemn(std::string reason);
    void collect(Time now, Events& events);
    void failed(std::string reason, Time now, Events& events);
    void serves(Events& events);

    Options options_;
    Epoll epoll_;
    Channel channel_;
    Child child_;
    std::string condemned_; ///< why the helper is on its way out; it is collected when its pidfd says so
    Time started_at_{never};
    Time retry_at_{never};
    bool wants_room_{false};    ///< the epoll set waits for it
    Time blocked_since_{never}; ///< since when pending messages have met a full socket
    Time untaken_since_{never}; ///< connected, and nothing says yet that somebody is at the other end
    unsigned deaths_{0};        ///< in a row
    bool doubted_{false};       ///< it died, and nothing has shown since that it serves

    std::map<WatchId, Request> wanted_;
    std::map<WatchId, Request> pending_; ///< not sent yet; one per id, the last wins, so it is bounded by the ids
    std::set<WatchId> told_;             ///< what the running helper has
};

} // namespace holdfast::ipc
