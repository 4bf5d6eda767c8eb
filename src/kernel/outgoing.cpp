#include "kernel/outgoing.hpp"

namespace holdfast::kernel {

void Outgoing::fill(mmsghdr& message, const engine::SendAdvert& advert) {
    const bool scoped = advert.destination.is_multicast() || advert.destination.is_link_local();
    destination_ = socket_address(advert.destination, 0, scoped ? advert.link.value : 0);
    part_ = {const_cast<std::uint8_t*>(advert.message->data()), // NOLINT: sendmsg only reads
             advert.message->size()};
    auto& header = message.msg_hdr;
    header = {};
    header.msg_name = &destination_.storage;
    header.msg_namelen = destination_.size;
    header.msg_iov = &part_;
    header.msg_iovlen = 1;
    if (advert.source.family == Family::ipv4)
        fill_ipv4(header, advert);
    else
        fill_ipv6(header, advert);
}

void Outgoing::fill_ipv4(msghdr& header, const engine::SendAdvert& advert) {
    if (advert.destination.is_multicast()) return;
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, advert.source.bytes.data(), 4);
    add_control(header, control_.data(), IPPROTO_IP, IP_PKTINFO, info);
    if (advert.hop_limit != hop_limit) add_control(header, control_.data(), IPPROTO_IP, IP_TTL, int{advert.hop_limit});
}

void Outgoing::fill_ipv6(msghdr& header, const engine::SendAdvert& advert) {
    in6_pktinfo info{};
    info.ipi6_ifindex = advert.link.value;
    std::memcpy(&info.ipi6_addr, advert.source.bytes.data(), 16);
    add_control(header, control_.data(), IPPROTO_IPV6, IPV6_PKTINFO, info);
    if (advert.hop_limit != hop_limit)
        add_control(header, control_.data(), IPPROTO_IPV6, IPV6_HOPLIMIT, int{advert.hop_limit});
}

} // namespace holdfast::kernel
