#include "kernel/outgoing_frame.hpp"

#include "wire/frame.hpp"

#include <linux/if_ether.h>
#include <netinet/in.h>

namespace holdfast::kernel {

void OutgoingFrame::fill(mmsghdr& message, const engine::SendAdvert& advert) {
    header_ = advert.has_ip_header ? wire::encode_ethernet_header(*advert.from_mac, advert.destination)
                                   : wire::encode_frame_header(*advert.from_mac, advert.source, advert.destination,
                                                               advert.hop_limit, advert.message->size());
    parts_ = {iovec{header_.data(), header_.size()},
              iovec{const_cast<std::uint8_t*>(advert.message->data()), advert.message->size()}}; // NOLINT: only read
    link_ = {};
    link_.sll_family = AF_PACKET;
    // What a filter of the host takes the frame for; the socket itself is one for announcements.
    link_.sll_protocol = htons(advert.source.family == Family::ipv4 ? ETH_P_IP : ETH_P_IPV6);
    link_.sll_ifindex = static_cast<int>(advert.link.value);
    auto& header = message.msg_hdr;
    header = {};
    header.msg_name = &link_;
    header.msg_namelen = sizeof link_;
    header.msg_iov = parts_.data();
    header.msg_iovlen = parts_.size();
}

} // namespace holdfast::kernel
