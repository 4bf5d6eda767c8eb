#include "kernel/rtnl_link.hpp"

#include "kernel/rtnl_message.hpp"

#include <algorithm>
#include <cstring>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <string_view>
#include <utility>

namespace holdfast::kernel {
namespace {

Message link_message(std::uint16_t type, int flags, std::uint32_t sequence, LinkIndex link, unsigned up = 0,
                     unsigned change = 0) {
    auto message = new_message(type, flags | NLM_F_ACK, sequence);
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(link.value);
    header.ifi_flags = up;
    header.ifi_change = change;
    append(message.get(), header);
    return message;
}

void put_text(const Message& message, int type, const std::string& text) {
    HF_ASSERT(nla_put_string(message.get(), type, text.c_str()) == 0);
}

void put_settings(const Message& message, std::initializer_list<std::pair<int, std::uint32_t>> settings) {
    const Nest inet{message, AF_INET};
    const Nest conf{message, IFLA_INET_CONF};
    for (const auto& [which, value] : settings)
        HF_ASSERT(nla_put_u32(message.get(), which, value) == 0);
}

std::uint16_t flags_of(model::IpvlanMode mode) {
    switch (mode) {
    case model::IpvlanMode::bridge: return 0;
    case model::IpvlanMode::private_: return IPVLAN_F_PRIVATE;
    case model::IpvlanMode::vepa: return IPVLAN_F_VEPA;
    }
    return 0;
}

Bytes put_ipv4_settings(LinkIndex link, std::uint32_t sequence,
                        std::initializer_list<std::pair<int, std::uint32_t>> settings) {
    const auto message = link_message(RTM_SETLINK, 0, sequence, link);
    {
        const Nest af_spec{message, IFLA_AF_SPEC};
        put_settings(message, settings);
    }
    return bytes_of(message);
}

} // namespace

Bytes encode(const engine::AddLink& add, std::uint32_t sequence) {
    const auto message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, LinkIndex{});
    put_text(message, IFLA_IFNAME, add.name);
    HF_ASSERT(nla_put_u32(message.get(), IFLA_LINK, add.parent.value) == 0);
    if (!add.ipvlan) HF_ASSERT(nla_put(message.get(), IFLA_ADDRESS, 6, add.mac.bytes.data()) == 0);
    HF_ASSERT(nla_put_u32(message.get(), IFLA_GROUP, link_group) == 0);
    {
        const Nest info{message, IFLA_LINKINFO};
        put_text(message, IFLA_INFO_KIND, add.ipvlan ? "ipvlan" : "macvlan");
        const Nest data{message, IFLA_INFO_DATA};
        if (add.ipvlan) {
            HF_ASSERT(nla_put_u16(message.get(), IFLA_IPVLAN_MODE, IPVLAN_MODE_L2) == 0);
            HF_ASSERT(nla_put_u16(message.get(), IFLA_IPVLAN_FLAGS, flags_of(*add.ipvlan)) == 0);
        } else {
            HF_ASSERT(nla_put_u32(message.get(), IFLA_MACVLAN_MODE, MACVLAN_MODE_VEPA) == 0);
        }
    }
    return bytes_of(message);
}

Bytes encode(const engine::ConfigureLink& configure, std::uint32_t sequence) {
    const auto message = link_message(RTM_SETLINK, 0, sequence, configure.link);
    put_text(message, IFLA_IFALIAS, configure.alias);
    {
        const Nest af_spec{message, IFLA_AF_SPEC};
        const auto& ipv4 = configure.ipv4;
        put_settings(message, {{IPV4_DEVCONF_ARP_IGNORE, ipv4.arp.arp_ignore},
                               {IPV4_DEVCONF_ARPFILTER, ipv4.arp.arp_filter},
                               {IPV4_DEVCONF_ARP_ANNOUNCE, ipv4.arp.arp_announce},
                               {IPV4_DEVCONF_ACCEPT_LOCAL, ipv4.accept_local},
                               {IPV4_DEVCONF_RP_FILTER, ipv4.rp_filter},
                               {IPV4_DEVCONF_PROMOTE_SECONDARIES, ipv4.promote_secondaries}});
        if (configure.has_ipv6) {
            const Nest inet6{message, AF_INET6};
            HF_ASSERT(nla_put_u8(message.get(), IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) == 0);
        }
    }
    return bytes_of(message);
}

Bytes encode(const engine::SetLinkUp& set, std::uint32_t sequence) {
    return bytes_of(link_message(RTM_SETLINK, 0, sequence, set.link, set.up ? IFF_UP : 0, IFF_UP));
}

Bytes encode(const engine::RemoveLink& remove, std::uint32_t sequence) {
    return bytes_of(link_message(RTM_DELLINK, 0, sequence, remove.link));
}

Bytes encode(const engine::SetArp& set, std::uint32_t sequence) {
    return put_ipv4_settings(set.link, sequence,
                             {{IPV4_DEVCONF_ARP_IGNORE, set.arp.arp_ignore},
                              {IPV4_DEVCONF_ARPFILTER, set.arp.arp_filter},
                              {IPV4_DEVCONF_ARP_ANNOUNCE, set.arp.arp_announce}});
}

Bytes encode(const engine::PromoteSecondaries& promote, std::uint32_t sequence) {
    return put_ipv4_settings(promote.link, sequence, {{IPV4_DEVCONF_PROMOTE_SECONDARIES, 1}});
}

// ---- decoding -----------------------------------------------------------------------------------------------------------

namespace {

std::string text_of(const nlattr* attribute) {
    const auto* text = static_cast<const char*>(nla_data(attribute));
    return {text, strnlen(text, static_cast<std::size_t>(nla_len(attribute)))};
}

/// The kernel gives IFLA_INET_CONF as an array without gaps, counted from 1.
void read_ipv4_settings(const nlattr* conf, engine::Ipv4Settings& settings) {
    const auto* values = static_cast<const std::uint8_t*>(nla_data(conf));
    const auto count = static_cast<std::size_t>(nla_len(conf)) / sizeof(std::uint32_t);
    const auto value = [&](std::size_t which) -> std::uint8_t {
        std::uint32_t number = 0;
        if (which <= count) std::memcpy(&number, values + (which - 1) * sizeof number, sizeof number);
        return static_cast<std::uint8_t>(std::min<std::uint32_t>(number, 0xff));
    };
    settings = {.arp = {.arp_ignore = value(IPV4_DEVCONF_ARP_IGNORE),
                        .arp_filter = value(IPV4_DEVCONF_ARPFILTER),
                        .arp_announce = value(IPV4_DEVCONF_ARP_ANNOUNCE)},
                .accept_local = value(IPV4_DEVCONF_ACCEPT_LOCAL),
                .rp_filter = value(IPV4_DEVCONF_RP_FILTER),
                .promote_secondaries = value(IPV4_DEVCONF_PROMOTE_SECONDARIES)};
}

const nlattr* find_inside(const nlattr* outer, int type) {
    return nla_find(static_cast<const nlattr*>(nla_data(outer)), nla_len(outer), type);
}

void read_settings(const nlattr* af_spec, engine::Link& link) {
    if (const auto* inet = find_inside(af_spec, AF_INET))
        if (const auto* conf = find_inside(inet, IFLA_INET_CONF)) read_ipv4_settings(conf, link.ipv4);
    const auto* inet6 = find_inside(af_spec, AF_INET6);
    const auto* mode = inet6 ? find_inside(inet6, IFLA_INET6_ADDR_GEN_MODE) : nullptr;
    if (mode && nla_len(mode) >= 1) link.makes_ipv6_addresses = nla_get_u8(mode) != IN6_ADDR_GEN_MODE_NONE;
}

model::IpvlanMode ipvlan_mode(const nlattr* info) {
    const auto* data = find_inside(info, IFLA_INFO_DATA);
    const auto* flags = data ? find_inside(data, IFLA_IPVLAN_FLAGS) : nullptr;
    const auto number = flags && nla_len(flags) >= 2 ? nla_get_u16(flags) : 0;
    for (const auto mode : {model::IpvlanMode::private_, model::IpvlanMode::vepa})
        if ((number & flags_of(mode)) != 0) return mode;
    return model::IpvlanMode::bridge;
}

void read_ours(const std::array<nlattr*, IFLA_MAX + 1>& table, engine::Link& link) {
    const auto number = [&](std::size_t which) {
        return table[which] && nla_len(table[which]) >= 4 ? nla_get_u32(table[which]) : 0;
    };
    const auto* info = table[IFLA_LINKINFO];
    if (number(IFLA_GROUP) != link_group || !info) return;
    const auto* attribute = find_inside(info, IFLA_INFO_KIND);
    const auto kind = attribute ? text_of(attribute) : std::string{};
    link.ours = kind == "macvlan" || kind == "ipvlan";
    if (!link.ours) return;
    if (kind == "ipvlan") link.ipvlan = ipvlan_mode(info);
    link.parent = LinkIndex{number(IFLA_LINK)};
    if (table[IFLA_IFALIAS]) link.alias = text_of(table[IFLA_IFALIAS]);
}

} // namespace

std::optional<engine::Event> decode_link(const nlmsghdr& message) {
    const auto table = attributes<ifinfomsg, IFLA_MAX>(message);
    if (!table) return std::nullopt;
    const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(&message));
    if (header->ifi_family != AF_UNSPEC) return std::nullopt; // bridge port details, not the link
    const LinkIndex index{static_cast<std::uint32_t>(header->ifi_index)};
    if (message.nlmsg_type == RTM_DELLINK) return engine::LinkRemoved{index};
    engine::Link link{.index = index};
    if (const auto* name = (*table)[IFLA_IFNAME]) link.name = text_of(name);
    if (auto* mtu = (*table)[IFLA_MTU]; mtu && nla_len(mtu) >= 4) link.mtu = nla_get_u32(mtu);
    if (auto* mac = (*table)[IFLA_ADDRESS]; mac && nla_len(mac) == 6)
        std::copy_n(static_cast<const std::uint8_t*>(nla_data(mac)), 6, link.mac.bytes.begin());
    link.admin_up = (header->ifi_flags & IFF_UP) != 0;
    link.up = link.admin_up && (header->ifi_flags & IFF_LOWER_UP) != 0;
    link.has_arp = (header->ifi_flags & (IFF_NOARP | IFF_LOOPBACK)) == 0 && header->ifi_type == ARPHRD_ETHER;
    if ((*table)[IFLA_AF_SPEC]) read_settings((*table)[IFLA_AF_SPEC], link);
    read_ours(*table, link);
    return engine::LinkChanged{std::move(link)};
}

} // namespace holdfast::kernel
