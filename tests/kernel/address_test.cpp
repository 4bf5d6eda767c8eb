// rtnetlink messages about addresses: golden bytes out, and what the kernel answers in.

#include "bytes.hpp"

#include "kernel/rtnl.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace holdfast::kernel::testing {
namespace {

using engine::AddAddress;

engine::Operation operation(decltype(engine::Operation::what) what) {
    return {engine::OperationId{1}, never, std::move(what)};
}

AddAddress with_everything() {
    AddAddress add{.link = LinkIndex{3}, .prefix = *parse_prefix("192.0.2.10/24"), .lease = std::chrono::seconds{5}};
    add.options.label = "eth0:web";
    add.options.scope = model::scope_site;
    add.options.peer = IpAddress::v4(198, 51, 100, 1);
    add.options.broadcast = IpAddress::v4(198, 51, 100, 255);
    return add;
}

TEST(AddressMessage, HasEveryOptionOfIpv4) {
    EXPECT_EQ(hex(encode(operation(with_everything()), 7)),
              R"(64000000 14000506 07000000 00000000 021800c8 03000000 08000200 c000020a
08000100 c6336401 08000400 c63364ff 0d000300 65746830 3a776562 00000000
08000800 00020000 05000b00 70000000 14000600 05000000 05000000 00000000
00000000 )");
}

TEST(AddressMessage, OfARenewalIsTheSameWithOtherFlags) {
    const auto add = with_everything();
    const auto first = encode(operation(add), 7);
    const auto second =
        encode(operation(engine::RenewAddress{add.link, add.prefix, add.lease, add.prefix_route, add.options}), 7);
    ASSERT_EQ(first.size(), second.size());
    constexpr std::size_t flags = 6, behind_flags = 8; // of struct nlmsghdr
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + flags, second.begin()));
    EXPECT_TRUE(std::equal(first.begin() + behind_flags, first.end(), second.begin() + behind_flags));
    EXPECT_NE(first[flags + 1], second[flags + 1]);
}

TEST(AddressMessage, HasTheFlagsOfIpv6) {
    AddAddress add{.link = LinkIndex{3}, .prefix = *parse_prefix("2001:db8::1/64"), .lease = std::nullopt};
    add.prefix_route = true;
    add.options.home = add.options.dad = add.options.manage_temporary = true;
    add.options.preferred = 60s;
    EXPECT_EQ(hex(encode(operation(add), 7)), R"(64000000 14000506 07000000 00000000 0a400000 03000000 14000200 20010db8
00000000 00000000 00000001 14000100 20010db8 00000000 00000000 00000001
08000800 10010000 05000b00 70000000 14000600 3c000000 ffffffff 00000000
00000000 )");
}

TEST(AddressMessage, OfARemovalNamesThePeer) {
    EXPECT_EQ(hex(encode(operation(engine::RemoveAddress{LinkIndex{3}, *parse_prefix("192.0.2.10/24"),
                                                         IpAddress::v4(198, 51, 100, 1)}),
                         7)),
              R"(28000000 15000500 07000000 00000000 02180000 03000000 08000200 c000020a
08000100 c6336401 )");
}

TEST(AddressMessage, IsReadBackWithItsTraits) {
    auto bytes = encode(operation(with_everything()), 7);
    const auto event = decode(*reinterpret_cast<const nlmsghdr*>(bytes.data()));
    ASSERT_TRUE(event);
    const auto& address = std::get<engine::AddressChanged>(*event).address;
    EXPECT_TRUE(address.ours);
    EXPECT_EQ(to_string(address.prefix), "192.0.2.10/24");
    EXPECT_EQ(address.traits.label, "eth0:web");
    EXPECT_EQ(address.traits.scope, model::scope_site);
    EXPECT_EQ(address.traits.peer, IpAddress::v4(198, 51, 100, 1));
    EXPECT_EQ(address.traits.broadcast, IpAddress::v4(198, 51, 100, 255));
    EXPECT_EQ(address.lifetime, 5s);
}

} // namespace
} // namespace holdfast::kernel::testing
