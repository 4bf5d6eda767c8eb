// Delivers mail about transitions, in order, one message at a time; one that can't be delivered is tried again, after longer
// and longer pauses, until `retry_for` is over. Invariant: what waits is bounded, and nothing waits for it but the mail
// behind it.
#pragma once

#include "engine/snapshot.hpp"
#include "ipc/message.hpp"
#include "model/mail.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <string>

namespace holdfast::daemon {

inline constexpr std::size_t mails_kept = 64;

class Mailer {
  public:
    struct Door {
        /// Asks the prober for one attempt.
        std::function<ipc::WatchId(std::function<ipc::Request(ipc::WatchId)> make,
                                   std::function<void(const ipc::Ended&)> done)>
            attempt;
        std::function<void(std::string)> warn;
        std::function<Time()> now;
    };
    explicit Mailer(Door door) : door_{std::move(door)} {}

    /// For what is sent from now on; what waits goes by the new settings too. Without settings nothing waits any more.
    void configure(const std::optional<model::Mail>& mail);
    void tell(const engine::Transition& edge, const std::string& node);

    Time next_deadline() const { return retry_at_; }
    void on_deadline();
    /// Nothing waits for its first attempt or is under way: the end need not wait for more.
    bool idle() const { return !under_way_ && (waiting_.empty() || failures_ > 0); }

  private:
    struct Message {
        std::string object, text, node;
        Time since{};
    };
    void begin();
    void ended(const ipc::Ended&);

    Door door_;
    std::optional<model::Mail> mail_;
    std::deque<Message> waiting_; ///< the first one is tried
    bool under_way_{false};
    unsigned failures_{0}; ///< of the first one
    Time retry_at_{never};
};

} // namespace holdfast::daemon
