// What the load balancer answers: messages of Linux 6.1 as they came, and what is wrong with them.

#include "kernel/ipvs_reply.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <linux/ip_vs.h>

namespace holdfast::kernel {
namespace {

Bytes from_hex(std::string_view text) {
    Bytes out;
    int digits = 0;
    for (const char c : text) {
        if (c == ' ' || c == '\n') continue;
        const auto digit = static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
        if (digits++ % 2 == 0)
            put8(out, digit << 4);
        else
            out.back() = static_cast<std::uint8_t>(out.back() | digit);
    }
    return out;
}

/// `ipvsadm -A -t 192.0.2.10:80 -s mh -p 300 -M 255.255.255.0 -b mh-port`
constexpr auto service_hex = R"(
40010000 23000200 07000000 a3030000 01010000 2c010100 06000100 02000000
06000200 06000000 14000300 c000020a 00000000 00000000 00000000 06000400
00500000 07000600 6d680000 0c000700 13000000 ffffffff 08000800 2c010000
08000900 ffffff00 5c000a00 08000100 00000000 08000200 00000000 08000300
00000000 0c000400 00000000 00000000 0c000500 00000000 00000000 08000600
00000000 08000700 00000000 08000800 00000000 08000900 00000000 08000a00
00000000 7c000c00 0c000100 00000000 00000000 0c000200 00000000 00000000
0c000300 00000000 00000000 0c000400 00000000 00000000 0c000500 00000000
00000000 0c000600 00000000 00000000 0c000700 00000000 00000000 0c000800
00000000 00000000 0c000900 00000000 00000000 0c000a00 00000000 00000000
)";
/// `ipvsadm -A -f 7 -6 -s rr -p 60 -M 64`
constexpr auto mark_hex = R"(
24010000 23000200 07000000 a3030000 01010000 10010100 06000100 0a000000
08000500 07000000 07000600 72720000 0c000700 03000000 ffffffff 08000800
3c000000 08000900 40000000 5c000a00 08000100 00000000 08000200 00000000
08000300 00000000 0c000400 00000000 00000000 0c000500 00000000 00000000
08000600 00000000 08000700 00000000 08000800 00000000 08000900 00000000
08000a00 00000000 7c000c00 0c000100 00000000 00000000 0c000200 00000000
00000000 0c000300 00000000 00000000 0c000400 00000000 00000000 0c000500
00000000 00000000 0c000600 00000000 00000000 0c000700 00000000 00000000
0c000800 00000000 00000000 0c000900 00000000 00000000 0c000a00 00000000
00000000
)";
/// `ipvsadm -a ... -r 10.77.0.21:80 -i -w 3 -x 1000 -y 900 --tun-type gue --tun-port 6080 --tun-remcsum`
constexpr auto destination_hex = R"(
64010000 23000200 07000000 a3030000 05010000 50010200 14000100 0a4d0015
00000000 00000000 00000000 06000200 00500000 08000300 02000000 08000400
03000000 05000d00 01000000 06000e00 17c00000 06000f00 02000000 08000500
e8030000 08000600 84030000 08000700 00000000 08000800 00000000 08000900
00000000 06000b00 02000000 5c000a00 08000100 00000000 08000200 00000000
08000300 00000000 0c000400 00000000 00000000 0c000500 00000000 00000000
08000600 00000000 08000700 00000000 08000800 00000000 08000900 00000000
08000a00 00000000 7c000c00 0c000100 00000000 00000000 0c000200 00000000
00000000 0c000300 00000000 00000000 0c000400 00000000 00000000 0c000500
00000000 00000000 0c000600 00000000 00000000 0c000700 00000000 00000000
0c000800 00000000 00000000 0c000900 00000000 00000000 0c000a00 00000000
00000000
)";
/// `ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 51 --mcast-group ff02::82`
constexpr auto sync_hex = R"(
60000000 23000000 07000000 a3030000 09010000 4c000300 08000100 02000000
09000200 65746830 00000000 08000300 33000000 06000400 ac050000 06000700
90220000 05000800 01000000 14000600 ff020000 00000000 00000000 00000082
)";
constexpr auto timeouts_hex = R"(
2c000000 23000000 07000000 a3030000 0c010000 08000400 84030000 08000500
78000000 08000600 2c010000
)";
/// The beginning of the answer to CTRL_CMD_GETFAMILY; its list of commands is cut off.
constexpr auto family_hex = R"(
40000000 10000000 07000000 a3030000 01020000 09000200 49505653 00000000
06000100 23000000 08000300 01000000 08000400 00000000 08000500 06000000
)";

constexpr std::size_t headers = 20, outer = 4; // in bytes: struct nlmsghdr and genlmsghdr; an attribute's header

/// The whole message in bytes that nothing follows, so that reading on would be seen.
class Reply {
  public:
    explicit Reply(std::string_view hex) : bytes_{from_hex(hex)} {}

    GenericMessage message() const {
        return generic_message(*reinterpret_cast<const nlmsghdr*>(bytes_.data())).value();
    }
    Bytes& bytes() { return bytes_; }
    /// The value of attribute `type` inside the one attribute that the message has.
    std::uint8_t* value(std::uint16_t type) { return bytes_.data() + at(type) + outer; }
    /// Replaces an attribute; `length` says how much of `value` it claims to have.
    void set(std::uint16_t type, const Bytes& value, std::optional<std::size_t> length = {}) {
        const auto from = at(type);
        std::uint16_t old = 0;
        std::memcpy(&old, bytes_.data() + from, sizeof old);
        const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(from);
        bytes_.erase(begin, begin + static_cast<std::ptrdiff_t>((old + 3U) & ~3U));
        Bytes fresh(outer);
        const auto claim = static_cast<std::uint16_t>(outer + length.value_or(value.size()));
        std::memcpy(fresh.data(), &claim, sizeof claim);
        std::memcpy(fresh.data() + 2, &type, sizeof type);
        put(fresh, value);
        fresh.resize((fresh.size() + 3U) & ~std::size_t{3});
        bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(from), fresh.begin(), fresh.end());
        measure();
    }
    void remove(std::uint16_t type) {
        set(type, {});
        const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(at(type));
        bytes_.erase(from, from + static_cast<std::ptrdiff_t>(outer));
        measure();
    }

  private:
    std::size_t at(std::uint16_t type) const {
        for (std::size_t i = headers + outer; i + outer <= bytes_.size();) {
            std::uint16_t length = 0, found = 0;
            std::memcpy(&length, bytes_.data() + i, sizeof length);
            std::memcpy(&found, bytes_.data() + i + 2, sizeof found);
            if (found == type) return i;
            i += (length + 3U) & ~std::size_t{3};
        }
        throw std::out_of_range{"no such attribute"};
    }
    /// The two lengths that are about the whole.
    void measure() {
        const auto all = static_cast<std::uint32_t>(bytes_.size());
        const auto nested = static_cast<std::uint16_t>(bytes_.size() - headers);
        std::memcpy(bytes_.data(), &all, sizeof all);
        std::memcpy(bytes_.data() + headers, &nested, sizeof nested);
    }
    Bytes bytes_;
};

std::optional<engine::IpvsListedService> service(Reply& reply) {
    return decode_service(reply.message());
}
std::optional<engine::IpvsListedDestination> destination(Reply& reply) {
    return decode_destination(reply.message(), Family::ipv4);
}

TEST(IpvsReply, IsAServiceWithoutTheKernelsOwnFlags) {
    Reply reply{service_hex};
    const auto listed = service(reply);
    ASSERT_TRUE(listed);
    EXPECT_EQ(to_string(listed->service.key), "tcp 192.0.2.10:80");
    EXPECT_EQ(listed->service.scheduler, "mh");
    EXPECT_EQ(listed->service.flags, engine::ipvs_persistent | 0x10U);
    EXPECT_EQ(listed->service.timeout, 300U);
    EXPECT_EQ(listed->service.prefix_length, 24);
    EXPECT_EQ(listed->service.engine, "");
    EXPECT_TRUE(listed->destinations.empty());
}

TEST(IpvsReply, IsAServiceOfAMarkAndNothingElse) {
    Reply reply{mark_hex};
    const auto listed = service(reply);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->service.key, (model::ServiceKey{.family = Family::ipv6, .mark = 7}));
    EXPECT_EQ(listed->service.prefix_length, 64);
}

TEST(IpvsReply, IsADestinationBehindATunnel) {
    Reply reply{destination_hex};
    const auto listed = destination(reply);
    ASSERT_TRUE(listed);
    const engine::IpvsDestination wanted{.at = {IpAddress::v4(10, 77, 0, 21), 80},
                                         .forwarding = {model::Forwarding::Method::tunnel,
                                                        {model::TunnelKind::gue, 6080, model::TunnelChecksum::remote}},
                                         .weight = 3,
                                         .upper_threshold = 1000,
                                         .lower_threshold = 900};
    EXPECT_EQ(listed->destination, wanted);
}

TEST(IpvsReply, HasTheConnectionsOfADestination) {
    Reply reply{destination_hex};
    *reply.value(IPVS_DEST_ATTR_ACTIVE_CONNS) = 1;
    *reply.value(IPVS_DEST_ATTR_INACT_CONNS) = 2;
    *reply.value(IPVS_DEST_ATTR_PERSIST_CONNS) = 3;
    const auto listed = destination(reply);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->active, 1U);
    EXPECT_EQ(listed->inactive, 2U);
    EXPECT_EQ(listed->persistent, 3U);
}

TEST(IpvsReply, SaysNothingOfTheTunnelThatADestinationHadBefore) {
    Reply reply{destination_hex};
    *reply.value(IPVS_DEST_ATTR_FWD_METHOD) = IP_VS_CONN_F_MASQ;
    EXPECT_EQ(destination(reply)->destination.forwarding, (model::Forwarding{}));
}

TEST(IpvsReply, CallsTheLocalNodeDr) {
    Reply reply{destination_hex};
    *reply.value(IPVS_DEST_ATTR_FWD_METHOD) = IP_VS_CONN_F_LOCALNODE;
    EXPECT_EQ(destination(reply)->destination.forwarding.method, model::Forwarding::Method::dr);
}

TEST(IpvsReply, OfAnOldKernelHasTheServicesFamilyAndPlainTunnels) {
    Reply reply{destination_hex};
    for (const auto type : {IPVS_DEST_ATTR_ADDR_FAMILY, IPVS_DEST_ATTR_TUN_TYPE, IPVS_DEST_ATTR_TUN_PORT,
                            IPVS_DEST_ATTR_TUN_FLAGS, IPVS_DEST_ATTR_STATS64})
        reply.remove(static_cast<std::uint16_t>(type));
    const auto listed = destination(reply);
    ASSERT_TRUE(listed);
    EXPECT_EQ(to_string(listed->destination.at.address), "10.77.0.21");
    EXPECT_EQ(listed->destination.forwarding.tunnel, model::Tunnel{});
    EXPECT_EQ(decode_destination(reply.message(), Family::ipv6)->destination.at.address.family, Family::ipv6);
}

TEST(IpvsReply, HasTheWideCountersAndWithoutThemTheNarrow) {
    Reply reply{service_hex};
    // Ten of 64 bits behind a header of 4 each; ten of which the two about bytes are wide.
    for (std::uint8_t i = 0; i < 10; ++i)
        reply.value(IPVS_SVC_ATTR_STATS64)[i * 12U + 4] = i, reply.value(IPVS_SVC_ATTR_STATS64)[i * 12U + 9] = 1;
    constexpr std::uint64_t wide = std::uint64_t{1} << 40;
    const engine::IpvsStatistics many{wide,     wide + 1, wide + 2, wide + 3, wide + 4,
                                      wide + 5, wide + 6, wide + 7, wide + 8, wide + 9};
    EXPECT_EQ(service(reply)->statistics, many);
    reply.remove(IPVS_SVC_ATTR_STATS64);
    EXPECT_EQ(service(reply)->statistics, engine::IpvsStatistics{});
    reply.value(IPVS_SVC_ATTR_STATS)[4] = 5;
    reply.value(IPVS_SVC_ATTR_STATS)[29] = 1; // bytes in
    EXPECT_EQ(service(reply)->statistics.connections, 5U);
    EXPECT_EQ(service(reply)->statistics.bytes_in, 256U);
    reply.remove(IPVS_SVC_ATTR_STATS);
    EXPECT_EQ(service(reply)->statistics, engine::IpvsStatistics{});
}

TEST(IpvsReply, IsADaemon) {
    Reply reply{sync_hex};
    engine::IpvsSync wanted{.role = engine::IpvsSync::Role::backup,
                            .interface = "eth0",
                            .id = 51,
                            .max_length = 1452,
                            .port = 8848,
                            .ttl = 1};
    wanted.group = *parse_ip("ff02::82");
    EXPECT_EQ(decode_sync(reply.message()), wanted);
    reply.remove(IPVS_DAEMON_ATTR_MCAST_GROUP6);
    wanted.group.reset();
    EXPECT_EQ(decode_sync(reply.message()), wanted);
}

TEST(IpvsReply, HasTimeoutsAndTheFamilysNumber) {
    EXPECT_EQ(decode_timeouts(Reply{timeouts_hex}.message()), (engine::IpvsTimeouts{900, 120, 300}));
    EXPECT_EQ(decode_family(Reply{family_hex}.message()), 0x23);
}

TEST(IpvsReply, IsRefusedWithoutWhatItHasToHave) {
    for (const auto type :
         {IPVS_SVC_ATTR_AF, IPVS_SVC_ATTR_PROTOCOL, IPVS_SVC_ATTR_ADDR, IPVS_SVC_ATTR_PORT, IPVS_SVC_ATTR_SCHED_NAME,
          IPVS_SVC_ATTR_FLAGS, IPVS_SVC_ATTR_TIMEOUT, IPVS_SVC_ATTR_NETMASK}) {
        Reply reply{service_hex};
        reply.remove(static_cast<std::uint16_t>(type));
        EXPECT_FALSE(service(reply)) << type;
    }
    for (const auto type : {IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_PORT, IPVS_DEST_ATTR_FWD_METHOD, IPVS_DEST_ATTR_WEIGHT,
                            IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_L_THRESH}) {
        Reply reply{destination_hex};
        reply.remove(static_cast<std::uint16_t>(type));
        EXPECT_FALSE(destination(reply)) << type;
    }
    for (const auto type : {IPVS_DAEMON_ATTR_STATE, IPVS_DAEMON_ATTR_MCAST_IFN, IPVS_DAEMON_ATTR_SYNC_ID}) {
        Reply reply{sync_hex};
        reply.remove(static_cast<std::uint16_t>(type));
        EXPECT_FALSE(decode_sync(reply.message())) << type;
    }
}

TEST(IpvsReply, IsRefusedWithAnAttributeOfAnotherSize) {
    for (std::uint16_t type = 1; type <= IPVS_SVC_ATTR_MAX; ++type) {
        if (type == IPVS_SVC_ATTR_FWMARK || type == IPVS_SVC_ATTR_PE_NAME || type == IPVS_SVC_ATTR_STATS) continue;
        for (const auto size : {1U, 3U, 5U, 40U}) {
            Reply reply{service_hex};
            reply.set(type, Bytes(size, 0xff));
            EXPECT_FALSE(service(reply)) << type << " of " << size;
        }
    }
    for (std::uint16_t type = 1; type <= IPVS_DEST_ATTR_MAX; ++type) {
        if (type == IPVS_DEST_ATTR_STATS) continue;
        for (const auto size : {0U, 3U, 5U, 40U}) {
            Reply reply{destination_hex};
            reply.set(type, Bytes(size, 0xff));
            if (type == IPVS_DEST_ATTR_STATS64 && size == 0) continue; // no counter is there
            EXPECT_FALSE(destination(reply)) << type << " of " << size;
        }
    }
}

TEST(IpvsReply, IsRefusedWithWhatNoKernelSays) {
    const auto refused = [](std::string_view hex, std::uint16_t type, const Bytes& value) {
        Reply reply{hex};
        reply.set(type, value);
        return !decode_service(reply.message()) && !decode_destination(reply.message(), Family::ipv4) &&
               !decode_sync(reply.message());
    };
    EXPECT_TRUE(refused(service_hex, IPVS_SVC_ATTR_AF, {1, 0}));
    EXPECT_TRUE(refused(service_hex, IPVS_SVC_ATTR_PROTOCOL, {1, 0}));
    EXPECT_TRUE(refused(service_hex, IPVS_SVC_ATTR_SCHED_NAME, {'r', 'r'})); // without its end
    EXPECT_TRUE(refused(service_hex, IPVS_SVC_ATTR_SCHED_NAME, Bytes(18, 'r')));
    EXPECT_TRUE(refused(mark_hex, IPVS_SVC_ATTR_FWMARK, {0, 0, 0, 0}));
    EXPECT_TRUE(refused(mark_hex, IPVS_SVC_ATTR_NETMASK, {129, 0, 0, 0}));
    EXPECT_TRUE(refused(destination_hex, IPVS_DEST_ATTR_ADDR_FAMILY, {1, 0}));
    EXPECT_TRUE(refused(destination_hex, IPVS_DEST_ATTR_FWD_METHOD, {4, 0, 0, 0}));
    EXPECT_TRUE(refused(destination_hex, IPVS_DEST_ATTR_TUN_TYPE, {3}));
    EXPECT_TRUE(refused(destination_hex, IPVS_DEST_ATTR_TUN_FLAGS, {3, 0}));
    EXPECT_TRUE(refused(sync_hex, IPVS_DAEMON_ATTR_STATE, {3, 0, 0, 0}));
    EXPECT_TRUE(refused(sync_hex, IPVS_DAEMON_ATTR_SYNC_ID, {0, 1, 0, 0}));
    EXPECT_TRUE(refused(sync_hex, IPVS_DAEMON_ATTR_MCAST_GROUP6, {224, 0, 0, 81}));
}

TEST(IpvsReply, HasNoPrefixLengthOfAMaskWithHoles) {
    Reply reply{service_hex};
    reply.set(IPVS_SVC_ATTR_NETMASK, {255, 0, 255, 0});
    EXPECT_EQ(service(reply)->service.prefix_length, 0);
    reply.set(IPVS_SVC_ATTR_NETMASK, {255, 255, 255, 255});
    EXPECT_EQ(service(reply)->service.prefix_length, 32);
}

TEST(IpvsReply, MayHaveAttributesThatNobodyKnows) {
    Reply reply{service_hex};
    reply.set(IPVS_SVC_ATTR_STATS, {1, 2, 3});
    reply.value(IPVS_SVC_ATTR_STATS)[-2] = 0x77; // its type
    EXPECT_TRUE(service(reply));
}

TEST(IpvsReply, ToAnotherQuestionIsNone) {
    Reply reply{service_hex};
    EXPECT_FALSE(destination(reply));
    EXPECT_FALSE(decode_timeouts(reply.message()));
    EXPECT_FALSE(decode_family(reply.message()));
    reply.bytes()[16] = IPVS_CMD_NEW_DEST; // of struct genlmsghdr
    EXPECT_FALSE(service(reply));
    EXPECT_FALSE(destination(reply));
}

/// Cut off anywhere with lengths that fit, and with each byte changed: an answer or none, and no reading beyond the end (the
/// sanitizers look).
TEST(IpvsReply, IsReadOnlyAsFarAsItReaches) {
    for (const auto* hex : {service_hex, mark_hex, destination_hex, sync_hex, timeouts_hex, family_hex}) {
        const auto whole = from_hex(hex);
        const auto decode_all = [](const Bytes& bytes) {
            const auto message = generic_message(*reinterpret_cast<const nlmsghdr*>(bytes.data()));
            if (!message) return 0;
            return int{decode_service(*message).has_value()} + int{decode_sync(*message).has_value()} +
                   int{decode_destination(*message, Family::ipv6).has_value()} +
                   int{decode_timeouts(*message).has_value()} + int{decode_family(*message).has_value()};
        };
        EXPECT_EQ(decode_all(whole), 1);
        for (std::size_t size = sizeof(nlmsghdr); size < whole.size(); ++size) {
            Bytes cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
            const auto length = static_cast<std::uint32_t>(size);
            std::memcpy(cut.data(), &length, sizeof length);
            const int answers = decode_all(cut);
            EXPECT_LE(answers, 1);
            EXPECT_TRUE(answers == 0 || size >= headers);
        }
        for (std::size_t i = sizeof(nlmsghdr); i < whole.size(); ++i)
            for (const auto value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
                auto changed = whole;
                changed[i] = static_cast<std::uint8_t>(value);
                decode_all(changed);
            }
    }
}

} // namespace
} // namespace holdfast::kernel
