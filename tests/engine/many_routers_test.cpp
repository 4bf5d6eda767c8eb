// Many virtual routers on one host whose master dies: all of them are due at the same moment.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr LinkIndex eth0{2};
constexpr std::size_t routers = 250;

std::shared_ptr<const model::Config> configuration() {
    auto config = std::make_shared<model::Config>();
    for (std::size_t i = 1; i <= routers; ++i) {
        auto& instance = config->instances.emplace_back();
        instance.name = fmt::format("r{}", i);
        instance.interface = "eth0";
        instance.vrid = Vrid{static_cast<std::uint8_t>(i)};
        instance.addresses = {Prefix{IpAddress::v4(10, 0, 1, static_cast<std::uint8_t>(i)), 32}};
    }
    return config;
}

TEST(ManyRouters, TakeOverInTurnsSoThatTheFirstAdvertWaitsForFew) {
    Engine engine;
    Time now{1h};
    const auto give = [&](const Event& event) {
        Actions actions;
        engine.on(event, now, actions);
        return static_cast<std::size_t>(std::ranges::count_if(
            actions, [](const auto& action) { return std::holds_alternative<SendAdvert>(action); }));
    };
    give(ConfigLoaded{configuration()});
    give(KernelListed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                      .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}});
    give(ListenDone{eth0, Family::ipv4, 0});
    now += 1min;

    std::vector<std::size_t> turns;
    while (engine.next_deadline() <= now && turns.size() < routers) {
        turns.push_back(give(Elapsed{}));
        const auto shown = engine.snapshot();
        EXPECT_EQ(shown->transitions->back()->number, shown->transitions->size()) << "each edge is shown, in order";
    }
    ASSERT_GT(turns.size(), 2U);
    EXPECT_LT(turns.front(), routers / 2);
    std::size_t adverts = 0;
    for (const auto turn : turns)
        adverts += turn;
    EXPECT_EQ(adverts, routers);
    EXPECT_TRUE(
        std::ranges::all_of(engine.snapshot()->instances, [](const auto& view) { return view->state == "master"; }));
}

} // namespace
} // namespace holdfast::engine
