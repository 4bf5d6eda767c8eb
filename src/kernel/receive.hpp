// Reading an advert socket: datagrams in batches, each with the kernel's time of arrival, as engine events.
#pragma once

#include "base/fd.hpp"
#include "engine/event.hpp"

#include <functional>

namespace holdfast::kernel {

/// With the moment when the kernel received the packet, so that a late reader moves no deadline.
using DeliverArrived = std::function<void(engine::Event&&, Time arrived)>;

enum class AdvertSocket : std::uint8_t {
    ipv4,    ///< protocol 112, with its IP header
    ipv4_ah, ///< protocol 51, with its IP header
    ipv6,    ///< protocol 112; IPV6_RECVPKTINFO and IPV6_RECVHOPLIMIT are set
};

/// Everything that waits; how many packets that was. `dropped` is the kernel's count at the last call (SO_RXQ_OVFL). For
/// one thread only: the buffers are shared.
std::size_t receive_adverts(const Fd&, AdvertSocket, LinkIndex, std::uint32_t& dropped, const DeliverArrived&);

} // namespace holdfast::kernel
