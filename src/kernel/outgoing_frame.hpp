// One advert as a whole Ethernet frame, as sendmmsg(2) takes it on a packet socket: how it leaves from a virtual MAC address.
#pragma once

#include "base/bytes.hpp"
#include "engine/action.hpp"

#include <array>
#include <linux/if_packet.h>
#include <sys/socket.h>

namespace holdfast::kernel {

class OutgoingFrame {
  public:
    /// `message` points into this object and into the advert's bytes until it is sent. The advert has a `from_mac`.
    void fill(mmsghdr& message, const engine::SendAdvert& advert);

  private:
    sockaddr_ll link_{};
    Bytes header_;
    std::array<iovec, 2> parts_{};
};

} // namespace holdfast::kernel
