#include "kernel/rtnl.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"
#include "kernel/rtnl_link.hpp"
#include "kernel/rtnl_message.hpp"

#include <algorithm>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace holdfast::kernel {
namespace {

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

// ---- decoding -----------------------------------------------------------------------------------------------------------

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
                   [&](const auto& link) { return encode(link, sequence); }},
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
