// Whether the driver of a link sees a carrier (ioctl SIOCETHTOOL, ETHTOOL_GLINK; ethtool(8) "Link detected"): for drivers that do
// not tell the kernel when it comes and goes. A driver may take its time, so a thread asks, one link after the other.
// Invariant: one question per id at a time; a driver that never answers keeps the other links' questions waiting, and
// nothing else.
#pragma once

#include "base/worker.hpp"
#include "prober/outcome.hpp"

#include <optional>
#include <unordered_set>

namespace holdfast::prober {

/// Blocks. Our fault: the driver can't be asked, or there is no such link.
Outcome ask_driver(const std::string& interface);

class CarrierProbes {
  public:
    using Ask = std::function<Outcome(const std::string& interface)>;
    explicit CarrierProbes(Done done, Ask ask = ask_driver) : done_{std::move(done)}, ask_{std::move(ask)} {}

    void start(ipc::WatchId id, std::string interface);
    void cancel(ipc::WatchId id) { asked_.erase(id); }
    bool busy(ipc::WatchId id) const { return asked_.contains(id); }

    /// Readable when on_readable() has something to do.
    int fd() const { return answers_.fd(); }
    void on_readable();

  private:
    struct Question {
        ipc::WatchId id;
        std::string interface;
    };
    struct Answer {
        ipc::WatchId id;
        Outcome outcome;
    };

    Done done_;
    Ask ask_;
    std::unordered_set<ipc::WatchId> asked_;
    Mailbox<Answer> answers_;
    std::optional<Worker<Question>> worker_; ///< from the first question on; ends before what it writes to
};

} // namespace holdfast::prober
