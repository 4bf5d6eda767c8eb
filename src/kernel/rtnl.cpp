#include "kernel/rtnl.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"

#include <algorithm>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <memory>
#include <netlink/attr.h>
#include <netlink/msg.h>

namespace holdfast::kernel {
namespace {

using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

Message new_message(std::uint16_t type, int flags, std::uint32_t sequence) {
    Message message{nlmsg_alloc(), nlmsg_free};
    HF_ASSERT(message);
    HF_ASSERT(nlmsg_put(message.get(), 0, sequence, type, 0, NLM_F_REQUEST | flags));
    return message;
}

template <typename T>
void append(nl_msg* message, T header) {
    HF_ASSERT(nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO) == 0);
}

Bytes bytes_of(const Message& message) {
    const auto* header = nlmsg_hdr(message.get());
    const auto* first = reinterpret_cast<const std::uint8_t*>(header);
    Bytes out{first, first + header->nlmsg_len};
    out.resize(NLMSG_ALIGN(out.size()));
    return out;
}

int address_family(Family family) {
    return family == Family::ipv4 ? AF_INET : AF_INET6;
}

Message address_message(std::uint16_t type, int flags, std::uint32_t sequence, LinkIndex link, const Prefix& prefix) {
    auto message = new_message(type, flags | NLM_F_ACK, sequence);
    ifaddrmsg header{};
    header.ifa_family = static_cast<std::uint8_t>(address_family(prefix.address.family));
    header.ifa_prefixlen = prefix.length;
    header.ifa_index = link.value;
    append(message.get(), header);
    const auto bytes = prefix.address.span();
    const int size = static_cast<int>(bytes.size());
    HF_ASSERT(nla_put(message.get(), IFA_LOCAL, size, bytes.data()) == 0);
    HF_ASSERT(nla_put(message.get(), IFA_ADDRESS, size, bytes.data()) == 0);
    return message;
}

/// Add and renew are one message; only the flags of the header differ.
template <typename Put>
Bytes put_address(const Put& put, int flags, std::uint32_t sequence) {
    auto message = address_message(RTM_NEWADDR, flags, sequence, put.link, put.prefix);
    const bool ipv6 = put.prefix.address.family == Family::ipv6;
    std::uint32_t ifa_flags = put.prefix_route ? 0U : std::uint32_t{IFA_F_NOPREFIXROUTE};
    // Another host may still answer for the address while it leaves: waiting for duplicates would fail the takeover.
    if (ipv6) ifa_flags |= IFA_F_NODAD;
    HF_ASSERT(nla_put_u32(message.get(), IFA_FLAGS, ifa_flags) == 0);
    HF_ASSERT(nla_put_u8(message.get(), IFA_PROTO, ownership_tag) == 0);
    if (put.lease || ipv6) {
        constexpr std::uint32_t for_ever = 0xffffffffU;
        ifa_cacheinfo info{};
        info.ifa_valid = put.lease ? static_cast<std::uint32_t>(put.lease->count()) : for_ever;
        info.ifa_prefered = ipv6 ? 0 : info.ifa_valid; // IPv6: never a source address of this host's own connections
        HF_ASSERT(nla_put(message.get(), IFA_CACHEINFO, sizeof info, &info) == 0);
    }
    return bytes_of(message);
}

Bytes promote(LinkIndex link, std::uint32_t sequence) {
    auto message = new_message(RTM_SETLINK, NLM_F_ACK, sequence);
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(link.value);
    append(message.get(), header);
    auto* af_spec = nla_nest_start(message.get(), IFLA_AF_SPEC);
    auto* inet = nla_nest_start(message.get(), AF_INET);
    auto* conf = nla_nest_start(message.get(), IFLA_INET_CONF);
    HF_ASSERT(af_spec && inet && conf);
    HF_ASSERT(nla_put_u32(message.get(), IPV4_DEVCONF_PROMOTE_SECONDARIES, 1) == 0);
    nla_nest_end(message.get(), conf);
    nla_nest_end(message.get(), inet);
    nla_nest_end(message.get(), af_spec);
    return bytes_of(message);
}

// ---- decoding -----------------------------------------------------------------------------------------------------------

/// libnl's parser wants a mutable header but does not write to it.
nlmsghdr* mutable_header(const nlmsghdr& header) {
    return const_cast<nlmsghdr*>(&header); // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

template <typename Header, std::size_t Max>
std::optional<std::array<nlattr*, Max + 1>> attributes(const nlmsghdr& message) {
    std::array<nlattr*, Max + 1> table{};
    if (nlmsg_parse(mutable_header(message), sizeof(Header), table.data(), static_cast<int>(Max), nullptr) < 0)
        return std::nullopt;
    return table;
}

std::optional<engine::Event> decode_link(const nlmsghdr& message) {
    const auto table = attributes<ifinfomsg, IFLA_MAX>(message);
    if (!table) return std::nullopt;
    const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(&message));
    if (header->ifi_family != AF_UNSPEC) return std::nullopt; // bridge port details, not the link
    const LinkIndex index{static_cast<std::uint32_t>(header->ifi_index)};
    if (message.nlmsg_type == RTM_DELLINK) return engine::LinkRemoved{index};
    engine::Link link{.index = index};
    if (auto* name = (*table)[IFLA_IFNAME]) {
        const auto* text = static_cast<const char*>(nla_data(name));
        link.name.assign(text, strnlen(text, static_cast<std::size_t>(nla_len(name))));
    }
    if (auto* mtu = (*table)[IFLA_MTU]; mtu && nla_len(mtu) >= 4) link.mtu = nla_get_u32(mtu);
    if (auto* mac = (*table)[IFLA_ADDRESS]; mac && nla_len(mac) == 6)
        std::copy_n(static_cast<const std::uint8_t*>(nla_data(mac)), 6, link.mac.bytes.begin());
    link.up = (header->ifi_flags & IFF_UP) != 0 && (header->ifi_flags & IFF_LOWER_UP) != 0;
    link.has_arp = (header->ifi_flags & (IFF_NOARP | IFF_LOOPBACK)) == 0 && header->ifi_type == ARPHRD_ETHER;
    return engine::LinkChanged{std::move(link)};
}

std::optional<engine::Event> decode_address(const nlmsghdr& message) {
    const auto table = attributes<ifaddrmsg, IFA_MAX>(message);
    if (!table) return std::nullopt;
    const auto* header = static_cast<const ifaddrmsg*>(nlmsg_data(&message));
    if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) return std::nullopt;
    const auto family = header->ifa_family == AF_INET ? Family::ipv4 : Family::ipv6;
    auto* local = (*table)[IFA_LOCAL] ? (*table)[IFA_LOCAL] : (*table)[IFA_ADDRESS];
    if (!local || static_cast<std::size_t>(nla_len(local)) != address_size(family)) return std::nullopt;
    if (header->ifa_prefixlen > full_prefix(family)) return std::nullopt;
    const auto* bytes = static_cast<const std::uint8_t*>(nla_data(local));
    engine::KernelAddress address{
        .link = LinkIndex{header->ifa_index},
        .prefix = {IpAddress::from(family, {bytes, address_size(family)}), header->ifa_prefixlen}};
    if (message.nlmsg_type == RTM_DELADDR) return engine::AddressRemoved{address.link, address.prefix};
    std::uint32_t flags = header->ifa_flags;
    if (auto* wide = (*table)[IFA_FLAGS]; wide && nla_len(wide) >= 4) flags = nla_get_u32(wide);
    if (auto* proto = (*table)[IFA_PROTO]; proto && nla_len(proto) >= 1)
        address.ours = nla_get_u8(proto) == ownership_tag;
    address.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
    if (auto* info = (*table)[IFA_CACHEINFO];
        info && static_cast<std::size_t>(nla_len(info)) >= sizeof(ifa_cacheinfo)) {
        const auto valid = static_cast<const ifa_cacheinfo*>(nla_data(info))->ifa_valid;
        if (valid != 0xffffffffU) address.lifetime = std::chrono::seconds{valid};
    }
    return engine::AddressChanged{address};
}

} // namespace

Bytes encode(const engine::Operation& operation, std::uint32_t sequence) {
    return std::visit(
        Overloaded{[&](const engine::AddAddress& add) { return put_address(add, NLM_F_CREATE | NLM_F_EXCL, sequence); },
                   [&](const engine::RenewAddress& renew) { return put_address(renew, NLM_F_REPLACE, sequence); },
                   [&](const engine::RemoveAddress& remove) {
                       return bytes_of(address_message(RTM_DELADDR, 0, sequence, remove.link, remove.prefix));
                   },
                   [&](const engine::PromoteSecondaries& p) { return promote(p.link, sequence); }},
        operation.what);
}

Bytes encode_dump(std::uint16_t type, std::uint32_t sequence) {
    auto message = new_message(type, NLM_F_DUMP, sequence);
    if (type == RTM_GETLINK)
        append(message.get(), ifinfomsg{});
    else
        append(message.get(), ifaddrmsg{});
    return bytes_of(message);
}

std::optional<engine::Event> decode(const nlmsghdr& message) {
    switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: return decode_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR: return decode_address(message);
    default: return std::nullopt;
    }
}

int error_of(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EBADMSG;
    return -static_cast<const nlmsgerr*>(nlmsg_data(&message))->error;
}

} // namespace holdfast::kernel
