#include "kernel/packet.hpp"

#include "kernel/filter.hpp"
#include "kernel/option.hpp"
#include "kernel/outgoing.hpp"
#include "kernel/outgoing_frame.hpp"
#include "wire/ndisc.hpp"
#include "wire/proof.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace holdfast::kernel {
namespace {

constexpr std::size_t send_batch = 256; ///< every virtual router of a link in one call
constexpr int receive_buffer = 1 << 20; ///< several masters' adverts, while we wait for a processor
constexpr std::size_t frame_size = 2048;
const VridSet nobody; ///< until the engine says whom a socket listens for

/// MCAST_JOIN_GROUP or MCAST_LEAVE_GROUP (RFC 3678 5.1).
bool change_membership(const Fd& fd, LinkIndex link, const IpAddress& group, int how) {
    group_req request{};
    request.gr_interface = link.value;
    if (group.family == Family::ipv4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        std::memcpy(&address.sin_addr, group.bytes.data(), 4);
        std::memcpy(&request.gr_group, &address, sizeof address);
        return set(fd, IPPROTO_IP, how, request);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, group.bytes.data(), 16);
    std::memcpy(&request.gr_group, &address, sizeof address);
    return set(fd, IPPROTO_IPV6, how, request);
}

/// A socket that was kept is in its groups already.
bool join(const Fd& fd, LinkIndex link, const IpAddress& group) {
    return change_membership(fd, link, group, MCAST_JOIN_GROUP) || errno == EADDRINUSE;
}

bool is_of_our_network(const Fd& fd) {
    const Fd theirs{::ioctl(fd.get(), SIOCGSKNS)};
    struct stat ours{}, its{};
    return theirs && ::fstat(theirs.get(), &its) == 0 && ::stat("/proc/self/ns/net", &ours) == 0 &&
           its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

/// Whoever could put a descriptor into the store is trusted, but the link may be another one today.
bool is_usable(const Fd& fd, int domain, int protocol, LinkIndex link) {
    const auto has = [&](int option, int value) {
        int is = -1;
        socklen_t size = sizeof is;
        return ::getsockopt(fd.get(), SOL_SOCKET, option, &is, &size) == 0 && is == value;
    };
    return fd && has(SO_DOMAIN, domain) && has(SO_TYPE, SOCK_RAW) && has(SO_PROTOCOL, protocol) &&
           has(SO_BINDTOIFINDEX, static_cast<int>(link.value)) && is_of_our_network(fd);
}

bool join_ipv4(const Fd& fd, LinkIndex link) {
    ip_mreqn outgoing{};
    outgoing.imr_ifindex = static_cast<int>(link.value);
    return set(fd, IPPROTO_IP, IP_TOS, traffic_class) && set(fd, IPPROTO_IP, IP_TTL, hop_limit) &&
           set(fd, IPPROTO_IP, IP_MULTICAST_TTL, hop_limit) && set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) &&
           set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) && set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) &&
           set(fd, IPPROTO_IP, IP_MULTICAST_IF, outgoing) && join(fd, link, vrrp_group(Family::ipv4));
}

bool join_ipv6(const Fd& fd, LinkIndex link) {
    const int index = static_cast<int>(link.value);
    return set(fd, IPPROTO_IPV6, IPV6_TCLASS, traffic_class) && set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hop_limit) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hop_limit) && set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
           set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index) && join(fd, link, vrrp_group(Family::ipv6));
}

} // namespace

// ---- one link and family ------------------------------------------------------------------------------------------------

Result<std::unique_ptr<LinkSockets>, int> LinkSockets::open(LinkIndex link, Family family, KeptSockets kept) {
    std::unique_ptr<LinkSockets> sockets{new LinkSockets{link, family}};
    if (const int error = sockets->open_adverts(std::move(kept.adverts))) return unexpected{error};
    if (family == Family::ipv4)
        if (const int error = sockets->open_ah(std::move(kept.ah))) return unexpected{error};
    if (const int error = sockets->open_announcements()) return unexpected{error};
    return sockets;
}

int LinkSockets::open_adverts(Fd kept) {
    const bool ipv4 = family_ == Family::ipv4;
    const int domain = ipv4 ? AF_INET : AF_INET6;
    if (is_usable(kept, domain, wire::protocol_vrrp, link_))
        adverts_ = std::move(kept);
    else
        adverts_.reset(::socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, wire::protocol_vrrp));
    if (!adverts_) return errno;
    const int index = static_cast<int>(link_.value);
    const bool done = set(adverts_, SOL_SOCKET, SO_BINDTOIFINDEX, index) && set(adverts_, SOL_SOCKET, SO_RXQ_OVFL, 1) &&
                      set(adverts_, SOL_SOCKET, SO_PRIORITY, queue_priority) &&
                      set(adverts_, SOL_SOCKET, SO_TIMESTAMPNS, 1) &&
                      (ipv4 ? join_ipv4(adverts_, link_) : join_ipv6(adverts_, link_));
    if (!done) return errno;
    set(adverts_, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer); // refused: the usual size will do for fewer routers
    return 0;
}

int LinkSockets::open_ah(Fd kept) {
    const bool is_kept = is_usable(kept, AF_INET, wire::protocol_ah, link_);
    if (is_kept)
        ah_ = std::move(kept);
    else
        ah_.reset(::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, wire::protocol_ah));
    if (!ah_) return errno;
    const bool done = (is_kept || filter_ah(ah_, nobody)) &&
                      set(ah_, SOL_SOCKET, SO_BINDTOIFINDEX, static_cast<int>(link_.value)) &&
                      set(ah_, SOL_SOCKET, SO_PRIORITY, queue_priority) && set(ah_, SOL_SOCKET, SO_TIMESTAMPNS, 1) &&
                      set(ah_, IPPROTO_IP, IP_HDRINCL, 1) && join_ipv4(ah_, link_);
    return done ? 0 : errno;
}

int LinkSockets::open_announcements() {
    const auto protocol = static_cast<std::uint16_t>(family_ == Family::ipv4 ? ETH_P_ARP : ETH_P_IPV6);
    // Protocol 0 receives nothing until bind, so no frame can slip in before the filter is attached.
    announcements_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!announcements_) return errno;
    set(announcements_, SOL_SOCKET, SO_PRIORITY, queue_priority);
    if (!filter_announcements(announcements_, family_)) return errno;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = static_cast<int>(link_.value);
    return ::bind(announcements_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

std::size_t LinkSockets::read_adverts(const DeliverArrived& deliver) {
    const auto kind = family_ == Family::ipv4 ? AdvertSocket::ipv4 : AdvertSocket::ipv6;
    const auto plain = receive_adverts(adverts_, kind, link_, dropped_, deliver);
    return plain + (ah_ ? receive_adverts(ah_, AdvertSocket::ipv4_ah, link_, dropped_, deliver) : 0);
}

int LinkSockets::listen_for(const engine::ListenFor& wish) {
    filter_adverts(adverts_, family_, wish.vrids); // refused: more packets come up, and the engine refuses them
    if (ah_) filter_ah(ah_, wish.vrids);
    const auto leave = [this](const IpAddress& group) {
        change_membership(adverts_, link_, group, MCAST_LEAVE_GROUP);
        if (ah_) change_membership(ah_, link_, group, MCAST_LEAVE_GROUP);
    };
    const auto before = std::exchange(groups_, wish.groups);
    for (const auto& group : before)
        if (!std::ranges::binary_search(wish.groups, group)) leave(group);
    for (const auto& group : wish.groups)
        if (!std::ranges::binary_search(before, group) &&
            (!join(adverts_, link_, group) || (ah_ && !join(ah_, link_, group))))
            return errno;
    return 0;
}

void LinkSockets::read_announcements(const Deliver& deliver) {
    std::array<std::uint8_t, frame_size> frame{};
    for (;;) {
        const auto size = ::recv(announcements_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
        if (size <= 0) return;
        const auto bytes = ByteView{frame}.first(static_cast<std::size_t>(size));
        const auto seen = family_ == Family::ipv4 ? wire::decode_arp(bytes) : wire::decode_na(bytes);
        if (seen) deliver(engine::AnnouncementSeen{link_, *seen});
    }
}

void LinkSockets::queue(engine::SendAdvert&& advert) {
    for (int i = 1; i < advert.copies; ++i)
        outgoing_.push_back(advert);
    outgoing_.push_back(std::move(advert));
}

/// How many adverts from this one on leave by the same socket with the same source, at most a batch.
std::size_t LinkSockets::same_source(std::size_t from) const {
    std::size_t count = 1;
    while (count < send_batch && from + count < outgoing_.size() &&
           outgoing_[from + count].source == outgoing_[from].source &&
           outgoing_[from + count].has_ip_header == outgoing_[from].has_ip_header &&
           outgoing_[from + count].from_mac.has_value() == outgoing_[from].from_mac.has_value())
        ++count;
    return count;
}

/// An IPv4 socket is told its source once, which spares a control message with every advert.
void LinkSockets::choose_source(const IpAddress& source) {
    if (source_ == source || family_ != Family::ipv4) return;
    ip_mreqn choice{};
    std::memcpy(&choice.imr_address, source.bytes.data(), 4);
    choice.imr_ifindex = static_cast<int>(link_.value);
    if (set(adverts_, IPPROTO_IP, IP_MULTICAST_IF, choice)) source_ = source;
}

/// By the packet socket of the link itself, so that an advert never waits for a macvlan. How many are done with.
std::size_t LinkSockets::send_frames(std::size_t from, std::size_t count) const {
    static std::array<OutgoingFrame, send_batch> slots; // loop thread only, like the receive batch
    static std::array<mmsghdr, send_batch> messages;
    for (std::size_t i = 0; i < count; ++i)
        slots[i].fill(messages[i], outgoing_[from + i]);
    const int sent = ::sendmmsg(announcements_.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 1; // the one that failed is skipped
}

void LinkSockets::flush() {
    static std::array<Outgoing, send_batch> slots; // loop thread only, like the receive batch
    static std::array<mmsghdr, send_batch> messages;
    for (std::size_t next = 0; next < outgoing_.size();) {
        const auto count = same_source(next);
        if (outgoing_[next].from_mac) {
            next += send_frames(next, count);
            continue;
        }
        const bool whole = outgoing_[next].has_ip_header;
        if (!whole) choose_source(outgoing_[next].source);
        for (std::size_t i = 0; i < count; ++i)
            slots[i].fill(messages[i], outgoing_[next + i]);
        const int sent =
            ::sendmmsg(whole ? ah_.get() : adverts_.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
        next += sent > 0 ? static_cast<std::size_t>(sent) : 1; // the one that failed is skipped
    }
    outgoing_.clear();
}

void LinkSockets::announce(const wire::Announcement& announcement) const {
    const auto frame =
        family_ == Family::ipv4 ? wire::encode_gratuitous_arp(announcement) : wire::encode_unsolicited_na(announcement);
    ::send(announcements_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
}

// ---- all of them --------------------------------------------------------------------------------------------------------

LinkSockets& PacketIo::add(LinkIndex link, Family family, std::unique_ptr<LinkSockets> sockets) {
    auto& place = sockets_[{link, family}];
    place = std::move(sockets);
    return *place;
}

const engine::ListenFor* PacketIo::wanted(LinkIndex link, Family family) const {
    const auto at = wanted_.find({link, family});
    return at == wanted_.end() ? nullptr : &at->second;
}

std::unique_ptr<LinkSockets> PacketIo::remove(LinkIndex link, Family family) {
    wanted_.erase({link, family});
    const auto at = sockets_.find({link, family});
    if (at == sockets_.end()) return nullptr;
    auto sockets = std::move(at->second);
    std::erase(waiting_, sockets.get());
    sockets_.erase(at);
    return sockets;
}

LinkSockets* PacketIo::find(LinkIndex link, Family family) {
    const auto at = sockets_.find({link, family});
    return at == sockets_.end() ? nullptr : at->second.get();
}

int PacketIo::listen_for(const engine::ListenFor& action) {
    wanted_[{action.link, action.family}] = action;
    auto* sockets = find(action.link, action.family);
    return sockets ? sockets->listen_for(action) : 0;
}

void PacketIo::queue(engine::SendAdvert&& advert) {
    auto* sockets = find(advert.link, advert.source.family);
    if (!sockets) return;
    sockets->queue(std::move(advert));
    if (std::ranges::find(waiting_, sockets) == waiting_.end()) waiting_.push_back(sockets);
}

void PacketIo::announce(const engine::Announce& announce) {
    if (auto* sockets = find(announce.link, announce.announcement.address.family))
        sockets->announce(announce.announcement);
}

void PacketIo::flush() {
    for (auto* sockets : waiting_)
        sockets->flush();
    waiting_.clear();
}

} // namespace holdfast::kernel
