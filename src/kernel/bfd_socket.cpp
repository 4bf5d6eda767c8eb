#include "kernel/bfd_socket.hpp"

#include "wire/bfd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

constexpr int traffic_class = 0xc0; ///< DSCP CS6, what routers give to their own protocols
constexpr int queue_priority = 6;   ///< the best band of pfifo_fast (tc-prio(8))
constexpr unsigned lowest_port = 49152, ports = 65536 - lowest_port;
constexpr unsigned port_tries = 64;
constexpr std::size_t datagram_size = 128; ///< a control packet has 24 bytes; what is longer is cut and refused

template <typename T>
bool set(const Fd& fd, int level, int option, const T& value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size{};
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
    SocketAddress result;
    if (address.family == Family::ipv4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        std::memcpy(&v4->sin_addr, address.bytes.data(), 4);
        result.size = sizeof *v4;
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
        result.size = sizeof *v6;
    }
    return result;
}

std::uint16_t well_known(bool multihop) {
    return multihop ? wire::bfd_multihop_port : wire::bfd_port;
}

Fd udp_socket(Family family) {
    return Fd{::socket(family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

IpAddress address_of(Family family, const void* bytes) {
    return IpAddress::from(family, {static_cast<const std::uint8_t*>(bytes), address_size(family)});
}

/// Hop limit and destination come beside the datagram.
void read_control(msghdr& message, BfdDatagram& datagram) {
    for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        const bool hops = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
                          (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT);
        if (hops) {
            int value = 0;
            std::memcpy(&value, CMSG_DATA(c), sizeof value);
            datagram.hop_limit = static_cast<unsigned>(value);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof info);
            datagram.destination = address_of(Family::ipv4, &info.ipi_addr);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof info);
            datagram.destination = address_of(Family::ipv6, &info.ipi6_addr);
        }
    }
}

} // namespace

// ---- in -----------------------------------------------------------------------------------------------------------------

Result<BfdReceiver, int> BfdReceiver::open(Family family, bool multihop) {
    const bool ipv4 = family == Family::ipv4;
    auto fd = udp_socket(family);
    if (!fd) return unexpected{errno};
    const bool told = ipv4 ? set(fd, IPPROTO_IP, IP_RECVTTL, 1) && set(fd, IPPROTO_IP, IP_PKTINFO, 1)
                           : set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
                                 set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (!told) return unexpected{errno};
    const auto any = socket_address(IpAddress{family, {}}, well_known(multihop));
    if (::bind(fd.get(), any.get(), any.size) != 0) return unexpected{errno};
    return BfdReceiver{std::move(fd), family};
}

void BfdReceiver::read(const std::function<void(const BfdDatagram&)>& deliver) const {
    for (;;) {
        std::array<std::uint8_t, datagram_size> bytes{};
        alignas(cmsghdr) std::array<char, 128> control{};
        sockaddr_storage from{};
        iovec part{bytes.data(), bytes.size()};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto size = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return;
        BfdDatagram datagram{.bytes = ByteView{bytes}.first(static_cast<std::size_t>(size))};
        datagram.source = family_ == Family::ipv4
                              ? address_of(family_, &reinterpret_cast<const sockaddr_in*>(&from)->sin_addr)
                              : address_of(family_, &reinterpret_cast<const sockaddr_in6*>(&from)->sin6_addr);
        read_control(message, datagram);
        deliver(datagram);
    }
}

// ---- out ----------------------------------------------------------------------------------------------------------------

Result<BfdSender, int> BfdSender::open(const model::BfdTracker& settings, std::uint16_t first_port) {
    const auto family = settings.neighbor.family;
    const bool ipv4 = family == Family::ipv4;
    auto fd = udp_socket(family);
    if (!fd) return unexpected{errno};
    const int ttl = settings.ttl;
    // Free bind: the source address may appear later than the daemon.
    const bool done =
        set(fd, SOL_SOCKET, SO_PRIORITY, queue_priority) &&
        (ipv4 ? set(fd, IPPROTO_IP, IP_TTL, ttl) && set(fd, IPPROTO_IP, IP_TOS, traffic_class) &&
                    set(fd, IPPROTO_IP, IP_FREEBIND, 1)
              : set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl) && set(fd, IPPROTO_IPV6, IPV6_TCLASS, traffic_class) &&
                    set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1));
    if (!done) return unexpected{errno};
    for (unsigned i = 0; i < port_tries; ++i) {
        const auto port = static_cast<std::uint16_t>(lowest_port + (first_port + i) % ports);
        const auto own = socket_address(settings.source.value_or(IpAddress{family, {}}), port);
        if (::bind(fd.get(), own.get(), own.size) == 0) return BfdSender{std::move(fd), settings};
        if (errno != EADDRINUSE) break;
    }
    return unexpected{errno};
}

void BfdSender::send(ByteView bytes) const {
    const auto to = socket_address(neighbor_, well_known(multihop_));
    ::sendto(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, to.get(), to.size);
}

} // namespace holdfast::kernel
