#include "ipc/channel.hpp"

#include "base/assert.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>

namespace holdfast::ipc {

namespace {

// Room for SCM_RIGHTS of max_descriptors, aligned as cmsg(3) wants it.
struct alignas(cmsghdr) ControlBuffer {
    std::array<char, CMSG_SPACE(sizeof(int) * max_descriptors)> bytes{};
};

void take_descriptors(msghdr& header, std::vector<Fd>& out) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd{};
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            out.emplace_back(fd);
        }
    }
}

} // namespace

Sent Channel::send(ByteView bytes, std::span<const int> fds) {
    HF_ASSERT(fds.size() <= max_descriptors);
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; // sendmsg only reads
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    ControlBuffer control;
    if (!fds.empty()) {
        header.msg_control = control.bytes.data();
        header.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
    }
    for (;;) {
        if (::sendmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Sent::yes;
        switch (errno) {
        case EINTR: continue;
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN:
        case EBADF: return Sent::closed;
        // EAGAIN, ENOBUFS, ENOMEM, and ETOOMANYREFS: too many descriptors under way (unix(7)). All pass.
        default: return Sent::full;
        }
    }
}

bool Channel::unread() const {
    int bytes = 0;
    return ::ioctl(socket_.get(), SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

std::expected<Packet, Nothing> Channel::receive() {
    iovec part{buffer_.data(), buffer_.size()};
    ControlBuffer control;
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    ssize_t size{};
    do
        size = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0) {
        const bool later = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
        return unexpected{later ? Nothing::yet : Nothing::ever};
    }
    Packet packet;
    take_descriptors(header, packet.fds);
    packet.truncated = (header.msg_flags & MSG_TRUNC) != 0;
    packet.lost_descriptors = (header.msg_flags & MSG_CTRUNC) != 0;
    if (size == 0) return unexpected{Nothing::ever};
    packet.bytes = ByteView{buffer_}.first(static_cast<std::size_t>(size));
    return packet;
}

Result<std::pair<Fd, Fd>> channel_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
        return unexpected{fmt::format("cannot make a socket pair: {}", std::strerror(errno))};
    return std::pair{Fd{ends[0]}, Fd{ends[1]}};
}

} // namespace holdfast::ipc
