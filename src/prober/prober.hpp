// The prober's loop: requests in, probes on their deadlines, verdicts out. Invariant: its memory is bounded by its
// subscriptions: at most `max_waiting` verdicts wait for a daemon that does not read, and what finds no room then is told of the
// probes that follow.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/watchdog.hpp"
#include "prober/carrier.hpp"
#include "prober/http.hpp"
#include "prober/mail.hpp"
#include "prober/talk.hpp"
#include "prober/watch.hpp"

#include <deque>
#include <random>
#include <unordered_map>

namespace holdfast::prober {

inline constexpr std::size_t max_waiting = 1024; ///< verdicts
inline constexpr std::size_t max_watches = 65536;

class Prober {
  public:
    explicit Prober(ipc::Channel channel);
    /// Until the other end closes the socket.
    void run();

  private:
    bool take_requests();
    void take(const ipc::Request& request);
    void forget(ipc::WatchId id);
    void add(const ipc::StartCheck& check, bool is_tracker, std::shared_ptr<const HttpPlan> http,
             std::string interface = {});
    bool busy(ipc::WatchId id) const { return http_.busy(id) || sockets_.busy(id) || carriers_.busy(id); }
    void start_due(Time now);
    void start(ipc::WatchId id, const Watch& watch, Time now);
    Conversation conversation(const Watch& watch);
    void schedule(ipc::WatchId id, Watch& watch);
    void done(ipc::WatchId id, const Outcome& outcome);
    bool tell(const ipc::Report& report);
    bool flush();
    Time next_deadline() const;

    ipc::Channel channel_;
    ipc::Epoll epoll_;
    ipc::Watchdog watchdog_;
    CurlMulti curl_{epoll_};
    HttpDriver http_;
    SocketProbes sockets_;
    MailDriver mail_;
    CarrierProbes carriers_;
    std::unordered_map<ipc::WatchId, Watch> watches_;
    Deadlines due_; ///< of the watches that have no probe under way
    std::mt19937_64 random_{std::random_device{}()};
    std::deque<Bytes> waiting_; ///< encoded verdicts that the socket has had no room for
    bool is_full_{false};       ///< the loop waits until it has
    std::uint64_t started_{0};  ///< subscriptions so far: the ordinal of the next one
};

} // namespace holdfast::prober
