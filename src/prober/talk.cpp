#include "prober/talk.hpp"

#include "base/assert.hpp"
#include "ipc/service.hpp"

#include <cerrno>
#include <poll.h>

namespace holdfast::prober {

namespace {

/// Of connect(2), behind it.
int error_of(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

} // namespace

std::optional<Outcome> SocketProbes::open(Probe& probe, const Endpoint& to, const model::ProbeSocket& how,
                                          const Conversation& what) {
    auto socket = open_socket(family_of(to.address), what.type, what.protocol, how);
    if (!socket) return our_fault(socket.error());
    probe.socket = std::move(*socket);
    const auto address = socket_address(to, how.interface);
    if (::connect(probe.socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
        return failure("cannot connect", errno);
    probe.connecting = what.type == SOCK_STREAM;
    return probe.connecting ? std::nullopt : what.talk->begin(probe.socket.get());
}

void SocketProbes::start(ipc::WatchId id, const Endpoint& to, const model::ProbeSocket& how, Conversation what,
                         Duration timeout, Time now) {
    HF_ASSERT(!busy(id));
    auto& probe = probes_[id];
    probe.started = now;
    probe.deadline = now + timeout;
    probe.timeout = timeout;
    probe.known = open(probe, to, how, what);
    probe.talk = std::move(what.talk);
    if (!probe.known && !epoll_.add(probe.socket.get(), probe.talk->wants))
        probe.known = our_fault("cannot wait for a socket; raise fs.epoll.max_user_watches");
    if (probe.known)
        probe.deadline = now; // told by on_timer, like everything
    else
        sockets_.emplace(probe.socket.get(), id);
    deadlines_.add(probe.deadline, id);
}

void SocketProbes::cancel(ipc::WatchId id) {
    const auto at = probes_.find(id);
    if (at == probes_.end()) return;
    deadlines_.remove(at->second.deadline, id);
    sockets_.erase(at->second.socket.get());
    probes_.erase(at); // closes the socket, which takes it out of the epoll as well (epoll(7))
}

/// Whether the connection was refused is asked only where epoll saw that something is wrong. Later errors are told by the call
/// that meets them, behind what the other end said before.
std::optional<Outcome> SocketProbes::look(Probe& probe, std::uint32_t events) {
    const int fd = probe.socket.get();
    if (std::exchange(probe.connecting, false) && (events & (EPOLLERR | EPOLLHUP)) != 0)
        if (const int error = error_of(fd); error != 0) return failure("cannot connect", error);
    const auto wanted = probe.talk->wants;
    auto outcome = probe.talk->on_ready(fd);
    if (!outcome && probe.talk->wants != wanted) epoll_.set(fd, probe.talk->wants);
    return outcome;
}

void SocketProbes::on_socket(int fd, std::uint32_t events) {
    const auto at = sockets_.find(fd);
    if (at == sockets_.end()) return;
    const auto id = at->second;
    if (const auto outcome = look(probes_.at(id), events)) finish(id, *outcome, ipc::clock_now());
}

/// What has come in time is not late because this host was: the socket is looked at once more.
Outcome SocketProbes::last_word(Probe& probe) {
    if (probe.known) return *probe.known;
    pollfd ready{probe.socket.get(), static_cast<short>(probe.talk->wants), 0}; // epoll's bits are poll's
    if (::poll(&ready, 1, 0) == 1)
        if (const auto outcome = look(probe, static_cast<std::uint16_t>(ready.revents))) return *outcome;
    return probe.talk->at_deadline(probe.timeout);
}

void SocketProbes::on_timer(Time now) {
    while (const auto id = deadlines_.take(now))
        finish(*id, last_word(probes_.at(*id)), now);
}

void SocketProbes::finish(ipc::WatchId id, Outcome outcome, Time now) {
    outcome.latency = std::max(now - probes_.at(id).started, Duration{0});
    cancel(id);
    done_(id, outcome);
}

std::expected<std::optional<Datagram>, int> receive(int fd, std::span<std::uint8_t> into) {
    const ssize_t size = ::recv(fd, into.data(), into.size(), MSG_TRUNC | MSG_DONTWAIT);
    if (size < 0) {
        if (errno == EAGAIN || errno == EINTR) return std::nullopt;
        return unexpected{errno};
    }
    const auto whole = static_cast<std::size_t>(size);
    return Datagram{ByteView{into}.first(std::min(whole, into.size())), whole};
}

} // namespace holdfast::prober
