// Sync groups: names, members, owners, and what a pair of families becomes.

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

const std::string three = R"(instances:
  web: {interface: eth0, vrid: 51, addresses: [192.0.2.10/24, 2001:db8::10/64]}
  inside: {interface: eth1, vrid: 51, addresses: [10.0.0.1/24]}
  shop: {interface: eth0, vrid: 52, addresses: [192.0.2.20/24]}
trackers: {nginx: {process: nginx}, up: {interface: eth1}}
)";

TEST(Group, NamesItsMembersOfBothFamilies) {
    const auto config =
        good(three + "sync_groups: {edge: {instances: [inside, web], track: [{tracker: up, weight: -60}]}}\n");
    ASSERT_EQ(config.groups.size(), 1U);
    EXPECT_EQ(config.groups[0].instances, (std::vector<std::string>{"inside", "web/ipv4", "web/ipv6"}));
    EXPECT_EQ(config.groups[0].track, (std::vector<model::TrackUse>{{"up", -60}}));
    EXPECT_FALSE(config.groups[0].is_pair);
    EXPECT_EQ(group_of(config, "web/ipv6"), &config.groups[0]);
    EXPECT_EQ(group_of(config, "shop"), nullptr);
}

TEST(Group, IsMadeOfThePairThatNoGroupNames) {
    const auto config = good(three);
    ASSERT_EQ(config.groups.size(), 1U);
    EXPECT_EQ(config.groups[0].name, "web");
    EXPECT_EQ(config.groups[0].instances, (std::vector<std::string>{"web/ipv4", "web/ipv6"}));
    EXPECT_TRUE(config.groups[0].is_pair);
}

TEST(Group, HasScriptsOfItsOwn) {
    const auto text = three + "sync_groups: {edge: {instances: [web], notify: {master: [/bin/m], all: [/bin/all], "
                              "fifo: /run/edge, units: {master: [a.service]}}}}\n";
    const auto config = good(text);
    EXPECT_EQ(
        config.groups.at(0).notify,
        (model::Notify{.master = {"/bin/m"}, .all = {"/bin/all"}, .fifo = "/run/edge", .master_units = {"a.service"}}));
    EXPECT_EQ(good(dump(config)), config);
}

TEST(Group, SaysWhatIsWrongWithItsMembers) {
    EXPECT_EQ(errors(three + R"(sync_groups:
  one: {instances: [web, shpo, web]}
  two: {instances: [shop, inside]}
  three: {instances: [shop]}
  four: {instances: []}
  five: {track: [nginx]}
  six: {instances: inside, notify: x, colour: x}
  seven: {instances: [inside], notify: {master: [/bin/m], after_adding: [/bin/a], mastr: [/bin/m]}}
)"),
              R"(holdfast.yaml:7:26: error: there is no instance 'shpo'
  one: {instances: [web, shpo, web]}
                         ^
  hint: did you mean 'shop'?
holdfast.yaml:7:32: error: instance 'web' is named twice
  one: {instances: [web, shpo, web]}
                               ^
  hint: keep one of them
holdfast.yaml:9:22: error: instance 'shop' is in sync group 'two' already
  three: {instances: [shop]}
                     ^
  hint: an instance moves with one group: join the two, or remove it from one
holdfast.yaml:10:21: error: sync group 'four' has no members
  four: {instances: []}
                    ^
  hint: name them: instances: [web, inside]
holdfast.yaml:11:3: error: sync group 'five' has no instances
  five: {track: [nginx]}
  ^
  hint: add instances: a list of instance names
holdfast.yaml:12:20: error: instances must be a list of instance names, not 'inside'
  six: {instances: inside, notify: x, colour: x}
                   ^
holdfast.yaml:12:36: error: notify must be a map {master: [PROGRAM, ...], ...}, not 'x'
  six: {instances: inside, notify: x, colour: x}
                                   ^
holdfast.yaml:12:39: error: 'colour' is not a directive of a sync group
  six: {instances: inside, notify: x, colour: x}
                                      ^
  hint: there is instances, track and notify
holdfast.yaml:13:22: error: instance 'inside' is in sync group 'two' already
  seven: {instances: [inside], notify: {master: [/bin/m], after_adding: [/bin/a], mastr: [/bin/m]}}
                     ^
  hint: an instance moves with one group: join the two, or remove it from one
holdfast.yaml:13:59: error: a sync group has no 'after_adding'
  seven: {instances: [inside], notify: {master: [/bin/m], after_adding: [/bin/a], mastr: [/bin/m]}}
                                                          ^
  hint: give it to the instances: they have the addresses
holdfast.yaml:13:83: error: 'mastr' is not a directive of notify
  seven: {instances: [inside], notify: {master: [/bin/m], after_adding: [/bin/a], mastr: [/bin/m]}}
                                                                                  ^
  hint: did you mean 'master'?
)");
}

TEST(Group, DoesNotMixOwnersWithOthersNorTrackTwice) {
    EXPECT_EQ(errors(R"(instances:
  web: {interface: eth0, vrid: 51, priority: 255, addresses: [192.0.2.10/24]}
  inside: {interface: eth1, vrid: 51, addresses: [10.0.0.1/24], track: [nginx]}
trackers: {nginx: {process: nginx}}
sync_groups:
  edge: {instances: [web, inside], track: [nginx]}
)"),
              R"(holdfast.yaml:6:21: error: sync group 'edge' mixes owners (priority 255) with others
  edge: {instances: [web, inside], track: [nginx]}
                    ^
  hint: an owner never leaves, so the others could not follow: take it out of the group
holdfast.yaml:6:43: error: tracker 'nginx' is tracked by instance 'inside' and by its group
  edge: {instances: [web, inside], track: [nginx]}
                                          ^
  hint: keep one of the two
)");
}

} // namespace
} // namespace holdfast::config::testing
