// The packet sockets: adverts in and out over raw IP sockets, gratuitous ARP and neighbor advertisements over AF_PACKET.
// Runs on the loop thread; nothing here blocks and nothing is interpreted beyond wire/'s decoding.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"
#include "kernel/receive.hpp"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace holdfast::kernel {

using Deliver = std::function<void(engine::Event)>;

/// Sockets of the process before us, which are in their groups still; empty where there is none.
struct KeptSockets {
    Fd adverts, ah;
};

/// The sockets of one link and family.
class LinkSockets {
  public:
    /// Opens the sockets and joins the VRRP group. What was kept is used where it is what would be opened: membership never
    /// lapsed, and the adverts of the time between wait in it. The error is an errno: EPERM without CAP_NET_RAW, ENODEV, ...
    static Result<std::unique_ptr<LinkSockets>, int> open(LinkIndex link, Family family, KeptSockets kept = {});

    int advert_fd() const { return adverts_.get(); }
    /// Adverts behind an authentication header; -1 over IPv6. Always open: one that nobody expects has to be named.
    int ah_fd() const { return ah_ ? ah_.get() : -1; }
    int announcement_fd() const { return announcements_.get(); }

    /// Adverts of other virtual routers end in the kernel from now on, and those to these groups come up as well. 0, or the
    /// errno of the group that can't be joined (ENOBUFS: net.ipv4.igmp_max_memberships).
    int listen_for(const engine::ListenFor&);
    /// Everything that waits; how many packets that was.
    std::size_t read_adverts(const DeliverArrived&);
    void read_announcements(const Deliver&);

    /// Queues; flush() sends all in one call. An advert that can't leave is lost, as on any wire.
    void queue(engine::SendAdvert&& advert);
    void flush();
    void announce(const wire::Announcement&) const;

  private:
    LinkSockets(LinkIndex link, Family family) : link_{link}, family_{family} {}
    int open_adverts(Fd kept);
    int open_ah(Fd kept);
    int open_announcements();
    std::size_t same_source(std::size_t from) const;
    std::size_t send_frames(std::size_t from, std::size_t count) const;
    void choose_source(const IpAddress& source);

    LinkIndex link_;
    Family family_;
    Fd adverts_;
    Fd ah_;
    Fd announcements_;
    std::vector<engine::SendAdvert> outgoing_;
    std::vector<IpAddress> groups_;   ///< joined besides VRRP's own, which is never left
    std::optional<IpAddress> source_; ///< of what leaves, as the socket was told
    std::uint32_t dropped_{0};        ///< the kernel's count of lost packets (SO_RXQ_OVFL)
};

/// All of them, by link and family.
class PacketIo {
  public:
    LinkSockets& add(LinkIndex link, Family family, std::unique_ptr<LinkSockets> sockets);
    /// What sockets of this link are to listen for: told before they were open, or since.
    const engine::ListenFor* wanted(LinkIndex link, Family family) const;
    /// Gives the sockets back, for closing elsewhere; null when there are none.
    std::unique_ptr<LinkSockets> remove(LinkIndex link, Family family);
    LinkSockets* find(LinkIndex link, Family family);

    /// 0 or an errno, as of the sockets.
    int listen_for(const engine::ListenFor&);
    void queue(engine::SendAdvert&& advert);
    void announce(const engine::Announce& announce);
    void flush();

  private:
    std::map<std::pair<LinkIndex, Family>, std::unique_ptr<LinkSockets>> sockets_;
    std::map<std::pair<LinkIndex, Family>, engine::ListenFor> wanted_;
    std::vector<LinkSockets*> waiting_; ///< with something queued
};

} // namespace holdfast::kernel
