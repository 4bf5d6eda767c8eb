// One watched process name: who is in it, and what the daemon has been told. Pure but for the pidfds that it owns.
// Invariant: `announced` is set exactly when the message with the pidfd has been sent, so a message that does not fit
// is made up for by the next scan.
#pragma once

#include "base/fd.hpp"
#include "ipc/message.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace holdfast::runner {

/// A process whose name, state and namespace fit.
struct Match {
    pid_t pid{0};
    pid_t parent{0};
    std::uint64_t start{0};
};

struct Member {
    std::uint64_t start{0};
    Fd pidfd; ///< none when it could not be had (no descriptors left, a kernel before 5.3)
    bool child{false};
    bool parent{false};
    bool announced{false};
};

/// A message of a scan and the descriptors that it carries (still the members').
struct Part {
    ipc::ProcessesFound message;
    std::vector<int> fds;
};

class Watch {
  public:
    explicit Watch(ipc::WatchProcesses what) : what_{std::move(what)} {}

    const ipc::WatchProcesses& what() const { return what_; }
    std::size_t running() const { return members_.size(); }
    bool too_few() const { return running() < what_.quorum; }

    bool knows(const Match& match) const;
    /// A process that is new; one of the same pid must have been removed.
    void add(const Match& match, Fd pidfd);
    /// The process has ended. Gives its pidfd back, as `settle` does: the daemon holds the same open file description,
    /// so it must leave the epoll set before it is closed (epoll(7)).
    Fd remove(pid_t pid);
    /// Forgets who is not in `matches`, all of which are known, and notes who is whose child. Gives back the pidfds of
    /// the forgotten.
    std::vector<Fd> settle(std::span<const Match> matches);
    const std::map<pid_t, Member>& members() const { return members_; }

    /// The scan as messages, within the limits of ipc/message.hpp; at least one.
    std::vector<Part> parts() const;
    /// The part has been sent.
    void announced(const Part& part);

  private:
    ipc::WatchProcesses what_;
    std::map<pid_t, Member> members_;
};

} // namespace holdfast::runner
