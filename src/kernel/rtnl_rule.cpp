// Rules: what encode() writes, decode_rule() reads back to the same value, because the kernel tells rules apart by all of it.
#include "base/assert.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/rtnl_message.hpp"
#include "kernel/rtnl_route.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

using model::Rule;
using model::RuleAction;

constexpr std::uint32_t no_suppression = 0xffffffffU;

std::uint8_t kernel_action(RuleAction action) {
    switch (action) {
    case RuleAction::lookup: return FR_ACT_TO_TBL;
    case RuleAction::jump: return FR_ACT_GOTO;
    case RuleAction::nop: return FR_ACT_NOP;
    case RuleAction::blackhole: return FR_ACT_BLACKHOLE;
    case RuleAction::unreachable: return FR_ACT_UNREACHABLE;
    case RuleAction::prohibit: return FR_ACT_PROHIBIT;
    }
    return FR_ACT_NOP;
}

std::optional<RuleAction> action_of(std::uint8_t number) {
    for (const auto action : {RuleAction::lookup, RuleAction::jump, RuleAction::nop, RuleAction::blackhole,
                              RuleAction::unreachable, RuleAction::prohibit})
        if (kernel_action(action) == number) return action;
    return std::nullopt;
}

void put32(const Message& message, int type, std::uint32_t value) {
    HF_ASSERT(nla_put_u32(message.get(), type, value) == 0);
}
template <typename T>
void put_struct(const Message& message, int type, const T& value) {
    HF_ASSERT(nla_put(message.get(), type, sizeof value, &value) == 0);
}
void put_name(const Message& message, int type, const std::string& name) {
    if (!name.empty()) HF_ASSERT(nla_put_string(message.get(), type, name.c_str()) == 0);
}
void put_prefix(const Message& message, int type, const std::optional<Prefix>& prefix) {
    if (!prefix) return;
    const auto bytes = prefix->address.span();
    HF_ASSERT(nla_put(message.get(), type, static_cast<int>(bytes.size()), bytes.data()) == 0);
}
void put_ports(const Message& message, int type, const std::optional<model::Range>& range) {
    if (!range) return;
    put_struct(
        message, type,
        fib_rule_port_range{static_cast<std::uint16_t>(range->first), static_cast<std::uint16_t>(range->second)});
}

/// Big-endian, as tunnel keys are.
void put_tun_id(const Message& message, std::uint64_t id) {
    Bytes bytes;
    for (int shift = 56; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<std::uint8_t>(id >> shift));
    HF_ASSERT(nla_put(message.get(), FRA_TUN_ID, static_cast<int>(bytes.size()), bytes.data()) == 0);
}

void put_selectors(const Message& message, const Rule& rule) {
    put_prefix(message, FRA_SRC, rule.from);
    put_prefix(message, FRA_DST, rule.to);
    put_name(message, FRA_IIFNAME, rule.iif);
    put_name(message, FRA_OIFNAME, rule.oif);
    if (rule.fwmark) {
        put32(message, FRA_FWMARK, rule.fwmark->first);
        put32(message, FRA_FWMASK, rule.fwmark->second);
    }
    if (rule.tun_id != 0) put_tun_id(message, rule.tun_id);
    if (rule.uidrange)
        put_struct(message, FRA_UID_RANGE, fib_rule_uid_range{rule.uidrange->first, rule.uidrange->second});
    if (rule.ipproto != 0) HF_ASSERT(nla_put_u8(message.get(), FRA_IP_PROTO, rule.ipproto) == 0);
    put_ports(message, FRA_SPORT_RANGE, rule.sport);
    put_ports(message, FRA_DPORT_RANGE, rule.dport);
}

Bytes rule_message(const Rule& rule, std::uint16_t type, int flags, std::uint32_t sequence) {
    auto message = new_message(type, NLM_F_ACK | flags, sequence);
    fib_rule_hdr header{};
    header.family = rule.family == Family::ipv4 ? AF_INET : AF_INET6;
    header.src_len = rule.from ? rule.from->length : std::uint8_t{0};
    header.dst_len = rule.to ? rule.to->length : std::uint8_t{0};
    header.tos = rule.tos;
    header.action = kernel_action(rule.action);
    header.flags = rule.invert ? FIB_RULE_INVERT : 0;
    append(message.get(), header);
    put32(message, FRA_PRIORITY, rule.priority);
    HF_ASSERT(nla_put_u8(message.get(), FRA_PROTOCOL, ownership_tag) == 0);
    if (rule.table != 0) put32(message, FRA_TABLE, rule.table);
    if (rule.action == RuleAction::jump) put32(message, FRA_GOTO, rule.target);
    if (rule.l3mdev) HF_ASSERT(nla_put_u8(message.get(), FRA_L3MDEV, 1) == 0);
    put_selectors(message, rule);
    if (rule.suppress_prefixlength) put32(message, FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefixlength);
    if (rule.suppress_ifgroup) put32(message, FRA_SUPPRESS_IFGROUP, *rule.suppress_ifgroup);
    if (rule.realm) put32(message, FRA_FLOW, *rule.realm);
    return bytes_of(message);
}

// ---- decoding -----------------------------------------------------------------------------------------------------------

using Table = std::array<nlattr*, FRA_MAX + 1>;

std::optional<std::uint32_t> number_of(const Table& table, int type) {
    const auto* attribute = table[static_cast<std::size_t>(type)];
    return attribute && nla_len(attribute) >= 4 ? std::optional{nla_get_u32(attribute)} : std::nullopt;
}

std::uint8_t byte_of(const Table& table, int type) {
    const auto* attribute = table[static_cast<std::size_t>(type)];
    return attribute && nla_len(attribute) >= 1 ? nla_get_u8(attribute) : std::uint8_t{0};
}

std::string name_of(const Table& table, int type) {
    const auto* attribute = table[static_cast<std::size_t>(type)];
    if (!attribute) return {};
    const auto* text = static_cast<const char*>(nla_data(attribute));
    return {text, strnlen(text, static_cast<std::size_t>(nla_len(attribute)))};
}

std::optional<Prefix> prefix_of(const Table& table, int type, Family family, std::uint8_t length) {
    const auto* attribute = table[static_cast<std::size_t>(type)];
    if (!attribute || static_cast<std::size_t>(nla_len(attribute)) != address_size(family)) return std::nullopt;
    const auto* bytes = static_cast<const std::uint8_t*>(nla_data(attribute));
    return Prefix{IpAddress::from(family, {bytes, address_size(family)}), length};
}

template <typename T>
std::optional<model::Range> range_of(const Table& table, int type) {
    const auto* attribute = table[static_cast<std::size_t>(type)];
    if (!attribute || static_cast<std::size_t>(nla_len(attribute)) < sizeof(T)) return std::nullopt;
    const auto* range = static_cast<const T*>(nla_data(attribute));
    return model::Range{range->start, range->end};
}

std::uint64_t tun_id_of(const Table& table) {
    const auto* attribute = table[FRA_TUN_ID];
    if (!attribute || nla_len(attribute) != 8) return 0;
    std::uint64_t id = 0;
    for (int i = 0; i < 8; ++i)
        id = id << 8 | static_cast<const std::uint8_t*>(nla_data(attribute))[i];
    return id;
}

void read_selectors(const Table& table, const fib_rule_hdr& header, Rule& rule) {
    rule.from = prefix_of(table, FRA_SRC, rule.family, header.src_len);
    rule.to = prefix_of(table, FRA_DST, rule.family, header.dst_len);
    rule.iif = name_of(table, FRA_IIFNAME);
    rule.oif = name_of(table, FRA_OIFNAME);
    if (const auto mask = number_of(table, FRA_FWMASK))
        rule.fwmark = std::pair{number_of(table, FRA_FWMARK).value_or(0), *mask};
    rule.tun_id = tun_id_of(table);
    rule.uidrange = range_of<fib_rule_uid_range>(table, FRA_UID_RANGE);
    rule.ipproto = byte_of(table, FRA_IP_PROTO);
    rule.sport = range_of<fib_rule_port_range>(table, FRA_SPORT_RANGE);
    rule.dport = range_of<fib_rule_port_range>(table, FRA_DPORT_RANGE);
}

} // namespace

Bytes encode(const engine::PutRule& put, std::uint32_t sequence) {
    return rule_message(*put.rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, sequence);
}

Bytes encode(const engine::RemoveRule& remove, std::uint32_t sequence) {
    return rule_message(*remove.rule, RTM_DELRULE, 0, sequence);
}

Bytes encode_rule_dump(std::uint32_t sequence) {
    auto message = new_message(RTM_GETRULE, NLM_F_DUMP, sequence);
    append(message.get(), fib_rule_hdr{});
    return bytes_of(message);
}

std::optional<engine::Event> decode_rule(const nlmsghdr& message) {
    const auto table = attributes<fib_rule_hdr, FRA_MAX>(message);
    if (!table || byte_of(*table, FRA_PROTOCOL) != ownership_tag) return std::nullopt;
    const auto* header = static_cast<const fib_rule_hdr*>(nlmsg_data(&message));
    const auto action = action_of(header->action);
    if (!action || (header->family != AF_INET && header->family != AF_INET6)) return std::nullopt;
    Rule rule;
    rule.family = header->family == AF_INET ? Family::ipv4 : Family::ipv6;
    rule.action = *action;
    rule.tos = header->tos;
    rule.invert = (header->flags & FIB_RULE_INVERT) != 0;
    rule.priority = number_of(*table, FRA_PRIORITY).value_or(0);
    rule.table = rule.action == RuleAction::lookup ? number_of(*table, FRA_TABLE).value_or(header->table) : 0;
    rule.target = number_of(*table, FRA_GOTO).value_or(0);
    rule.l3mdev = byte_of(*table, FRA_L3MDEV) != 0;
    read_selectors(*table, *header, rule);
    const auto unless_none = [](std::optional<std::uint32_t> number) {
        return number && *number != no_suppression ? number : std::nullopt;
    };
    rule.suppress_prefixlength = unless_none(number_of(*table, FRA_SUPPRESS_PREFIXLEN));
    rule.suppress_ifgroup = unless_none(number_of(*table, FRA_SUPPRESS_IFGROUP));
    rule.realm = number_of(*table, FRA_FLOW);
    auto known = std::make_shared<const Rule>(std::move(rule));
    if (message.nlmsg_type == RTM_DELRULE) return engine::RuleRemoved{std::move(known)};
    return engine::RuleChanged{std::move(known)};
}

} // namespace holdfast::kernel
