#include "model/diff.hpp"

#include <functional>
#include <gtest/gtest.h>

namespace holdfast::model {
namespace {

Instance instance(std::string name) {
    return {.name = std::move(name),
            .interface = "eth0",
            .vrid = Vrid{51},
            .authentication = {},
            .addresses = {Prefix{IpAddress::v4(192, 0, 2, 10), 24}},
            .track = {}};
}
Tracker tracker(std::string name) {
    return {.name = std::move(name), .kind = UnitTracker{"nginx.service"}, .timeout = 1s};
}
Config config() {
    return {.node_name = "lb1", .instances = {instance("a"), instance("b")}, .trackers = {tracker("t"), tracker("u")}};
}

TEST(Diff, OfEqualConfigsIsEmpty) {
    EXPECT_TRUE(diff(config(), config()).empty());
    EXPECT_TRUE(diff({}, {}).empty());
}

TEST(Diff, NamesWhatComesAndGoes) {
    auto after = config();
    after.instances.erase(after.instances.begin());
    after.instances.push_back(instance("c"));
    after.trackers = {tracker("u"), tracker("v")};
    const auto result = diff(config(), after);
    EXPECT_EQ(result.added_instances, std::vector<std::string>{"c"});
    EXPECT_EQ(result.removed_instances, std::vector<std::string>{"a"});
    EXPECT_TRUE(result.changed_instances.empty()) << "an unchanged instance sees nothing of a reload";
    EXPECT_EQ(result.added_trackers, std::vector<std::string>{"v"});
    EXPECT_EQ(result.removed_trackers, std::vector<std::string>{"t"});
    EXPECT_TRUE(result.changed_trackers.empty());
    EXPECT_FALSE(result.empty());
}

TEST(Diff, OneFamilyMoreIsAnotherObject) {
    auto before = config();
    auto after = config();
    after.instances[0].name = "a/ipv4";
    after.instances.insert(after.instances.begin() + 1, instance("a/ipv6"));
    const auto result = diff(before, after);
    EXPECT_EQ(result.removed_instances, std::vector<std::string>{"a"});
    EXPECT_EQ(result.added_instances, (std::vector<std::string>{"a/ipv4", "a/ipv6"}));
}

TEST(Diff, SaysOfEveryFieldHowItIsChanged) {
    struct Case {
        const char* field;
        std::function<void(Instance&)> change;
        Reload how;
    };
    const Case cases[]{
        {"interface", [](Instance& i) { i.interface = "eth1"; }, Reload::restart},
        {"vrid", [](Instance& i) { i.vrid = Vrid{52}; }, Reload::restart},
        {"family", [](Instance& i) { i.family = Family::ipv6; }, Reload::restart},
        {"version", [](Instance& i) { i.version = Version::v2; }, Reload::restart},
        {"owner", [](Instance& i) { i.priority = owner_priority; }, Reload::restart},
        {"priority", [](Instance& i) { i.priority = Priority{200}; }, Reload::live},
        {"advert_interval", [](Instance& i) { i.advert_interval = 100ms; }, Reload::live},
        {"preempt", [](Instance& i) { i.preempt = false; }, Reload::live},
        {"preempt_delay", [](Instance& i) { i.preempt_delay = 1s; }, Reload::live},
        {"prompt", [](Instance& i) { i.prompt = false; }, Reload::live},
        {"accept", [](Instance& i) { i.accept = false; }, Reload::live},
        {"track_link", [](Instance& i) { i.track_link = false; }, Reload::live},
        {"startup_delay", [](Instance& i) { i.startup_delay = 1s; }, Reload::live},
        {"boot_delay", [](Instance& i) { i.boot_delay = 1s; }, Reload::live},
        {"handover_timeout", [](Instance& i) { i.handover_timeout = 0s; }, Reload::live},
        {"announce_refresh", [](Instance& i) { i.announce_refresh = 0s; }, Reload::live},
        {"announce_interval", [](Instance& i) { i.announce_interval = 1us; }, Reload::live},
        {"announce_other_links", [](Instance& i) { i.announce_other_links.all = true; }, Reload::live},
        {"lease", [](Instance& i) { i.lease.on = false; }, Reload::live},
        {"authentication", [](Instance& i) { i.authentication.emplace(); }, Reload::live},
        {"addresses", [](Instance& i) { i.addresses.pop_back(); }, Reload::live},
        {"track", [](Instance& i) { i.track.push_back({"t", -5}); }, Reload::live},
    };
    for (const auto& one : cases) {
        auto after = config();
        one.change(after.instances[1]);
        const auto result = diff(config(), after);
        ASSERT_EQ(result.changed_instances.size(), 1U) << one.field;
        EXPECT_EQ(result.changed_instances[0].name, "b");
        EXPECT_EQ(result.changed_instances[0].how, one.how) << one.field;
        EXPECT_EQ(how_to_change(after.instances[1], config().instances[1]), one.how) << one.field << ", back again";
    }
}

TEST(Diff, SeesEveryFieldOfATracker) {
    const std::function<void(Tracker&)> changes[]{
        [](Tracker& t) { t.kind = UnitTracker{"other.service"}; },
        [](Tracker& t) { t.kind = ProcessTracker{"nginx.service"}; },
        [](Tracker& t) { t.interval = 2s; },
        [](Tracker& t) { t.timeout = 2s; },
        [](Tracker& t) { t.rise = 2; },
        [](Tracker& t) { t.fall = 2; },
    };
    for (const auto& change : changes) {
        auto after = config();
        change(after.trackers[0]);
        EXPECT_EQ(diff(config(), after).changed_trackers, std::vector<std::string>{"t"});
    }
}

TEST(Diff, DoesNotDependOnTheNodeName) {
    auto after = config();
    after.node_name = "lb2";
    EXPECT_TRUE(diff(config(), after).empty());
}

TEST(Find, GivesTheObjectOrNothing) {
    const auto some = config();
    EXPECT_EQ(find_instance(some, "b"), &some.instances[1]);
    EXPECT_EQ(find_instance(some, "c"), nullptr);
    EXPECT_EQ(find_tracker(some, "t"), &some.trackers[0]);
    EXPECT_EQ(find_tracker(some, "a"), nullptr);
}

TEST(ObjectName, IsWhatTheFileCallsIt) {
    EXPECT_EQ(object_name("web"), "web");
    EXPECT_EQ(object_name("web/ipv4"), "web");
    EXPECT_EQ(object_name("web/ipv6"), "web");
}

TEST(TrackerKind, HasAWordAndATarget) {
    EXPECT_EQ(kind_name(InterfaceTracker{"eth0"}), "interface");
    EXPECT_EQ(kind_name(ProcessTracker{"nginx"}), "process");
    EXPECT_EQ(kind_name(UnitTracker{"nginx.service"}), "unit");
    EXPECT_EQ(kind_name(HttpTracker{"http://localhost/"}), "http");
    const TrackerKind kind{HttpTracker{"http://localhost/"}};
    EXPECT_EQ(target(kind), "http://localhost/");
}

} // namespace
} // namespace holdfast::model
