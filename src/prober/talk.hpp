// What the protocols on one socket have in common: it is opened, waited for, bounded in time and closed. A protocol is a
// Talk, one file each. Invariant: a probe ends by its timeout at the latest, and its socket with it.
#pragma once

#include "ipc/epoll.hpp"
#include "prober/deadlines.hpp"
#include "prober/socket.hpp"

#include <memory>
#include <unordered_map>

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

    /// One probe per id at a time.
    void start(ipc::WatchId id, const Endpoint& to, const model::ProbeSocket& how, Conversation, Duration timeout,
               Time now);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return probes_.contains(id); }

    bool owns(int fd) const { return sockets_.contains(fd); }
    /// `events` as epoll(7) has them.
    void on_socket(int fd, std::uint32_t events);
    Time next_deadline() const { return deadlines_.next(); }
    void on_timer(Time now);

  private:
    struct Probe {
        Fd socket;
        std::unique_ptr<Talk> talk;
        Time started;
        Time deadline; ///< at once when `known`
        Duration timeout;
        std::optional<Outcome> known{};
        bool connecting{false};
    };
    static std::optional<Outcome> open(Probe&, const Endpoint&, const model::ProbeSocket&, const Conversation&);
    std::optional<Outcome> look(Probe&, std::uint32_t events);
    Outcome last_word(Probe&);
    void finish(ipc::WatchId id, Outcome outcome, Time now);

    ipc::Epoll& epoll_;
    Done done_;
    std::unordered_map<ipc::WatchId, Probe> probes_;
    std::unordered_map<int, ipc::WatchId> sockets_;
    Deadlines deadlines_;
};

/// The bytes of one datagram, as many as fit, and how long it was. Nothing: none is there. The error is of recv(2).
struct Datagram {
    ByteView bytes;
    std::size_t size{0};
};
std::expected<std::optional<Datagram>, int> receive(int fd, std::span<std::uint8_t> into);

} // namespace holdfast::prober
