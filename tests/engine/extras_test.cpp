// Routes and rules that come along with the addresses of an instance, and the daemon's own: order, changes, what is in their place.

#include "engine/engine.hpp"
#include "engine/print.hpp"

#include <cerrno>
#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr LinkIndex eth0{2}, eth1{3};
const auto gateway = IpAddress::v4(192, 0, 2, 254), another = IpAddress::v4(192, 0, 2, 253);

model::Route route_by(const IpAddress& via, model::RoutePlace place = model::RoutePlace::alone) {
    model::Route result{.to = *parse_prefix("10.1.0.0/16")};
    result.via = via;
    result.place = place;
    return result;
}

using Texts = std::vector<std::string>;

/// One router without a rival; the kernel does at once what it is asked, unless it is told to refuse.
struct Node {
    Node() {
        config.instances.push_back({.name = "web", .interface = "eth0", .vrid = Vrid{7}});
        config.instances.back().addresses = {Prefix{IpAddress::v4(192, 0, 2, 10), 24}};
    }

    model::Instance& web() { return config.instances.back(); }
    void reload() { give(ConfigLoaded{std::make_shared<const model::Config>(config)}); }
    void start() {
        reload();
        give(KernelListed{.links = {link(eth0, "eth0"), link(eth1, "eth1")},
                          .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}});
        give(ListenDone{eth0, Family::ipv4, 0});
    }
    /// Deadline by deadline.
    void wait(Duration how_long) {
        const auto end = now + how_long;
        while (engine.next_deadline() <= end) {
            now = std::max(now, engine.next_deadline());
            give(Elapsed{});
        }
        now = end;
    }
    void become_master() { wait(5s); }
    static Link link(LinkIndex index, const char* name, bool up = true) {
        return {.index = index, .name = name, .up = up, .mac = {{2, 0, 0, 0, 0, 1}}, .admin_up = up};
    }

    /// And all that follows from it at the same moment.
    void give(const Event& event) {
        Actions actions;
        engine.on(event, now, actions);
        for (const auto& action : actions)
            if (const auto* operation = std::get_if<Operation>(&action)) answer(*operation);
    }
    void answer(const Operation& operation) {
        const bool is_extra =
            std::holds_alternative<PutRoute>(operation.what) || std::holds_alternative<RemoveRoute>(operation.what) ||
            std::holds_alternative<PutRule>(operation.what) || std::holds_alternative<RemoveRule>(operation.what);
        const bool is_address =
            std::holds_alternative<AddAddress>(operation.what) || std::holds_alternative<RemoveAddress>(operation.what);
        if (is_extra || is_address) done.push_back(to_string(Action{operation}));
        give(OperationDone{operation.id, is_extra ? refusal : 0});
    }
    Texts take() { return std::exchange(done, {}); }
    const InstanceView& shown() { return *engine.snapshot()->instances.front(); }

    model::Config config;
    Time now{1h};
    Engine engine;
    int refusal{0};
    Texts done;
};

TEST(Extras, ComeBehindTheAddressAndGoBeforeIt) {
    Node node;
    node.web().routes = {route_by(gateway)};
    node.web().rules = {{.priority = 1000, .table = 100}};
    node.start();
    EXPECT_EQ(node.take(), Texts{});
    node.become_master();
    const auto came = node.take();
    ASSERT_EQ(came.size(), 3U);
    EXPECT_TRUE(came[0].starts_with("+192.0.2.10/24")) << came[0];
    EXPECT_TRUE(came[1].starts_with("+route(10.1.0.0/16 via 192.0.2.254")) << came[1];
    EXPECT_TRUE(came[2].starts_with("+rule(")) << came[2];
    node.give(StopRequested{});
    node.wait(5s); // nobody succeeds it
    const auto went = node.take();
    ASSERT_EQ(went.size(), 3U);
    EXPECT_TRUE(went[0].starts_with("-rule(")) << went[0];
    EXPECT_TRUE(went[1].starts_with("-route(")) << went[1];
    EXPECT_EQ(went[2], "-192.0.2.10/24");
}

TEST(Extras, AReloadReplacesARouteInPlace) {
    Node node;
    node.web().routes = {route_by(gateway)};
    node.start();
    node.become_master();
    node.take();
    node.web().routes = {route_by(another)};
    node.reload();
    const auto changed = node.take();
    ASSERT_EQ(changed.size(), 1U);
    EXPECT_NE(changed[0].find("via 192.0.2.253"), std::string::npos) << changed[0];
    EXPECT_EQ(changed[0].find('-'), std::string::npos) << "no moment without it: " << changed[0];
}

TEST(Extras, BesideARouteOfOthersAChangeRemovesOursFirst) {
    Node node; // NLM_F_REPLACE takes the first one of an identity, and that may be theirs
    node.web().routes = {route_by(gateway, model::RoutePlace::last)};
    node.start();
    node.become_master();
    node.take();
    node.web().routes = {route_by(another, model::RoutePlace::last)};
    node.reload();
    const auto changed = node.take();
    ASSERT_EQ(changed.size(), 2U);
    EXPECT_TRUE(changed[0].starts_with("-route(10.1.0.0/16")) << changed[0];
    EXPECT_TRUE(changed[1].starts_with("+route(10.1.0.0/16 via 192.0.2.253")) << changed[1];
}

TEST(Extras, OneThatSomebodyDeletesComesBack) {
    Node node;
    node.web().routes = {route_by(gateway)};
    node.start();
    node.become_master();
    node.take();
    node.give(RouteRemoved{KernelRoute{.id = node.web().routes[0].id(), .ours = true}});
    EXPECT_EQ(node.take().size(), 1U);
    EXPECT_EQ(node.shown().counters.routes_restored, 1U);
}

TEST(Extras, OneInThePlaceOfOthersIsLeftAloneAndShown) {
    Node node;
    node.web().routes = {route_by(gateway)};
    node.start();
    node.refusal = EEXIST;
    node.become_master();
    EXPECT_EQ(node.shown().state, "master") << "somebody else's route is no reason to give the address up";
    ASSERT_EQ(node.shown().routes.size(), 1U);
    EXPECT_FALSE(node.shown().routes[0].installed);
    EXPECT_EQ(node.shown().routes[0].refused, "one of others is in its place and is left alone");
}

TEST(Extras, AGroupIsInFaultWhileAStaticRouteThatItTracksHasNoLink) {
    Node node;
    node.config.groups.push_back({.name = "edge", .instances = {"web"}});
    auto& route = node.config.static_routes.emplace_back();
    route.to = *parse_prefix("10.2.0.0/16");
    route.interface = "eth1";
    route.track_group = "edge";
    node.start();
    node.become_master();
    EXPECT_EQ(node.shown().state, "master");
    node.give(LinkChanged{Node::link(eth1, "eth1", false)});
    node.give(RouteRemoved{KernelRoute{.id = route.id(), .ours = true}}); // the kernel takes it along
    node.wait(10s);
    EXPECT_EQ(node.shown().state, "fault");
    ASSERT_FALSE(node.shown().faults.empty());
    EXPECT_EQ(node.shown().faults[0].code, "static_route");
    node.give(LinkChanged{Node::link(eth1, "eth1")});
    node.become_master();
    EXPECT_EQ(node.shown().state, "master");
}

} // namespace
} // namespace holdfast::engine
