#include "prober/talk.hpp"

#include "base/assert.hpp"
#include "ipc/service.hpp"

#include <cerrno>
#include <poll.h>

namespace holdfast::prober {

namespace {

constexpr int most_looks = 32; // at a socket whose deadline has passed

/// Of connect(2), behind it.
int error_of(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

} // namespace

std::optional<Outcome> SocketProbes::connect(ipc::WatchId id, Probe& probe) {
    const auto& what = probe.what;
    auto socket = open_socket(family_of(probe.to.address), what.type, what.protocol, *probe.how);
    if (!socket) return our_fault(socket.error());
    probe.socket = std::move(*socket);
    const int fd = probe.socket.get();
    const auto address = socket_address(probe.to, probe.how->interface);
    if (::connect(fd, address.get(), address.size) != 0 && errno != EINPROGRESS)
        return failure("cannot connect", errno);
    probe.connecting = what.type == SOCK_STREAM;
    if (!probe.connecting)
        if (auto outcome = what.talk->begin(fd)) return outcome;
    if (!epoll_.add(fd, what.talk->wants))
        return our_fault("cannot wait for a socket; raise fs.epoll.max_user_watches");
    sockets_.emplace(fd, id);
    return std::nullopt;
}

void SocketProbes::start(ipc::WatchId id, const Endpoint& to, const model::ProbeSocket& how, Conversation what,
                         Duration timeout, Time now) {
    HF_ASSERT(!busy(id));
    auto& probe = probes_.try_emplace(id, to, &how, std::move(what), now, timeout, now + timeout).first->second;
    probe.known = connect(id, probe);
    if (probe.known) probe.deadline = now; // told by on_timer, like everything
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
    auto& talk = *probe.what.talk;
    const auto wanted = talk.wants;
    auto outcome = talk.on_ready(fd);
    if (!outcome && talk.wants != wanted) epoll_.set(fd, talk.wants);
    return outcome;
}

void SocketProbes::on_socket(int fd, std::uint32_t events) {
    const auto at = sockets_.find(fd);
    if (at == sockets_.end()) return;
    const auto id = at->second;
    if (auto outcome = look(probes_.at(id), events)) settle(id, *std::move(outcome));
}

/// As long as there is something to see, but not for ever.
std::optional<Outcome> SocketProbes::look_on(Probe& probe) {
    for (int i = 0; i < most_looks; ++i) {
        const auto wanted = probe.what.talk->wants;
        pollfd ready{probe.socket.get(), static_cast<short>(wanted), 0}; // epoll's bits are poll's
        if (::poll(&ready, 1, 0) != 1) return std::nullopt;
        if (auto outcome = look(probe, static_cast<std::uint16_t>(ready.revents))) return outcome;
    }
    return std::nullopt;
}

/// What has come in time is not late because this host was: the socket is looked at once more.
Outcome SocketProbes::last_word(Probe& probe) {
    auto& talk = *probe.what.talk;
    auto outcome = probe.known ? probe.known : look_on(probe);
    if (outcome && talk.ends(*outcome)) return *std::move(outcome);
    auto late = talk.at_deadline(probe.timeout);
    talk.ends(late);
    return late;
}

/// The next connection is made behind the events that have been fetched already: one of them could be of a descriptor that is closed by
/// now, and the new socket have its number.
void SocketProbes::settle(ipc::WatchId id, Outcome outcome) {
    auto& probe = probes_.at(id);
    if (probe.what.talk->ends(outcome)) return finish(id, std::move(outcome), ipc::clock_now());
    sockets_.erase(probe.socket.get());
    probe.socket.reset();
    going_on_.push_back(id);
}

void SocketProbes::go_on(ipc::WatchId id) {
    const auto at = probes_.find(id);
    if (at == probes_.end() || at->second.socket) return; // cancelled, and perhaps begun anew
    if (auto outcome = connect(id, at->second)) settle(id, *std::move(outcome));
}

void SocketProbes::on_timer(Time now) {
    for (const auto id : std::exchange(going_on_, {}))
        go_on(id);
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
