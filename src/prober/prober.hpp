// The prober's loop: requests in, probes on their deadlines, verdicts out. Invariant: its memory is bounded by its
// subscriptions: a daemon that does not read loses the oldest verdicts, at most `max_waiting` wait for it.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/pace.hpp"
#include "prober/http.hpp"
#include "prober/mail.hpp"
#include "prober/tcp.hpp"

#include <deque>
#include <map>
#include <queue>

namespace holdfast::prober {

inline constexpr std::size_t max_waiting = 1024; ///< verdicts
inline constexpr std::size_t max_watches = 65536;

class Prober {
  public:
    explicit Prober(ipc::Channel channel);
    /// Until the other end closes the socket.
    void run();

  private:
    struct Watch {
        std::variant<ipc::StartHttp, ipc::StartTcp> what;
        ipc::Pace pace;
    };

    bool take_requests();
    void take(const ipc::Request& request);
    bool busy(ipc::WatchId id) const { return http_.busy(id) || tcp_.busy(id); }
    void start_due(Time now);
    void schedule(ipc::WatchId id, Time due);
    void done(ipc::WatchId id, const Outcome& outcome);
    void tell(const ipc::Report& report);
    bool flush();
    Time next_deadline() const;

    ipc::Channel channel_;
    ipc::Epoll epoll_;
    CurlMulti curl_{epoll_};
    HttpDriver http_;
    TcpDriver tcp_;
    MailDriver mail_;
    std::map<ipc::WatchId, Watch> watches_;
    // By time, with entries that are out of date: one counts only while its watch is due at that very time.
    using Entry = std::pair<Time, ipc::WatchId>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> due_;
    std::deque<Bytes> waiting_; ///< encoded verdicts that the socket has had no room for
    std::uint64_t started_{0};  ///< subscriptions so far: the ordinal of the next one
};

} // namespace holdfast::prober
