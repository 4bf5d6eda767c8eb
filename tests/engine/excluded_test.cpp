// Ten thousand excluded addresses: every turn stays small, adverts go out on time, and all of them come and go.

#include "base/result.hpp"
#include "engine/engine.hpp"

#include <deque>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr std::size_t many = 10'000;
constexpr LinkIndex eth0{2};

/// An engine whose kernel answers each operation after a millisecond, as many as a slice carries at a time.
class Host {
  public:
    Host() {
        auto config = std::make_shared<model::Config>();
        model::Instance web{.name = "web", .interface = "eth0", .vrid = Vrid{7}, .advert_interval = 100ms};
        web.addresses = {*parse_prefix("192.0.2.1/24")};
        for (std::size_t i = 0; i < many; ++i)
            web.excluded_addresses.push_back(*parse_prefix(fmt::format("10.1.{}.{}/32", i / 250, i % 250 + 1)));
        config->instances = {web};
        give(ConfigLoaded{config});
        give(KernelListed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                          .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}});
        give(ListenDone{eth0, Family::ipv4, 0});
    }

    void give(const Event& event) { give(std::span{&event, 1}); }
    void give(std::span<const Event> events) {
        Actions actions;
        engine_.on(events, now, actions);
        std::size_t operations = 0, announcements = 0;
        for (const auto& action : actions) {
            if (std::holds_alternative<SendAdvert>(action)) adverts.push_back(now);
            announcements += std::holds_alternative<Announce>(action);
            if (const auto* operation = std::get_if<Operation>(&action)) {
                ++operations;
                waiting_.push_back(*operation);
            }
        }
        most_operations = std::max(most_operations, operations);
        most_announcements = std::max(most_announcements, announcements);
    }

    void run(Duration duration) {
        constexpr std::size_t slice = 64;
        for (const auto end = now + duration; now < end; now += 1ms) {
            std::vector<Event> answers;
            for (std::size_t i = 0; i < slice && !waiting_.empty(); ++i) {
                note(waiting_.front().what);
                answers.emplace_back(OperationDone{waiting_.front().id, 0});
                waiting_.pop_front();
            }
            if (!answers.empty()) give(answers);
            for (int turns = 0; engine_.next_deadline() <= now && turns < 100; ++turns)
                give(Elapsed{});
        }
    }

    std::size_t there() const { return there_; }
    ExcludedView shown() { return engine_.snapshot()->instances.at(0)->excluded; }

    Time now{1h};
    std::vector<Time> adverts;
    std::size_t most_operations{0}, most_announcements{0};
    std::vector<std::string> order; ///< of additions and removals

  private:
    void note(const OperationBody& what) {
        if (const auto* add = std::get_if<AddAddress>(&what)) {
            ++there_;
            order.push_back("+" + to_string(add->prefix));
        }
        if (const auto* remove = std::get_if<RemoveAddress>(&what)) {
            --there_;
            order.push_back("-" + to_string(remove->prefix));
        }
    }

    Engine engine_;
    std::deque<Operation> waiting_;
    std::size_t there_{0};
};

TEST(Excluded, ComeBehindTheOthersInSlicesAndNoAdvertIsLate) {
    Host host;
    host.run(3s);
    EXPECT_EQ(host.there(), many + 1);
    EXPECT_EQ(host.order.front(), "+192.0.2.1/24");
    EXPECT_EQ(host.shown(), (ExcludedView{many, many}));
    EXPECT_LE(host.most_operations, 260U);
    EXPECT_LE(host.most_announcements, 70U);
    ASSERT_GT(host.adverts.size(), 20U);
    for (std::size_t i = 1; i < host.adverts.size(); ++i)
        EXPECT_LE(host.adverts[i] - host.adverts[i - 1], 101ms) << i;
}

TEST(Excluded, AreRenewedInTheirRoundAndGoWithTheState) {
    Host host;
    host.run(70s); // more than the lease, which ten thousand stretch to a minute
    EXPECT_EQ(host.there(), many + 1) << "nothing was added twice";
    EXPECT_LE(host.most_operations, 260U);
    host.order.clear();
    host.give(StopRequested{});
    host.run(3s);
    EXPECT_EQ(host.there(), 0U);
    ASSERT_EQ(host.order.size(), many + 1);
    const auto advertised = std::ranges::find(host.order, "-192.0.2.1/24") - host.order.begin();
    EXPECT_GT(advertised, 0) << "a first slice goes before it";
    EXPECT_LE(advertised, 256) << "and it does not wait for the rest";
}

} // namespace
} // namespace holdfast::engine
