// One end of the SOCK_SEQPACKET socket between the daemon and a helper (unix(7)): whole packets with descriptors, never
// blocking. Invariant: every descriptor that arrives is owned at once and close-on-exec, also when its packet is thrown
// away.
#pragma once

#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "ipc/message.hpp"

#include <optional>
#include <span>
#include <vector>

namespace holdfast::ipc {

enum class Sent { yes, full, closed }; ///< full: try again when the socket is writable

/// A received packet; `bytes` is valid until the next receive of the same channel.
struct Packet {
    ByteView bytes;
    std::vector<Fd> fds;
    bool truncated{false};        ///< longer than max_packet: `bytes` is only its beginning
    bool lost_descriptors{false}; ///< this process had no room for some of them (MSG_CTRUNC, recvmsg(2))
};
enum class Nothing { yet, ever }; ///< why there is no packet: none is there now; the other end is gone

class Channel {
  public:
    Channel() = default;
    explicit Channel(Fd socket) : socket_{std::move(socket)}, buffer_(max_packet) {}

    int fd() const { return socket_.get(); }
    explicit operator bool() const { return static_cast<bool>(socket_); }
    /// Something that we have sent waits to be read at the other end.
    bool unread() const;

    /// One packet; the descriptors stay the caller's. At most max_packet bytes, max_descriptors descriptors.
    Sent send(ByteView bytes, std::span<const int> fds = {});
    /// An empty packet is indistinguishable from the end (recv(2)) and counts as the end: no message is empty.
    std::expected<Packet, Nothing> receive();

  private:
    Fd socket_;
    Bytes buffer_;
};

/// A connected pair, both ends close-on-exec.
Result<std::pair<Fd, Fd>> channel_pair();

} // namespace holdfast::ipc
