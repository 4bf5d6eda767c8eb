#include "kernel/socket.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

constexpr int receive_buffer = 4 << 20; // storms of links and addresses come; losing one costs a full listing

} // namespace

void NetlinkSocket::Close::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}

Result<NetlinkSocket, int> NetlinkSocket::connect(int protocol) {
    NetlinkSocket result{nl_socket_alloc()};
    if (!result.socket_) return unexpected{ENOMEM};
    if (nl_connect(result.socket_.get(), protocol) < 0) return unexpected{errno ? errno : EIO};
    nl_socket_set_buffer_size(result.socket_.get(), receive_buffer, 0);
    ::fcntl(result.fd(), F_SETFD, FD_CLOEXEC);
    return result;
}

Result<NetlinkSocket, int> NetlinkSocket::open(std::span<const int> groups, bool blocking) {
    auto result = connect(NETLINK_ROUTE);
    if (!result) return result;
    auto* socket = result->socket_.get();
    for (const int group : groups)
        if (nl_socket_add_membership(socket, group) < 0) return unexpected{errno ? errno : EIO};
    if (!blocking) nl_socket_set_nonblocking(socket);
    return result;
}

Result<NetlinkSocket, int> NetlinkSocket::open_generic() {
    auto result = connect(NETLINK_GENERIC);
    if (!result) return result;
    const int on = 1;
    ::setsockopt(result->fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    nl_socket_set_nonblocking(result->socket_.get());
    return result;
}

void NetlinkSocket::filter_dumps() const {
    const int on = 1;
    ::setsockopt(fd(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
}

int NetlinkSocket::fd() const {
    return nl_socket_get_fd(socket_.get());
}

int NetlinkSocket::send(ByteView message) const {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const auto sent =
        ::sendto(fd(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    return sent < 0 ? errno : 0;
}

Result<ByteView, int> NetlinkSocket::receive(std::span<std::uint8_t> buffer) const {
    for (;;) {
        sockaddr_nl from{};
        iovec part{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        const auto size = ::recvmsg(fd(), &message, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return ByteView{};
        if (size < 0) return unexpected{errno};
        if (from.nl_pid != 0) continue;
        if ((message.msg_flags & MSG_TRUNC) != 0) return unexpected{ENOBUFS};
        return ByteView{buffer}.first(static_cast<std::size_t>(size));
    }
}

} // namespace holdfast::kernel
