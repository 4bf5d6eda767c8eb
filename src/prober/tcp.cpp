#include "prober/tcp.hpp"

#include "base/assert.hpp"
#include "base/ip.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace holdfast::prober {

namespace {

struct Endpoint {
    sockaddr_storage storage{};
    socklen_t size{0};
    int family{AF_UNSPEC};
};

/// Nothing for what is no "ADDRESS:PORT"; config/ has checked it.
std::optional<Endpoint> endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto address = parse_ip(host);
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    if (!address || std::from_chars(text.data() + colon + 1, end, port).ptr != end) return std::nullopt;
    Endpoint result;
    if (address->family == Family::ipv4) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        std::memcpy(&to.sin_addr, address->bytes.data(), sizeof to.sin_addr);
        std::memcpy(&result.storage, &to, result.size = sizeof to);
        result.family = AF_INET;
    } else {
        sockaddr_in6 to{};
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(port);
        std::memcpy(&to.sin6_addr, address->bytes.data(), sizeof to.sin6_addr);
        std::memcpy(&result.storage, &to, result.size = sizeof to);
        result.family = AF_INET6;
    }
    return result;
}

Outcome outcome_of(int error, Duration latency) {
    if (error == 0) return {.ok = true, .detail = "connected", .latency = latency};
    return {.detail = fmt::format("cannot connect: {}", std::strerror(error)),
            .latency = latency,
            .our_fault = lacks_resources(error)};
}

} // namespace

bool lacks_resources(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

void TcpDriver::start(ipc::WatchId id, const std::string& address, Duration timeout, Time now) {
    HF_ASSERT(!busy(id));
    Probe probe{.socket = {}, .started = now, .deadline = now + timeout, .timeout = timeout};
    const auto to = endpoint(address);
    if (to) probe.socket.reset(::socket(to->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!to)
        probe.error = EINVAL;
    else if (!probe.socket ||
             ::connect(probe.socket.get(), reinterpret_cast<const sockaddr*>(&to->storage), to->size) != 0)
        probe.error = errno == EINPROGRESS ? 0 : errno;
    if (probe.error != 0)
        probe.deadline = now; // told by on_timer, like everything
    else if (epoll_.set(probe.socket.get(), EPOLLOUT))
        sockets_.emplace(probe.socket.get(), id);
    probes_.emplace(id, std::move(probe));
}

void TcpDriver::cancel(ipc::WatchId id) {
    const auto at = probes_.find(id);
    if (at == probes_.end()) return;
    if (at->second.socket && sockets_.erase(at->second.socket.get()) > 0) epoll_.remove(at->second.socket.get());
    probes_.erase(at);
}

void TcpDriver::on_socket(int fd) {
    const auto at = sockets_.find(fd);
    if (at == sockets_.end()) return;
    const auto id = at->second;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    finish(id, outcome_of(error, ipc::clock_now() - probes_.at(id).started));
}

Time TcpDriver::next_deadline() const {
    Time next = never;
    for (const auto& [id, probe] : probes_)
        next = std::min(next, probe.deadline);
    return next;
}

void TcpDriver::on_timer(Time now) {
    for (;;) {
        const auto at = std::ranges::find_if(probes_, [now](const auto& each) { return each.second.deadline <= now; });
        if (at == probes_.end()) return;
        const auto& probe = at->second;
        const auto outcome = probe.error != 0
                                 ? outcome_of(probe.error, now - probe.started)
                                 : Outcome{.detail = fmt::format("no connection within {}", to_string(probe.timeout)),
                                           .latency = now - probe.started};
        finish(at->first, outcome);
    }
}

void TcpDriver::finish(ipc::WatchId id, const Outcome& outcome) {
    cancel(id);
    done_(id, outcome);
}

} // namespace holdfast::prober
