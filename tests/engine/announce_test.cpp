// The pace of announcements: no two on an interface come too soon after each other, whoever has just come is heard first, and
// adverts leave as if nobody announced anything.

#include "engine/engine.hpp"

#include <deque>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>

namespace holdfast::engine {
namespace {

constexpr LinkIndex eth0{2}, eth1{3};

struct Heard {
    Time at{};
    LinkIndex link{};
    IpAddress address;
};

IpAddress address(unsigned i) {
    return IpAddress::v4(10, 0, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250 + 1));
}

model::Instance instance(const std::string& name, const std::string& interface, std::uint8_t vrid, unsigned first,
                         unsigned count) {
    model::Instance result{.name = name, .interface = interface, .vrid = Vrid{vrid}, .advert_interval = 20ms};
    result.announce_refresh = 0s;
    for (unsigned i = 0; i < count; ++i)
        result.addresses.emplace_back(address(first + i), std::uint8_t{32});
    return result;
}

/// An engine that is woken when it asks, and whose kernel answers within a millisecond.
class Host {
  public:
    explicit Host(model::Config config) : config_{std::move(config)} {
        reload();
        const auto link = [](LinkIndex index, const std::string& name) {
            return Link{.index = index, .name = name, .up = true, .mac = {{2, 0, 0, 0, 0, 1}}};
        };
        give(KernelListed{.links = {link(eth0, "eth0"), link(eth1, "eth1")},
                          .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")},
                                        {.link = eth1, .prefix = *parse_prefix("198.51.100.201/24")}}});
    }

    void give(const Event& event) {
        Actions actions;
        engine_.on(event, now, actions);
        std::size_t announcements = 0;
        for (const auto& action : actions) {
            if (const auto* advert = std::get_if<SendAdvert>(&action)) {
                adverts[advert->router].push_back(now);
                EXPECT_EQ(announcements, 0U) << "an advert behind an announcement";
            }
            if (const auto* said = std::get_if<Announce>(&action)) {
                heard.push_back({now, said->link, said->announcement.address});
                ++announcements;
            }
            if (const auto* operation = std::get_if<Operation>(&action)) waiting_.emplace_back(now + 500us, *operation);
            if (const auto* listen = std::get_if<Listen>(&action)) listens_.push_back(*listen);
        }
        most_in_a_turn = std::max(most_in_a_turn, announcements);
        while (!listens_.empty()) {
            const auto listen = listens_.back();
            listens_.pop_back();
            give(ListenDone{listen.link, listen.family, 0});
        }
    }

    void run(Duration duration) {
        const auto end = now + duration;
        while (true) {
            const auto answer = waiting_.empty() ? never : waiting_.front().first;
            const auto next = std::min(answer, engine_.next_deadline());
            if (next > end) break;
            now = std::max(now, next);
            if (answer <= now) {
                const auto operation = waiting_.front().second;
                waiting_.pop_front();
                give(OperationDone{operation.id, 0});
            } else {
                give(Elapsed{});
            }
            ASSERT_LT(++turns, 1'000'000) << "it never sleeps";
        }
        now = end;
    }

    model::Config& config() { return config_; }
    void reload() { give(ConfigLoaded{std::make_shared<const model::Config>(config_)}); }
    Time deadline() const { return engine_.next_deadline(); }

    /// The least time between two announcements on these links together.
    Duration least_gap(std::initializer_list<LinkIndex> links) const {
        Duration least = 24h;
        std::optional<Time> last;
        for (const auto& each : heard) {
            if (std::ranges::find(links, each.link) == links.end()) continue;
            if (last) least = std::min(least, each.at - *last);
            last = each.at;
        }
        return least;
    }
    std::size_t times(const IpAddress& ip) const {
        return static_cast<std::size_t>(std::ranges::count(heard, ip, &Heard::address));
    }
    void expect_adverts_on_time(std::size_t routers) const {
        EXPECT_EQ(adverts.size(), routers);
        for (const auto& [router, all] : adverts)
            for (std::size_t i = 1; i < all.size(); ++i)
                ASSERT_LE(all[i] - all[i - 1], 20ms) << router << " " << i;
    }

    Time now{1h};
    std::vector<Heard> heard;
    std::map<std::uint32_t, std::vector<Time>> adverts;
    std::size_t most_in_a_turn{0};
    int turns{0};

  private:
    model::Config config_;
    Engine engine_;
    std::deque<std::pair<Time, Operation>> waiting_;
    std::vector<Listen> listens_;
};

TEST(Announcements, OfAllInstancesOnAnInterfaceKeepTheLargestInterval) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 40), instance("b", "eth0", 2, 40, 40)}};
    config.instances[0].announce_interval = 3ms;
    Host host{config};
    host.run(3s);
    EXPECT_EQ(host.least_gap({eth0}), 3ms);
    for (unsigned i = 0; i < 80; ++i)
        EXPECT_GE(host.times(address(i)), 3U) << i;
    host.expect_adverts_on_time(2);
}

TEST(Announcements, OfAGroupShareOnePaceAndOthersHaveTheirOwn) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 20), instance("b", "eth1", 2, 20, 20)}};
    for (auto& each : config.instances)
        each.announce_interval = 2ms;
    Host apart{config};
    apart.run(2s);
    EXPECT_EQ(apart.least_gap({eth0}), 2ms);
    EXPECT_LT(apart.least_gap({eth0, eth1}), 2ms);
    config.announce_groups = {{"switch", {"eth0", "eth1"}, 5ms}};
    Host together{config};
    together.run(2s);
    EXPECT_EQ(together.least_gap({eth0, eth1}), 5ms);
    for (unsigned i = 0; i < 40; ++i)
        EXPECT_GE(together.times(address(i)), 2U) << i;
}

TEST(Announcements, OfAnAddressThatHasJustComeGoBeforeAllRepetitions) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 200), instance("b", "eth0", 2, 200, 1)}};
    config.instances[0].announce_interval = 10ms;
    config.instances[0].announce_delay = 10s;
    config.instances[0].announce_repeat = 255;
    Host host{config};
    host.run(15s); // in the middle of 51,000 repetitions
    host.heard.clear();
    host.config().instances[1].addresses.emplace_back(address(300), std::uint8_t{32});
    const auto begin = host.now;
    host.reload();
    host.run(100ms);
    const auto at = std::ranges::find(host.heard, address(300), &Heard::address);
    ASSERT_NE(at, host.heard.end());
    EXPECT_LE(at->at - begin, 11ms) << "the kernel's answer and one interval";
    EXPECT_EQ(host.least_gap({eth0}), 10ms);
    host.expect_adverts_on_time(2);
}

TEST(Announcements, AreBoundedInATurnHoweverManyAreWanted) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 255)}};
    config.instances[0].announce_delay = 2s;
    config.instances[0].announce_repeat = 255;
    Host host{config};
    host.run(5s);
    EXPECT_LE(host.most_in_a_turn, 64U);
    for (const unsigned i : {0U, 254U})
        EXPECT_EQ(host.times(address(i)), 4U + 255U) << "the rounds of the takeover and the burst";
    host.expect_adverts_on_time(1);
}

TEST(Announcements, ThatAreAskedForAgainAndAgainDoNotPileUp) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 100)}};
    config.instances[0].announce_interval = 50ms; // a pass takes 5 s
    config.instances[0].announce_refresh = 1s;
    Host host{config};
    host.run(60s);
    host.config().instances[0].announce_refresh = 0s;
    host.reload();
    host.run(11s);
    host.heard.clear();
    host.run(30s);
    EXPECT_TRUE(host.heard.empty());
}

TEST(Announcements, ThatWaitAreKeptThroughAReload) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 50)}};
    config.instances[0].announce_interval = 100ms;
    Host host{config};
    host.run(1s);
    ASSERT_LT(host.heard.size(), 20U);
    host.config().announce_groups = {{"switch", {"eth1", "eth0"}, 200ms}};
    host.reload();
    host.run(1s);
    EXPECT_GE(host.least_gap({eth0}), 100ms);
    host.config().announce_groups.clear();
    host.config().instances[0].announce_interval = 0s;
    host.reload();
    host.run(1s);
    for (unsigned i = 0; i < 50; ++i)
        EXPECT_GE(host.times(address(i)), 1U) << i;
}

TEST(Announcements, OfARouterThatLeftAreForgotten) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 50)}};
    config.instances[0].announce_interval = 1s;
    Host host{config};
    host.run(1s);
    host.give(StopRequested{});
    host.heard.clear();
    host.run(10s);
    EXPECT_TRUE(host.heard.empty());
    EXPECT_EQ(host.deadline(), never);
}

TEST(Announcements, OnOtherLinksAreOfVirtualMacsOrOfAll) {
    model::Config config{.instances = {instance("a", "eth0", 1, 0, 2)}};
    auto& model = config.instances[0];
    model.addresses[1].interface = "eth1";
    model.excluded_addresses = {{address(2), 32}};
    model.excluded_addresses[0].interface = "eth1";
    model.announce_other_links = {10s, true};
    Host host{config};
    host.run(25s);
    const auto at_first = host.times(address(0));
    EXPECT_EQ(host.times(address(1)), at_first + 2) << "twice in 25 s";
    EXPECT_EQ(host.times(address(2)), 2U + 2U) << "when it came and after a second, and twice";
    host.config().instances[0].announce_other_links.all = false;
    host.reload();
    host.heard.clear();
    host.run(25s);
    EXPECT_TRUE(host.heard.empty()) << "no interface of a virtual MAC";
}

} // namespace
} // namespace holdfast::engine
