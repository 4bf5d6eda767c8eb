#include "kernel/rtnl_address.hpp"

#include "base/assert.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/rtnl_message.hpp"

#include <algorithm>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

constexpr std::uint32_t for_ever = 0xffffffffU;

int address_family(Family family) {
    return family == Family::ipv4 ? AF_INET : AF_INET6;
}

void put_ip(const Message& message, int type, const IpAddress& ip) {
    const auto bytes = ip.span();
    HF_ASSERT(nla_put(message.get(), type, static_cast<int>(bytes.size()), bytes.data()) == 0);
}

Message address_message(std::uint16_t type, int flags, std::uint32_t sequence, LinkIndex link, const Prefix& prefix,
                        const std::optional<IpAddress>& peer, std::uint8_t scope = 0) {
    auto message = new_message(type, flags | NLM_F_ACK, sequence);
    ifaddrmsg header{};
    header.ifa_family = static_cast<std::uint8_t>(address_family(prefix.address.family));
    header.ifa_prefixlen = prefix.length;
    header.ifa_index = link.value;
    header.ifa_scope = scope;
    append(message.get(), header);
    put_ip(message, IFA_LOCAL, prefix.address);
    put_ip(message, IFA_ADDRESS, peer.value_or(prefix.address));
    return message;
}

std::uint32_t flags_of(const model::AddressOptions& options, bool ipv6, bool prefix_route) {
    std::uint32_t flags = prefix_route ? 0U : std::uint32_t{IFA_F_NOPREFIXROUTE};
    // Another host may still answer for the address while it leaves: waiting for duplicates would fail the takeover.
    if (ipv6 && !options.dad) flags |= IFA_F_NODAD;
    if (options.home) flags |= IFA_F_HOMEADDRESS;
    if (options.manage_temporary) flags |= IFA_F_MANAGETEMPADDR;
    if (options.autojoin) flags |= IFA_F_MCAUTOJOIN;
    return flags;
}

/// IPv6: unless it is asked for, never a source address of this host's own connections.
std::uint32_t preferred_of(const model::AddressOptions& options, bool ipv6, std::uint32_t valid) {
    if (!options.preferred) return ipv6 ? 0 : valid;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*options.preferred).count();
    return static_cast<std::uint32_t>(std::min<std::int64_t>(seconds, valid));
}

/// Add and renew are one message; only the flags of the header differ.
template <typename Put>
Bytes put_address(const Put& put, int flags, std::uint32_t sequence) {
    const auto& options = put.options;
    auto message = address_message(RTM_NEWADDR, flags, sequence, put.link, put.prefix, options.peer,
                                   options.scope.value_or(model::scope_global));
    const bool ipv6 = put.prefix.address.family == Family::ipv6;
    if (options.broadcast) put_ip(message, IFA_BROADCAST, *options.broadcast);
    if (!options.label.empty()) HF_ASSERT(nla_put_string(message.get(), IFA_LABEL, options.label.c_str()) == 0);
    HF_ASSERT(nla_put_u32(message.get(), IFA_FLAGS, flags_of(options, ipv6, put.prefix_route)) == 0);
    HF_ASSERT(nla_put_u8(message.get(), IFA_PROTO, ownership_tag) == 0);
    if (put.lease || ipv6 || options.preferred) {
        ifa_cacheinfo info{};
        info.ifa_valid = put.lease ? static_cast<std::uint32_t>(put.lease->count()) : for_ever;
        info.ifa_prefered = preferred_of(options, ipv6, info.ifa_valid);
        HF_ASSERT(nla_put(message.get(), IFA_CACHEINFO, sizeof info, &info) == 0);
    }
    return bytes_of(message);
}

std::optional<IpAddress> ip_of(const nlattr* attribute, Family family) {
    if (!attribute || static_cast<std::size_t>(nla_len(attribute)) != address_size(family)) return std::nullopt;
    return IpAddress::from(family, {static_cast<const std::uint8_t*>(nla_data(attribute)), address_size(family)});
}

using Table = std::array<nlattr*, IFA_MAX + 1>;

/// The kernel labels every IPv4 address; one without a colon is only the link's name.
engine::AddressTraits traits_of(const Table& table, const ifaddrmsg& header, const IpAddress& local) {
    if (local.family == Family::ipv6) return {};
    engine::AddressTraits traits{.label = {}, .scope = header.ifa_scope, .peer = {}, .broadcast = {}};
    if (const auto peer = ip_of(table[IFA_ADDRESS], Family::ipv4); peer && *peer != local) traits.peer = peer;
    traits.broadcast = ip_of(table[IFA_BROADCAST], Family::ipv4);
    if (const auto* label = table[IFA_LABEL]) {
        const auto* text = static_cast<const char*>(nla_data(label));
        const std::string_view all{text, strnlen(text, static_cast<std::size_t>(nla_len(label)))};
        if (all.find(':') != std::string_view::npos) traits.label = all;
    }
    return traits;
}

} // namespace

Bytes encode(const engine::AddAddress& add, std::uint32_t sequence) {
    return put_address(add, NLM_F_CREATE | NLM_F_EXCL, sequence);
}

Bytes encode(const engine::RenewAddress& renew, std::uint32_t sequence) {
    return put_address(renew, NLM_F_REPLACE, sequence);
}

Bytes encode(const engine::RemoveAddress& remove, std::uint32_t sequence) {
    return bytes_of(address_message(RTM_DELADDR, 0, sequence, remove.link, remove.prefix, remove.peer));
}

std::optional<engine::Event> decode_address(const nlmsghdr& message) {
    const auto table = attributes<ifaddrmsg, IFA_MAX>(message);
    if (!table) return std::nullopt;
    const auto* header = static_cast<const ifaddrmsg*>(nlmsg_data(&message));
    if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) return std::nullopt;
    const auto family = header->ifa_family == AF_INET ? Family::ipv4 : Family::ipv6;
    const auto local = ip_of((*table)[IFA_LOCAL] ? (*table)[IFA_LOCAL] : (*table)[IFA_ADDRESS], family);
    if (!local || header->ifa_prefixlen > full_prefix(family)) return std::nullopt;
    engine::KernelAddress address{.link = LinkIndex{header->ifa_index}, .prefix = {*local, header->ifa_prefixlen}};
    if (message.nlmsg_type == RTM_DELADDR) return engine::AddressRemoved{address.link, address.prefix};
    std::uint32_t flags = header->ifa_flags;
    if (auto* wide = (*table)[IFA_FLAGS]; wide && nla_len(wide) >= 4) flags = nla_get_u32(wide);
    if (auto* proto = (*table)[IFA_PROTO]; proto && nla_len(proto) >= 1)
        address.ours = nla_get_u8(proto) == ownership_tag;
    address.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
    address.is_duplicate = (flags & IFA_F_DADFAILED) != 0;
    if (auto* info = (*table)[IFA_CACHEINFO];
        info && static_cast<std::size_t>(nla_len(info)) >= sizeof(ifa_cacheinfo)) {
        const auto valid = static_cast<const ifa_cacheinfo*>(nla_data(info))->ifa_valid;
        if (valid != for_ever) address.lifetime = std::chrono::seconds{valid};
    }
    address.traits = traits_of(*table, *header, *local);
    return engine::AddressChanged{address};
}

} // namespace holdfast::kernel
