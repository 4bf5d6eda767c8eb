// Which virtual router an advert is of: by link, family and VRID, and by the group or the peer that it came from.

#include "engine/engine.hpp"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr LinkIndex eth0{2};
const auto usual = vrrp_group(Family::ipv4), other = IpAddress::v4(224, 0, 0, 77);
const auto peer = IpAddress::v4(192, 0, 2, 202);

model::Instance instance(std::string name, const IpAddress& group) {
    model::Instance result{.name = std::move(name), .interface = "eth0", .vrid = Vrid{7}, .multicast_group4 = group};
    result.addresses = {Prefix{IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(10 + group.bytes[3])), 24}};
    return result;
}

struct Node {
    explicit Node(std::vector<model::Instance> instances, bool log_unknown_vrids = false) {
        auto config = std::make_shared<model::Config>();
        config->instances = std::move(instances);
        config->log_unknown_vrids = log_unknown_vrids;
        give(ConfigLoaded{config});
        give(KernelListed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                          .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}});
        give(ListenDone{eth0, Family::ipv4, 0});
    }

    void give(const Event& event) {
        Actions actions;
        engine.on(event, now, actions);
        for (auto& action : actions) {
            if (auto* listen = std::get_if<ListenFor>(&action)) listens = std::move(*listen);
            if (auto* tell = std::get_if<Tell>(&action)) told.push_back(tell->note.text);
            if (auto* advert = std::get_if<SendAdvert>(&action)) destinations.push_back(advert->destination);
        }
    }
    void hear(const IpAddress& destination, Vrid vrid = Vrid{7}) {
        wire::Advert advert{.vrid = vrid, .priority = Priority{200}, .interval = 1s, .addresses = {peer}};
        give(AdvertReceived{eth0, peer, destination, std::move(advert)});
    }
    std::uint64_t heard(std::size_t which) {
        give(Elapsed{}); // what is shown is made once a turn
        return engine.snapshot()->instances.at(which)->counters.adverts_received;
    }

    Time now{1h};
    Engine engine;
    ListenFor listens;
    std::vector<std::string> told;
    std::vector<IpAddress> destinations;
};

TEST(MulticastGroup, TellsRoutersOfOneVridApart) {
    Node node{{instance("far", other), instance("near", usual)}};
    EXPECT_EQ(node.listens.groups, std::vector{other});
    node.hear(other);
    node.hear(other);
    node.hear(usual);
    node.now += 2s;
    EXPECT_EQ(node.heard(0), 2U);
    EXPECT_EQ(node.heard(1), 1U);
}

TEST(MulticastGroup, OfAnotherRouterIsNobodysBusiness) {
    Node node{{instance("far", other)}};
    const auto before = node.told.size();
    node.hear(usual);
    node.now += 1500ms;
    EXPECT_EQ(node.heard(0), 0U);
    EXPECT_EQ(node.told.size(), before);
    EXPECT_TRUE(node.engine.snapshot()->instances.at(0)->warnings.empty());
}

TEST(MulticastGroup, IsWhereAdvertsGo) {
    Node node{{instance("far", other)}};
    for (int i = 0; i < 10; ++i) {
        node.now += 1s;
        node.give(Elapsed{});
    }
    ASSERT_FALSE(node.destinations.empty());
    for (const auto& each : node.destinations)
        EXPECT_EQ(each, other);
}

TEST(MulticastGroup, FollowsAReload) {
    Node node{{instance("web", usual)}};
    EXPECT_TRUE(node.listens.groups.empty());
    auto config = std::make_shared<model::Config>();
    config->instances = {instance("web", usual)};
    config->instances[0].multicast_group4 = other;
    node.give(ConfigLoaded{config});
    EXPECT_EQ(node.listens.groups, std::vector{other});
    node.hear(other);
    node.now += 2s;
    EXPECT_EQ(node.heard(0), 1U);
}

TEST(MulticastGroup, OfAUnicastRouterIsNamed) {
    auto web = instance("web", usual);
    web.unicast = model::Unicast{.peers = {{.address = peer}}};
    Node node{{web}};
    node.hear(usual);
    ASSERT_FALSE(node.told.empty());
    EXPECT_NE(node.told.back().find("give both hosts the same `unicast:`"), std::string::npos) << node.told.back();
}

TEST(UnknownVrid, IsNamedOnlyWhereThatIsAskedFor) {
    Node silent{{instance("web", usual)}};
    EXPECT_EQ(silent.listens.vrids.count(), 1U);
    Node telling{{instance("web", usual)}, true};
    EXPECT_TRUE(telling.listens.vrids.all());
    for (int i = 0; i < 3; ++i)
        telling.hear(usual, Vrid{99});
    EXPECT_EQ(std::ranges::count(telling.told, "192.0.2.202 sends adverts of vrid 99 to 224.0.0.18 on eth0, and no "
                                               "instance here is of that virtual router"),
              1);
}

} // namespace
} // namespace holdfast::engine
