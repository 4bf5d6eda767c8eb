// One advert as sendmmsg(2) takes it. An IPv4 socket is told source and TTL of multicast once; IPv6 has no option for the
// source, and unicast has its own, so there they go along.
#pragma once

#include "engine/action.hpp"
#include "kernel/control.hpp"

#include <array>
#include <netinet/in.h>

namespace holdfast::kernel {

inline constexpr int hop_limit = 255; ///< RFC 9568 5.1.1.3

class Outgoing {
  public:
    /// `message` points into this object and into the advert's bytes until it is sent.
    void fill(mmsghdr& message, const engine::SendAdvert& advert);

  private:
    void fill_ipv4(msghdr& header, const engine::SendAdvert& advert);
    void fill_ipv6(msghdr& header, const engine::SendAdvert& advert);

    SocketAddress destination_;
    iovec part_{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int))> control_{};
};

} // namespace holdfast::kernel
