#include "kernel/rtnl.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"
#include "kernel/rtnl_address.hpp"
#include "kernel/rtnl_message.hpp"
#include "kernel/rtnl_route.hpp"

#include <algorithm>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

namespace holdfast::kernel {
namespace {

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

} // namespace

Bytes encode(const engine::Operation& operation, std::uint32_t sequence) {
    return std::visit(Overloaded{[&](const auto& body) { return encode(body, sequence); },
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
    case RTM_NEWROUTE:
    case RTM_DELROUTE: return decode_route(message);
    case RTM_NEWRULE:
    case RTM_DELRULE: return decode_rule(message);
    default: return std::nullopt;
    }
}

int dump_error_of(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(int))) return 0;
    return -*static_cast<const int*>(nlmsg_data(&message));
}

int error_of(const nlmsghdr& message) {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EBADMSG;
    return -static_cast<const nlmsgerr*>(nlmsg_data(&message))->error;
}

} // namespace holdfast::kernel
