// What is asked of the load balancer, byte by byte: every message is compared with what it is in linux/ip_vs.h.

#include "bytes.hpp"

#include "kernel/ipvs_message.hpp"

#include <gtest/gtest.h>

namespace holdfast::kernel::testing {
namespace {

constexpr IpvsRequest seventh{0x1f, 7};

model::ServiceKey web4() {
    return {Family::ipv4, 0, model::Protocol::tcp, IpAddress::v4(192, 0, 2, 10), 80};
}
model::ServiceKey dns6() {
    return {Family::ipv6, 0, model::Protocol::udp, *parse_ip("2001:db8::10"), 53};
}
model::ServiceKey mark(Family family) {
    return {.family = family, .mark = 0x107};
}

TEST(IpvsMessage, AsksForTheFamilyByName) {
    EXPECT_EQ(hex(encode_family_request(7)), R"(20000000 10000500 07000000 00000000 03010000 09000200 49505653 00000000
)");
}

TEST(IpvsMessage, AddsAServiceWithEveryOption) {
    const engine::IpvsService service{.key = web4(),
                                      .scheduler = "mh",
                                      .flags = engine::ipvs_persistent | 0x08 | 0x10,
                                      .timeout = 300,
                                      .prefix_length = 24,
                                      .engine = "sip"};
    EXPECT_EQ(hex(encode(engine::PutService{service}, seventh)),
              R"(70000000 1f000500 07000000 00000000 01010000 5c000180 06000100 02000000
06000200 06000000 14000300 c000020a 00000000 00000000 00000000 06000400
00500000 07000600 6d680000 08000b00 73697000 0c000700 19000000 3d000000
08000800 2c010000 08000900 ffffff00 )");
}

TEST(IpvsMessage, AsksForNoFlagOfTheKernelsOwn) {
    const engine::IpvsService service{
        .key = web4(), .scheduler = "rr", .flags = 0xffffffff, .timeout = 0, .prefix_length = 32, .engine = {}};
    EXPECT_EQ(hex(encode(engine::PutService{service, true}, seventh)),
              R"(68000000 1f000500 07000000 00000000 02010000 54000180 06000100 02000000
06000200 06000000 14000300 c000020a 00000000 00000000 00000000 06000400
00500000 07000600 72720000 0c000700 3d000000 3d000000 08000800 00000000
08000900 ffffffff )");
}

TEST(IpvsMessage, HasThePrefixLengthOfIpv6AsItIs) {
    const engine::IpvsService service{.key = dns6(),
                                      .scheduler = "wlc",
                                      .flags = engine::ipvs_one_packet,
                                      .timeout = 0,
                                      .prefix_length = 128,
                                      .engine = {}};
    EXPECT_EQ(hex(encode(engine::PutService{service}, seventh)),
              R"(68000000 1f000500 07000000 00000000 01010000 54000180 06000100 0a000000
06000200 11000000 14000300 20010db8 00000000 00000000 00000010 06000400
00350000 08000600 776c6300 0c000700 04000000 3d000000 08000800 00000000
08000900 80000000 )");
}

TEST(IpvsMessage, NamesAMarkInsteadOfAnAddress) {
    EXPECT_EQ(hex(encode(engine::RemoveService{mark(Family::ipv4)}, seventh)),
              R"(28000000 1f000500 07000000 00000000 03010000 14000180 06000100 02000000
08000500 07010000 )");
    EXPECT_EQ(hex(encode(engine::RemoveService{mark(Family::ipv6)}, seventh)),
              R"(28000000 1f000500 07000000 00000000 03010000 14000180 06000100 0a000000
08000500 07010000 )");
}

TEST(IpvsMessage, AddsADestinationBehindATunnel) {
    const engine::IpvsDestination destination{
        .at = {*parse_ip("2001:db8::1"), 80},
        .forwarding = {model::Forwarding::Method::tunnel,
                       {model::TunnelKind::gue, 6080, model::TunnelChecksum::remote}},
        .weight = 3,
        .upper_threshold = 1000,
        .lower_threshold = 900};
    EXPECT_EQ(hex(encode(engine::PutDestination{web4(), destination}, seventh)),
              R"(a4000000 1f000500 07000000 00000000 05010000 30000180 06000100 02000000
06000200 06000000 14000300 c000020a 00000000 00000000 00000000 06000400
00500000 60000280 14000100 20010db8 00000000 00000000 00000001 06000200
00500000 06000b00 0a000000 08000300 02000000 08000400 03000000 08000500
e8030000 08000600 84030000 05000d00 01000000 06000e00 17c00000 06000f00
02000000 )");
}

TEST(IpvsMessage, SaysNothingOfTunnelsWithoutOne) {
    const engine::IpvsDestination destination{
        .at = {IpAddress::v4(192, 0, 2, 1), 8080}, .forwarding = {model::Forwarding::Method::nat, {}}, .weight = 0};
    EXPECT_EQ(hex(encode(engine::PutDestination{mark(Family::ipv4), destination, true}, seventh)),
              R"(70000000 1f000500 07000000 00000000 06010000 14000180 06000100 02000000
08000500 07010000 48000280 14000100 c0000201 00000000 00000000 00000000
06000200 1f900000 06000b00 02000000 08000300 00000000 08000400 00000000
08000500 00000000 08000600 00000000 )");
}

TEST(IpvsMessage, RemovesADestinationByWhereItIs) {
    EXPECT_EQ(hex(encode(engine::RemoveDestination{dns6(), {*parse_ip("2001:db8::1"), 53}}, seventh)),
              R"(6c000000 1f000500 07000000 00000000 07010000 30000180 06000100 0a000000
06000200 11000000 14000300 20010db8 00000000 00000000 00000010 06000400
00350000 28000280 14000100 20010db8 00000000 00000000 00000001 06000200
00350000 06000b00 0a000000 )");
}

TEST(IpvsMessage, IsSilentAboutSuccessWhenItIsToBe) {
    const auto loud = encode(engine::RemoveService{web4()}, {0x1f, 7, true});
    auto quiet = encode(engine::RemoveService{web4()}, {0x1f, 7, false});
    constexpr std::size_t flags = 6; // of struct nlmsghdr
    EXPECT_EQ(loud[flags], 5);       // NLM_F_REQUEST, NLM_F_ACK
    EXPECT_EQ(quiet[flags], 1);
    quiet[flags] = loud[flags];
    EXPECT_EQ(quiet, loud);
}

TEST(IpvsMessage, StartsADaemonWithWhatIsSet) {
    using Role = engine::IpvsSync::Role;
    const engine::IpvsSync plain{.role = Role::backup, .interface = "eth0", .id = 51};
    EXPECT_EQ(hex(encode(engine::StartSync{plain}, seventh)),
              R"(34000000 1f000500 07000000 00000000 09010000 20000380 08000100 02000000
09000200 65746830 00000000 08000300 33000000 )");
    engine::IpvsSync sync{
        .role = Role::master, .interface = "eth0", .id = 51, .max_length = 1400, .port = 8849, .ttl = 3};
    sync.group = IpAddress::v4(224, 0, 0, 82);
    EXPECT_EQ(hex(encode(engine::StartSync{sync}, seventh)),
              R"(54000000 1f000500 07000000 00000000 09010000 40000380 08000100 01000000
09000200 65746830 00000000 08000300 33000000 06000400 78050000 08000500
e0000052 06000700 91220000 05000800 03000000 )");
    sync.group = *parse_ip("ff02::82");
    EXPECT_EQ(hex(encode(engine::StartSync{sync}, seventh)),
              R"(60000000 1f000500 07000000 00000000 09010000 4c000380 08000100 01000000
09000200 65746830 00000000 08000300 33000000 06000400 78050000 14000600
ff020000 00000000 00000000 00000082 06000700 91220000 05000800 03000000
)");
    EXPECT_EQ(hex(encode(engine::StopSync{sync}, seventh)),
              R"(20000000 1f000500 07000000 00000000 0a010000 0c000380 08000100 01000000
)");
}

TEST(IpvsMessage, SetsTimeouts) {
    EXPECT_EQ(hex(encode(engine::SetTimeouts{{900, 120, 300}}, seventh)),
              R"(2c000000 1f000500 07000000 00000000 0c010000 08000400 84030000 08000500
78000000 08000600 2c010000 )");
}

TEST(IpvsMessage, AsksForEachPartOfTheTable) {
    EXPECT_EQ(hex(encode_service_dump(seventh)), R"(14000000 1f000103 07000000 00000000 04010000 )");
    EXPECT_EQ(hex(encode_destination_dump(web4(), seventh)),
              R"(44000000 1f000103 07000000 00000000 08010000 30000180 06000100 02000000
06000200 06000000 14000300 c000020a 00000000 00000000 00000000 06000400
00500000 )");
    EXPECT_EQ(hex(encode_sync_dump(seventh)), R"(14000000 1f000103 07000000 00000000 0b010000 )");
    EXPECT_EQ(hex(encode_timeouts_request(seventh)), R"(14000000 1f000500 07000000 00000000 0d010000 )");
}

} // namespace
} // namespace holdfast::kernel::testing
