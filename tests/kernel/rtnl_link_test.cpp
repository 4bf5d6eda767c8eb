// The messages about links, byte by byte, and what is read from the kernel's own.

#include "kernel/rtnl_link.hpp"

#include "engine/link_plan.hpp"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace holdfast::kernel {
namespace {

const MacAddress mac{{0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}};

std::string text(const char* word) {
    return {word, std::char_traits<char>::length(word) + 1};
}
void append(Bytes& out, const std::string& word) {
    out.insert(out.end(), word.begin(), word.end());
    out.resize((out.size() + 3) & ~std::size_t{3});
}
/// Little-endian numbers of a native message, as the machines of the lab have them.
void put_native(Bytes& out, std::initializer_list<std::uint16_t> words) {
    for (const auto word : words) {
        out.push_back(static_cast<std::uint8_t>(word));
        out.push_back(static_cast<std::uint8_t>(word >> 8));
    }
}
Bytes header(std::uint16_t size, std::uint16_t type, std::uint16_t flags, std::uint16_t link, std::uint16_t up = 0,
             std::uint16_t change = 0) {
    Bytes out;
    put_native(out, {size, 0, type, flags, 77, 0, 0, 0}); // sequence 77
    put_native(out, {0, 0, link, 0, up, 0, change, 0});
    return out;
}

TEST(AddLink, MakesATaggedMacvlanInVepaMode) {
    auto expected = header(100, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
    put_native(expected, {12, IFLA_IFNAME});
    append(expected, text("vrrp.51"));
    put_native(expected, {8, IFLA_LINK, 2, 0, 10, IFLA_ADDRESS, 0x0000, 0x005e, 0x3301, 0});
    put_native(expected, {8, IFLA_GROUP, 112, 0});
    put_native(expected, {28, IFLA_LINKINFO | NLA_F_NESTED, 12, IFLA_INFO_KIND});
    append(expected, text("macvlan"));
    put_native(expected, {12, IFLA_INFO_DATA | NLA_F_NESTED, 8, IFLA_MACVLAN_MODE, MACVLAN_MODE_VEPA, 0});
    EXPECT_EQ(encode(engine::AddLink{"vrrp.51", LinkIndex{2}, mac}, 77), expected);
}

TEST(AddLink, MakesATaggedIpvlanOfLayer2WithoutAMacAddress) {
    auto expected = header(96, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
    put_native(expected, {12, IFLA_IFNAME});
    append(expected, text("vrrp.51"));
    put_native(expected, {8, IFLA_LINK, 2, 0});
    put_native(expected, {8, IFLA_GROUP, 112, 0});
    put_native(expected, {36, IFLA_LINKINFO | NLA_F_NESTED, 11, IFLA_INFO_KIND});
    append(expected, text("ipvlan"));
    put_native(expected, {20, IFLA_INFO_DATA | NLA_F_NESTED, 6, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2, 0});
    put_native(expected, {6, IFLA_IPVLAN_FLAGS, IPVLAN_F_VEPA, 0});
    EXPECT_EQ(encode(engine::AddLink{"vrrp.51", LinkIndex{2}, {}, model::IpvlanMode::vepa}, 77), expected);
}

TEST(ConfigureLink, SetsAliasSettingsAndNoIpv6AddressInOneMessage) {
    auto expected = header(120, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 7);
    put_native(expected, {13, IFLA_IFALIAS});
    append(expected, text("holdfast"));
    put_native(expected,
               {72, IFLA_AF_SPEC | NLA_F_NESTED, 56, AF_INET | NLA_F_NESTED, 52, IFLA_INET_CONF | NLA_F_NESTED});
    put_native(expected, {8, IPV4_DEVCONF_ARP_IGNORE, 1, 0, 8, IPV4_DEVCONF_ARPFILTER, 0, 0});
    put_native(expected, {8, IPV4_DEVCONF_ARP_ANNOUNCE, 2, 0, 8, IPV4_DEVCONF_ACCEPT_LOCAL, 1, 0});
    put_native(expected, {8, IPV4_DEVCONF_RP_FILTER, 2, 0, 8, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1, 0});
    put_native(expected, {12, AF_INET6 | NLA_F_NESTED, 5, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE, 0});
    EXPECT_EQ(encode(engine::ConfigureLink{LinkIndex{7}, "holdfast", engine::macvlan_settings, true}, 77), expected);
    const auto without = encode(engine::ConfigureLink{LinkIndex{7}, "holdfast", engine::macvlan_settings, false}, 77);
    EXPECT_EQ(without.size(), expected.size() - 12);
}

TEST(SetArp, ChangesTheParentsThreeSettingsAlone) {
    auto expected = header(68, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 2);
    put_native(expected,
               {36, IFLA_AF_SPEC | NLA_F_NESTED, 32, AF_INET | NLA_F_NESTED, 28, IFLA_INET_CONF | NLA_F_NESTED});
    put_native(expected, {8, IPV4_DEVCONF_ARP_IGNORE, 1, 0, 8, IPV4_DEVCONF_ARPFILTER, 1, 0});
    put_native(expected, {8, IPV4_DEVCONF_ARP_ANNOUNCE, 2, 0});
    EXPECT_EQ(encode(engine::SetArp{LinkIndex{2}, {1, 1, 2}}, 77), expected);
}

TEST(SetLinkUp, ChangesOneFlagAlone) {
    EXPECT_EQ(encode(engine::SetLinkUp{LinkIndex{7}, true}, 77),
              header(32, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 7, IFF_UP, IFF_UP));
    EXPECT_EQ(encode(engine::SetLinkUp{LinkIndex{7}, false}, 77),
              header(32, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 7, 0, IFF_UP));
}

// ---- what the kernel tells --------------------------------------------------------------------------------------------------

engine::Link told(const Bytes& message) {
    const auto event = decode_link(*reinterpret_cast<const nlmsghdr*>(message.data()));
    const auto* changed = event ? std::get_if<engine::LinkChanged>(&*event) : nullptr;
    return changed ? changed->link : engine::Link{};
}

TEST(DecodeLink, KnowsOursByKindAndTag) {
    const auto made = told(encode(engine::AddLink{"vrrp.51", LinkIndex{2}, mac}, 77));
    EXPECT_TRUE(made.ours);
    EXPECT_EQ(made.name, "vrrp.51");
    EXPECT_EQ(made.parent, LinkIndex{2});
    EXPECT_EQ(made.mac, mac);
    EXPECT_FALSE(made.admin_up);
    auto other_group = encode(engine::AddLink{"vrrp.51", LinkIndex{2}, mac}, 77);
    other_group[32 + 12 + 8 + 12 + 4] = 0;
    EXPECT_FALSE(told(other_group).ours);
    auto other_kind = encode(engine::AddLink{"vrrp.51", LinkIndex{2}, mac}, 77);
    other_kind[other_kind.size() - 12 - 8] = 'i';
    EXPECT_FALSE(told(other_kind).ours);
}

TEST(DecodeLink, KnowsAnIpvlanOfOursAndItsMode) {
    using model::IpvlanMode;
    for (const auto mode : {IpvlanMode::bridge, IpvlanMode::private_, IpvlanMode::vepa}) {
        const auto made = told(encode(engine::AddLink{"vrrp.51", LinkIndex{2}, {}, mode}, 77));
        EXPECT_TRUE(made.ours);
        EXPECT_EQ(made.parent, LinkIndex{2});
        EXPECT_EQ(made.ipvlan, mode);
    }
    EXPECT_FALSE(told(encode(engine::AddLink{"vrrp.51", LinkIndex{2}, mac}, 77)).ipvlan);
}

TEST(DecodeLink, ReadsTheSettingsOfAKernelArrayHoweverShort) {
    auto message = header(60, RTM_NEWLINK, 0, 2, IFF_UP);
    put_native(message,
               {28, IFLA_AF_SPEC | NLA_F_NESTED, 24, AF_INET | NLA_F_NESTED, 20, IFLA_INET_CONF | NLA_F_NESTED});
    put_native(message, {1, 0, 0, 0, 0, 0, 0, 0}); // the first four of the array: all older than ours
    message.resize(60);
    EXPECT_EQ(told(message).ipv4, engine::Ipv4Settings{});
    EXPECT_TRUE(told(message).admin_up);
    EXPECT_FALSE(told(message).makes_ipv6_addresses);
}

TEST(RemoveLink, NamesItByItsNumber) {
    EXPECT_EQ(encode(engine::RemoveLink{LinkIndex{7}}, 77), header(32, RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 7));
}

} // namespace
} // namespace holdfast::kernel
