#include "kernel/bfd_socket.hpp"

#include "kernel/control.hpp"
#include "kernel/option.hpp"
#include "wire/bfd.hpp"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

constexpr unsigned lowest_port = 49152, ports = 65536 - lowest_port;
constexpr unsigned port_tries = 64;
constexpr std::size_t datagram_size = 128; ///< a control packet has 24 bytes; what is longer is cut and refused

std::uint16_t well_known(bool multihop) {
    return multihop ? wire::bfd_multihop_port : wire::bfd_port;
}

Fd udp_socket(Family family) {
    return Fd{::socket(family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
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
        const auto told = read_control(message);
        deliver({address_of(from), told.destination.value_or(IpAddress{family_, {}}), told.hop_limit.value_or(0),
                 ByteView{bytes}.first(static_cast<std::size_t>(size))});
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
