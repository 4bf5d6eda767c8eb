#include "kernel/packet.hpp"

#include "wire/ndisc.hpp"
#include "wire/proof.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <time.h>

namespace holdfast::kernel {
namespace {

constexpr int traffic_class = 0xc0;     ///< DSCP CS6, what routers give to their own protocols
constexpr int queue_priority = 6;       ///< the best band of pfifo_fast (tc-prio(8))
constexpr int hop_limit = 255;          ///< RFC 9568 5.1.1.3
constexpr std::size_t batch = 32;       ///< datagrams a system call, receiving
constexpr std::size_t send_batch = 256; ///< every virtual router of a link in one call
constexpr int receive_buffer = 1 << 20; ///< several masters' adverts, while we wait for a processor
constexpr Duration longest_wait =
    1ms; ///< a packet's time in our queue; more is a clock that was set, or a paused machine
constexpr std::size_t packet_size = 2048;
constexpr std::size_t control_size = 128;

template <typename T>
bool set(const Fd& fd, int level, int option, const T& value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
}

// ---- options of the advert socket ---------------------------------------------------------------------------------------

bool join_ipv4(const Fd& fd, LinkIndex link) {
    ip_mreqn group{};
    const auto address = vrrp_group(Family::ipv4);
    std::memcpy(&group.imr_multiaddr, address.bytes.data(), 4);
    group.imr_ifindex = static_cast<int>(link.value);
    return set(fd, IPPROTO_IP, IP_TOS, traffic_class) && set(fd, IPPROTO_IP, IP_TTL, hop_limit) &&
           set(fd, IPPROTO_IP, IP_MULTICAST_TTL, hop_limit) && set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) &&
           set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) && set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) &&
           set(fd, IPPROTO_IP, IP_MULTICAST_IF, group) && set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, group);
}

bool join_ipv6(const Fd& fd, LinkIndex link) {
    ipv6_mreq group{};
    const auto address = vrrp_group(Family::ipv6);
    std::memcpy(&group.ipv6mr_multiaddr, address.bytes.data(), 16);
    group.ipv6mr_interface = link.value;
    const int index = static_cast<int>(link.value);
    return set(fd, IPPROTO_IPV6, IPV6_TCLASS, traffic_class) && set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hop_limit) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hop_limit) && set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
           set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index) && set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, group);
}

// ---- filters of the announcement socket ---------------------------------------------------------------------------------

/// Received ARP whose sender announces itself: sender address equal to target address (RFC 5227 3).
constexpr std::array announced_arp{
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 5, 0, PACKET_OUTGOING},
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, 38},
    sock_filter{BPF_MISC | BPF_TAX, 0, 0, 0},
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, 28},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0},
};
/// Received neighbor advertisements: IPv6 next header ICMPv6, type 136.
constexpr std::array announced_na{
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 5, 0, PACKET_OUTGOING},
    sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, 20},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 3, IPPROTO_ICMPV6},
    sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, 54},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 136},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0},
};

/// Of the raw socket for authentication headers: an advert behind it.
constexpr std::array ah_around_vrrp{
    sock_filter{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0}, // the length of the IPv4 header
    sock_filter{BPF_LD | BPF_B | BPF_IND, 0, 0, 0},  sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wire::protocol_vrrp},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff},      sock_filter{BPF_RET | BPF_K, 0, 0, 0},
};

template <std::size_t N>
bool attach(const Fd& fd, const std::array<sock_filter, N>& code) {
    auto copy = code;
    const sock_fprog program{static_cast<unsigned short>(N), copy.data()};
    return set(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

// ---- receiving ----------------------------------------------------------------------------------------------------------

/// What the kernel tells beside a datagram.
struct Control {
    std::optional<IpAddress> destination;
    std::optional<Duration> stamp; ///< of CLOCK_REALTIME
    std::optional<int> hop_limit;
    std::optional<std::uint32_t> dropped;
};

Control read_control(msghdr& message) {
    Control result;
    for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            std::uint32_t count = 0;
            std::memcpy(&count, CMSG_DATA(c), sizeof count);
            result.dropped = count;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            timespec stamp{};
            std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            result.stamp = std::chrono::seconds{stamp.tv_sec} + Duration{stamp.tv_nsec};
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
            int limit = 0;
            std::memcpy(&limit, CMSG_DATA(c), sizeof limit);
            result.hop_limit = limit;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof info);
            result.destination =
                IpAddress::from(Family::ipv6, {reinterpret_cast<const std::uint8_t*>(&info.ipi6_addr), 16});
        }
    }
    return result;
}

IpAddress source_of(const sockaddr_storage& from) {
    if (from.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from);
        return IpAddress::from(Family::ipv4, {reinterpret_cast<const std::uint8_t*>(&v4->sin_addr), 4});
    }
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from);
    return IpAddress::from(Family::ipv6, {reinterpret_cast<const std::uint8_t*>(&v6->sin6_addr), 16});
}

engine::Event interpret(LinkIndex link, const Result<wire::Packet, wire::Reject>& packet, const IpAddress& source) {
    if (!packet) return engine::AdvertRejected{link, source, std::nullopt, packet.error()};
    const bool unicast = !packet->destination.is_multicast();
    auto advert = unicast || packet->destination == vrrp_group(source.family) ? wire::decode_signed(*packet)
                                                                              : unexpected{wire::Reject::family};
    if (!advert) return engine::AdvertRejected{link, source, wire::peek_vrid(packet->payload), advert.error()};
    return engine::AdvertReceived{link, source, std::move(advert->advert),
                                  unicast ? std::optional{packet->hop_limit} : std::nullopt, std::move(advert->proof)};
}

engine::Event interpret_ah(LinkIndex link, ByteView bytes, const IpAddress& source) {
    auto parsed = wire::parse_ah(bytes);
    if (!parsed) return engine::AdvertRejected{link, source, wire::peek_ah_vrid(bytes), parsed.error()};
    auto event = interpret(link, parsed->packet, source);
    if (auto* received = std::get_if<engine::AdvertReceived>(&event)) received->proof = std::move(parsed->proof);
    return event;
}

Duration read_clock(clockid_t which) {
    timespec now{};
    ::clock_gettime(which, &now);
    return std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec};
}

/// Kernel stamps are wall time; deadlines are not. Both clocks are read together, once for a batch.
struct Arrival {
    Duration wall{read_clock(CLOCK_REALTIME)};
    Time now{read_clock(CLOCK_MONOTONIC)};

    Time operator()(const Control& control) const {
        return now - std::clamp(wall - control.stamp.value_or(wall), Duration::zero(), longest_wait);
    }
};

/// Buffers for one batch; one set serves all sockets, they are all read on the loop thread.
struct Batch {
    std::array<std::array<std::uint8_t, packet_size>, batch> packets{};
    std::array<std::array<char, control_size>, batch> controls{};
    std::array<sockaddr_storage, batch> sources{};
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};

    int receive(int fd) {
        for (std::size_t i = 0; i < batch; ++i) {
            parts[i] = {packets[i].data(), packets[i].size()};
            auto& header = messages[i].msg_hdr;
            header = {};
            header.msg_name = &sources[i];
            header.msg_namelen = sizeof sources[i];
            header.msg_iov = &parts[i];
            header.msg_iovlen = 1;
            header.msg_control = controls[i].data();
            header.msg_controllen = control_size;
        }
        return ::recvmmsg(fd, messages.data(), batch, MSG_DONTWAIT, nullptr);
    }
    ByteView bytes(std::size_t i) const {
        return ByteView{packets[i]}.first(std::min<std::size_t>(messages[i].msg_len, packet_size));
    }
};

Batch& receive_batch() {
    static Batch instance;
    return instance;
}

} // namespace

// ---- one link and family ------------------------------------------------------------------------------------------------

Result<std::unique_ptr<LinkSockets>, int> LinkSockets::open(LinkIndex link, Family family) {
    std::unique_ptr<LinkSockets> sockets{new LinkSockets{link, family}};
    if (const int error = sockets->open_adverts()) return unexpected{error};
    if (family == Family::ipv4)
        if (const int error = sockets->open_ah()) return unexpected{error};
    if (const int error = sockets->open_announcements()) return unexpected{error};
    return sockets;
}

int LinkSockets::open_adverts() {
    const bool ipv4 = family_ == Family::ipv4;
    adverts_.reset(::socket(ipv4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, wire::protocol_vrrp));
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

int LinkSockets::open_ah() {
    ah_.reset(::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, wire::protocol_ah));
    if (!ah_) return errno;
    const bool done = attach(ah_, ah_around_vrrp) &&
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
    const bool filtered =
        family_ == Family::ipv4 ? attach(announcements_, announced_arp) : attach(announcements_, announced_na);
    if (!filtered) return errno;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = static_cast<int>(link_.value);
    return ::bind(announcements_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

std::size_t LinkSockets::read_adverts(const DeliverArrived& deliver) {
    return read_from(adverts_, deliver) + (ah_ ? read_from(ah_, deliver) : 0);
}

std::size_t LinkSockets::read_from(const Fd& socket, const DeliverArrived& deliver) {
    auto& in = receive_batch();
    std::size_t total = 0;
    for (int count = static_cast<int>(batch); count == static_cast<int>(batch);) {
        count = in.receive(socket.get());
        if (count > 0) total += static_cast<std::size_t>(count);
        const Arrival arrival;
        for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
            const auto source = source_of(in.sources[i]);
            const auto control = read_control(in.messages[i].msg_hdr);
            if (control.dropped && *control.dropped != dropped_) {
                dropped_ = *control.dropped;
                deliver(engine::QueueOverflowed{link_}, arrival(control));
            }
            if (&socket == &ah_) {
                deliver(interpret_ah(link_, in.bytes(i), source), arrival(control));
            } else if (family_ == Family::ipv4) {
                deliver(interpret(link_, wire::parse_ipv4(in.bytes(i)), source), arrival(control));
            } else {
                const wire::Packet packet{source, control.destination.value_or(IpAddress{Family::ipv6, {}}),
                                          static_cast<std::uint8_t>(control.hop_limit.value_or(0)), in.bytes(i)};
                deliver(interpret(link_, packet, source), arrival(control));
            }
        }
    }
    return total;
}

void LinkSockets::read_announcements(const Deliver& deliver) {
    std::array<std::uint8_t, packet_size> frame{};
    for (;;) {
        const auto size = ::recv(announcements_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
        if (size <= 0) return;
        const auto bytes = ByteView{frame}.first(static_cast<std::size_t>(size));
        const auto seen = family_ == Family::ipv4 ? wire::decode_arp(bytes) : wire::decode_na(bytes);
        if (seen) deliver(engine::AnnouncementSeen{link_, *seen});
    }
}

void LinkSockets::queue(const engine::SendAdvert& advert) {
    for (int i = 0; i < advert.copies; ++i)
        outgoing_.push_back(advert);
}

namespace {

/// One control message behind the others.
template <typename Value>
void add_control(msghdr& header, char* control, int level, int type, const Value& value) {
    auto* c = reinterpret_cast<cmsghdr*>(control + header.msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(c), &value, sizeof value);
    header.msg_control = control;
    header.msg_controllen += CMSG_SPACE(sizeof value);
}

/// Everything sendmmsg needs for one advert. An IPv4 socket is told source and TTL of multicast once; IPv6 has no option for
/// the source, and unicast has its own, so there they go along.
struct Outgoing {
    sockaddr_storage destination{};
    iovec part{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int))> control{};

    void fill(mmsghdr& message, const engine::SendAdvert& advert, LinkIndex link) {
        part = {const_cast<std::uint8_t*>(advert.message->data()),
                advert.message->size()}; // NOLINT: sendmsg only reads
        auto& header = message.msg_hdr;
        header = {};
        header.msg_name = &destination;
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        if (advert.source.family == Family::ipv4)
            fill_ipv4(header, advert);
        else
            fill_ipv6(header, advert, link);
    }

  private:
    void fill_ipv4(msghdr& header, const engine::SendAdvert& advert) {
        auto* to = reinterpret_cast<sockaddr_in*>(&destination);
        to->sin_family = AF_INET;
        std::memcpy(&to->sin_addr, advert.destination.bytes.data(), 4);
        header.msg_namelen = sizeof(sockaddr_in);
        if (advert.destination.is_multicast()) return;
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, advert.source.bytes.data(), 4);
        add_control(header, control.data(), IPPROTO_IP, IP_PKTINFO, info);
        if (advert.hop_limit != hop_limit)
            add_control(header, control.data(), IPPROTO_IP, IP_TTL, int{advert.hop_limit});
    }
    void fill_ipv6(msghdr& header, const engine::SendAdvert& advert, LinkIndex link) {
        auto* to = reinterpret_cast<sockaddr_in6*>(&destination);
        to->sin6_family = AF_INET6;
        const bool scoped = advert.destination.is_multicast() || advert.destination.is_link_local();
        to->sin6_scope_id = scoped ? link.value : 0;
        std::memcpy(&to->sin6_addr, advert.destination.bytes.data(), 16);
        header.msg_namelen = sizeof(sockaddr_in6);
        in6_pktinfo info{};
        info.ipi6_ifindex = link.value;
        std::memcpy(&info.ipi6_addr, advert.source.bytes.data(), 16);
        add_control(header, control.data(), IPPROTO_IPV6, IPV6_PKTINFO, info);
        if (advert.hop_limit != hop_limit)
            add_control(header, control.data(), IPPROTO_IPV6, IPV6_HOPLIMIT, int{advert.hop_limit});
    }
};

} // namespace

/// How many adverts from this one on leave by the same socket with the same source, at most a batch.
std::size_t LinkSockets::same_source(std::size_t from) const {
    std::size_t count = 1;
    while (count < send_batch && from + count < outgoing_.size() &&
           outgoing_[from + count].source == outgoing_[from].source &&
           outgoing_[from + count].has_ip_header == outgoing_[from].has_ip_header)
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

void LinkSockets::flush() {
    static std::array<Outgoing, send_batch> slots; // loop thread only, like the receive batch
    static std::array<mmsghdr, send_batch> messages;
    for (std::size_t next = 0; next < outgoing_.size();) {
        const auto count = same_source(next);
        const bool whole = outgoing_[next].has_ip_header;
        if (!whole) choose_source(outgoing_[next].source);
        for (std::size_t i = 0; i < count; ++i)
            slots[i].fill(messages[i], outgoing_[next + i], link_);
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

std::unique_ptr<LinkSockets> PacketIo::remove(LinkIndex link, Family family) {
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

void PacketIo::queue(const engine::SendAdvert& advert) {
    auto* sockets = find(advert.link, advert.source.family);
    if (!sockets) return;
    sockets->queue(advert);
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
