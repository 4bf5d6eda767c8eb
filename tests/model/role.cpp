// What a node has to have on lo, from the virtual servers that name it.
#include "model/role.hpp"

#include <gtest/gtest.h>

namespace holdfast::model {
namespace {

const auto vip = IpAddress::v4(192, 0, 2, 10), other = IpAddress::v4(192, 0, 2, 11), own = IpAddress::v4(10, 0, 0, 1);

ServiceKey key(const IpAddress& address, std::uint32_t mark = 0) {
    ServiceKey result;
    result.family = address.family;
    result.mark = mark;
    result.address = address;
    result.port = 80;
    return result;
}

Config config(std::vector<ServiceKey> services, Forwarding::Method method = Forwarding::Method::dr,
              const std::string& host = "lb1") {
    RealServer real;
    real.name = "a";
    real.address = own;
    real.host = host;
    real.forwarding.method = method;
    VirtualServer server;
    server.name = "v";
    server.services = std::move(services);
    server.real_servers = {std::move(real)};
    Config result;
    result.node_name = "lb1";
    result.virtual_servers = {std::move(server)};
    return result;
}

TEST(Role, IsTheAddressesOfEveryServiceThatThisNodeServesUnchanged) {
    for (const auto method : {Forwarding::Method::dr, Forwarding::Method::tunnel}) {
        const auto role = role_of(config({key(vip), key(other)}, method));
        EXPECT_EQ(role.addresses, (std::vector{vip, other}));
        EXPECT_EQ(role.own, std::vector{own});
    }
}

TEST(Role, IsNothingForANatServerForAnotherNodeAndForANamelessOne) {
    EXPECT_EQ(role_of(config({key(vip)}, Forwarding::Method::nat)), Role{});
    EXPECT_EQ(role_of(config({key(vip)}, Forwarding::Method::dr, "lb2")), Role{});
    EXPECT_EQ(role_of(config({key(vip)}, Forwarding::Method::dr, "")), Role{});
}

TEST(Role, HasTheAddressesOfGuardedServicesThoughTheKernelKnowsThemByMark) {
    EXPECT_EQ(role_of(config({key(vip, 7), key(other, 8)})).addresses, (std::vector{vip, other}));
}

TEST(Role, OfABareMarkHasTheAddressesOfTheInstanceThatItFollows) {
    auto marked = config({key(IpAddress{}, 7)});
    EXPECT_TRUE(role_of(marked).addresses.empty());
    Instance web;
    web.name = "web";
    web.addresses = {VirtualAddress{vip, 24}};
    marked.instances = {web};
    marked.virtual_servers[0].while_master = "web";
    EXPECT_EQ(role_of(marked).addresses, std::vector{vip});
}

TEST(Role, NamesEachAddressOnce) {
    auto twice = config({key(vip)});
    auto second = twice.virtual_servers[0];
    second.name = "w";
    second.services[0].port = 443;
    twice.virtual_servers.push_back(second);
    EXPECT_EQ(role_of(twice).addresses, std::vector{vip});
    EXPECT_EQ(role_of(twice).own, std::vector{own});
}

} // namespace
} // namespace holdfast::model
