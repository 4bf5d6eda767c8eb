// keepalived.md 5.4 and 5.5: quorum, hysteresis, weights, sorry server; and what keepalived lacks: drains, slow starts.
#include "pool/pool.hpp"

#include <gtest/gtest.h>
#include <string>

namespace holdfast::pool {
namespace {

constexpr Time start{1000s};

model::RealServer real(const std::string& name, std::uint32_t weight = 1) {
    return {.name = name, .address = IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(name.back())), .weight = weight};
}

/// Members a, b, c... of these weights; all pending.
Pool make(model::VirtualServer model, const std::vector<std::uint32_t>& weights) {
    for (std::size_t i = 0; i < weights.size(); ++i)
        model.real_servers.push_back(real(std::string(1, static_cast<char>('a' + i)), weights[i]));
    auto shared = std::make_shared<const model::VirtualServer>(std::move(model));
    Pool pool{.model = shared};
    for (const auto& each : shared->real_servers)
        pool.members.push_back({.model = {shared, &each}});
    return pool;
}

/// "a1 b0 sorry1"
std::string shown(const Pool& pool, Time now = start) {
    std::string out;
    for (const auto& [server, weight] : wanted(pool, now))
        out += (out.empty() ? "" : " ") + server->name + std::to_string(weight);
    return out;
}

void set(Pool& pool, const std::string& health) {
    for (std::size_t i = 0; i < health.size(); ++i)
        pool.members[i].health = health[i] == 'u' ? Health::up : health[i] == 'd' ? Health::down : Health::pending;
}

model::VirtualServer with_sorry(bool inhibit = false) {
    auto sorry = real("sorry");
    sorry.inhibit_on_failure = inhibit;
    return {.sorry_server = sorry};
}

TEST(Pool, TakesAServerForUpUntilItsCheckHasSpoken) {
    auto pool = make({}, {1, 2});
    EXPECT_EQ(settle(pool), Edge::gained);
    EXPECT_EQ(shown(pool), "a1 b2");
}

TEST(Pool, AlphaTakesItForDown) {
    auto pool = make({.alpha = true}, {1, 2});
    EXPECT_EQ(settle(pool), Edge::none);
    EXPECT_EQ(shown(pool), "");
    set(pool, "pu");
    EXPECT_EQ(settle(pool), Edge::gained);
    EXPECT_EQ(shown(pool), "b2");
}

struct QuorumCase {
    std::uint32_t quorum, hysteresis;
    std::string healths, edges; // of three servers of weight 1, step by step: g gained, l lost, . none
};
class Quorum : public testing::TestWithParam<QuorumCase> {};

TEST_P(Quorum, IsReachedAndLostAsKeepalivedHasIt) {
    const auto& [quorum, hysteresis, healths, edges] = GetParam();
    auto pool = make({.quorum = quorum, .hysteresis = hysteresis, .alpha = true}, {1, 1, 1});
    std::string seen;
    for (std::size_t i = 0; i + 3 <= healths.size(); i += 4) {
        set(pool, healths.substr(i, 3));
        const auto edge = settle(pool);
        seen += edge == Edge::gained ? 'g' : edge == Edge::lost ? 'l' : '.';
    }
    EXPECT_EQ(seen, edges);
}
INSTANTIATE_TEST_SUITE_P(, Quorum,
                         testing::Values(QuorumCase{1, 0, "ddd udd uud ddd", ".g.l"},
                                         QuorumCase{2, 0, "udd uud udd uuu ddd", ".glgl"},
                                         // gained at 3, lost below 1
                                         QuorumCase{2, 1, "uud uuu uud udd ddd", ".g..l"},
                                         // hysteresis above the quorum: lost only when nobody is left
                                         QuorumCase{1, 2, "uuu udd ddd", "g.l"}));

TEST(Pool, CountsWeightNotServers) {
    auto pool = make({.quorum = 5}, {4, 1});
    set(pool, "uu");
    EXPECT_EQ(settle(pool), Edge::gained);
    set(pool, "du");
    EXPECT_EQ(settle(pool), Edge::lost);
}

TEST(Pool, SendsClientsToTheSorryServerWithoutAQuorum) {
    auto model = with_sorry();
    model.quorum = 2;
    auto pool = make(model, {1, 1});
    set(pool, "uu");
    settle(pool);
    EXPECT_EQ(shown(pool), "a1 b1");
    set(pool, "ud");
    settle(pool);
    EXPECT_EQ(shown(pool), "sorry1") << "also those that are up leave";
    EXPECT_TRUE(is_sorry(pool));
    set(pool, "uu");
    settle(pool);
    EXPECT_EQ(shown(pool), "a1 b1");
}

TEST(Pool, AnInhibitedSorryServerStaysWithWeightZero) {
    auto pool = make(with_sorry(true), {1});
    set(pool, "u");
    settle(pool);
    EXPECT_EQ(shown(pool), "a1 sorry0");
}

TEST(Pool, WithoutASorryServerALostQuorumOnlyTells) {
    auto pool = make({.quorum = 2}, {1, 1});
    set(pool, "uu");
    settle(pool);
    set(pool, "ud");
    EXPECT_EQ(settle(pool), Edge::lost);
    EXPECT_EQ(shown(pool), "a1");
}

TEST(Pool, AServerThatIsDownLeavesOrIsInhibited) {
    model::VirtualServer model;
    auto pool = make(model, {3, 3});
    auto inhibited = *pool.members[1].model;
    inhibited.inhibit_on_failure = true;
    pool.members[1].model = std::make_shared<const model::RealServer>(inhibited);
    set(pool, "dd");
    settle(pool);
    EXPECT_EQ(shown(pool), "b0");
}

TEST(Pool, AllDownKeepsTheLastOnesWhereItIsTold) {
    auto pool = make({.all_down = model::AllDown::keep}, {1, 1, 1});
    set(pool, "uud");
    settle(pool);
    set(pool, "ddd");
    settle(pool);
    EXPECT_EQ(shown(pool), "a1 b1") << "c was down before";
    set(pool, "ddu");
    settle(pool);
    EXPECT_EQ(shown(pool), "c1");
    auto drop = make({}, {1});
    set(drop, "d");
    settle(drop);
    EXPECT_EQ(shown(drop), "");
}

TEST(Pool, AddsUpWeightsAndKeepsThemInTheKernelsRange) {
    auto pool = make({}, {10});
    auto& member = pool.members[0];
    member.health = Health::up;
    member.found_weight = 4;
    EXPECT_EQ(base_weight(member), 4U);
    member.added_weight = -3;
    EXPECT_EQ(base_weight(member), 1U);
    member.set_weight = 100;
    EXPECT_EQ(base_weight(member), 97U);
    member.added_weight = -1000;
    EXPECT_EQ(base_weight(member), 0U);
    member.added_weight = 1LL << 40;
    EXPECT_EQ(base_weight(member), 2'147'483'647U);
}

TEST(Pool, DisabledAndDrainingServersDoNotCount) {
    auto pool = make({}, {1, 1});
    set(pool, "uu");
    settle(pool);
    pool.members[0].disabled = true;
    EXPECT_EQ(total_weight(pool), 1U);
    EXPECT_EQ(shown(pool), "b1");
    pool.members[0].disabled = false;
    pool.members[0].draining = start + 10s;
    EXPECT_EQ(shown(pool), "a0 b1") << "it keeps what it has";
    pool.members[0].connections = 3;
    EXPECT_EQ(shown(pool), "a0 b1");
    EXPECT_EQ(next_deadline(pool, start), start + 10s);
    pool.members[0].connections = 0;
    EXPECT_EQ(shown(pool), "b1");
    pool.members[0].connections = 3;
    EXPECT_EQ(shown(pool, start + 10s), "b1");
}

TEST(Pool, AServerThatComesUpGrowsIntoItsWeight) {
    auto pool = make({.slow_start = 10s}, {100, 1});
    set(pool, "uu");
    for (auto& member : pool.members)
        member.up_since = start;
    settle(pool);
    EXPECT_EQ(shown(pool), "a1 b1");
    EXPECT_EQ(shown(pool, start + 5s), "a50 b1");
    EXPECT_EQ(shown(pool, start + 10s), "a100 b1");
    EXPECT_EQ(next_deadline(pool, start), start + 500ms);
    EXPECT_EQ(next_deadline(pool, start + 700ms), start + 1s);
    EXPECT_EQ(next_deadline(pool, start + 10s), never);
    EXPECT_EQ(total_weight(pool), 101U) << "the quorum counts what it is worth";
}

} // namespace
} // namespace holdfast::pool
