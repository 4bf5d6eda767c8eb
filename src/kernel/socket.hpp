// A netlink socket on libnl's, reduced to what the observer, the executor and the load balancer's table do with it: send bytes,
// receive datagrams that the kernel itself sent.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <functional>
#include <memory>
#include <span>

struct nl_sock;

namespace holdfast::kernel {

class NetlinkSocket {
  public:
    /// rtnetlink, optionally subscribed to groups (RTNLGRP_*). The error is an errno.
    static Result<NetlinkSocket, int> open(std::span<const int> groups, bool blocking);
    /// Generic netlink, not blocking; a refusal comes without a copy of what was refused.
    static Result<NetlinkSocket, int> open_generic();

    int fd() const;
    /// Dumps answer only what their request asks for (NETLINK_GET_STRICT_CHK); an older kernel answers everything.
    void filter_dumps() const;
    /// 0 or an errno.
    int send(ByteView message) const;
    /// One datagram into `buffer`; its bytes, empty when there is none (EAGAIN), or an errno. A datagram that did not come
    /// from the kernel is skipped; one that did not fit is ENOBUFS, like a lost one.
    Result<ByteView, int> receive(std::span<std::uint8_t> buffer) const;

  private:
    struct Close {
        void operator()(nl_sock*) const;
    };
    explicit NetlinkSocket(nl_sock* socket) : socket_{socket} {}
    static Result<NetlinkSocket, int> connect(int protocol);
    std::unique_ptr<nl_sock, Close> socket_;
};

} // namespace holdfast::kernel
