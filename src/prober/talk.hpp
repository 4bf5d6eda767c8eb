// What the protocols on one socket have in common: it is opened, waited for, bounded in time and closed. A protocol is a
// Talk, one file each. Invariant: a probe ends by its timeout at the latest, and its socket with it.
#pragma once

#include "ipc/epoll.hpp"
#include "prober/deadlines.hpp"
#include "prober/socket.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace holdfast::prober {

class Talk {
  public:
    Talk() = default;
    virtual ~Talk() = default;
    Talk(const Talk&) = delete;
    Talk& operator=(const Talk&) = delete;

    /// Of a datagram socket, connected: what is to be sent at once.
    virtual std::optional<Outcome> begin(int /* fd */) { return std::nullopt; }
    /// The socket is connected, and is ready for what `wants` says or has an error, which the next call on it tells. Bounded a
    /// call. Nothing: it goes on.
    virtual std::optional<Outcome> on_ready(int fd) = 0;
    /// The timeout has passed.
    virtual Outcome at_deadline(Duration timeout) const = 0;
    /// Sees every outcome, also of the socket, before it is told. False: the probe goes on with another connection to the same
    /// address, within the same timeout.
    virtual bool ends(Outcome&) { return true; }

    std::uint32_t wants{EPOLLIN};
};

/// A protocol with the socket that it wants.
struct Conversation {
    int type{SOCK_STREAM};
    int protocol{0};
    std::unique_ptr<Talk> talk;
};

class SocketProbes {
  public:
    SocketProbes(ipc::Epoll& epoll, Done done) : epoll_{epoll}, done_{std::move(done)} {}

    /// One probe per id at a time. `how` outlives it.
    void start(ipc::WatchId id, const Endpoint& to, const model::ProbeSocket& how, Conversation, Duration timeout,
               Time now);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return probes_.contains(id); }

    bool owns(int fd) const { return sockets_.contains(fd); }
    /// `events` as epoll(7) has them.
    void on_socket(int fd, std::uint32_t events);
    Time next_deadline() const { return going_on_.empty() ? deadlines_.next() : Time{}; }
    void on_timer(Time now);

  private:
    struct Probe {
        Endpoint to;
        const model::ProbeSocket* how;
        Conversation what;
        Time started;
        Duration timeout;
        Time deadline; ///< at once when `known`
        Fd socket{};
        bool connecting{false};
        std::optional<Outcome> known{};
    };
    std::optional<Outcome> connect(ipc::WatchId id, Probe&);
    std::optional<Outcome> look(Probe&, std::uint32_t events);
    std::optional<Outcome> look_on(Probe&);
    Outcome last_word(Probe&);
    void settle(ipc::WatchId id, Outcome outcome);
    void go_on(ipc::WatchId id);
    void finish(ipc::WatchId id, Outcome outcome, Time now);

    ipc::Epoll& epoll_;
    Done done_;
    std::unordered_map<ipc::WatchId, Probe> probes_;
    std::unordered_map<int, ipc::WatchId> sockets_;
    Deadlines deadlines_;
    std::vector<ipc::WatchId> going_on_; ///< with a connection that is still to be made
};

/// The bytes of one datagram, as many as fit, and how long it was. Nothing: none is there. The error is of recv(2).
struct Datagram {
    ByteView bytes;
    std::size_t size{0};
};
std::expected<std::optional<Datagram>, int> receive(int fd, std::span<std::uint8_t> into);

} // namespace holdfast::prober
