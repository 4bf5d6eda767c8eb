// The schedule and the pace of announcements, as the file has them.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

struct Case {
    std::string line;
    std::string message;
    std::string hint;
};

/// One line in `where`, which has a place for it, and the one thing that is said about it.
void expect(const std::string& before, const std::vector<Case>& cases, const std::string& behind = "\n") {
    for (const auto& one : cases)
        expect_refused(before + one.line + behind, one.message, one.hint);
}

TEST(Announcements, HaveTheirScheduleInInstancesAndDefaults) {
    const auto check = [](const model::Instance& instance) {
        EXPECT_EQ(instance.announce_delay, 5s);
        EXPECT_EQ(instance.announce_repeat, 255U);
        EXPECT_EQ(instance.announce_refresh_repeat, 2U);
        EXPECT_EQ(instance.announce_lower_delay, 1s);
        EXPECT_EQ(instance.announce_lower_repeat, 3U);
        EXPECT_EQ(instance.announce_interval, 1us);
        EXPECT_EQ(instance.announce_other_links, (model::OtherLinks{60s, true}));
    };
    const std::string all = "announce_delay: 5s, announce_repeat: 255, announce_refresh_repeat: 2, "
                            "announce_lower_delay: 1s, announce_lower_repeat: 3, announce_interval: 1us, "
                            "announce_other_links: all  1min";
    check(good("defaults: {" + all + "}\n" + instance_with("")).instances[0]);
    check(good("instances: {web: {interface: eth0, vrid: 1, addresses: [10.0.0.1], " + all + "}}\n").instances[0]);
    EXPECT_EQ(
        good(instance_with("    announce_other_links: {lb1: 0s, default: all 5s}\n")).instances[0].announce_other_links,
        model::OtherLinks{});
}

TEST(Announcements, SayWhatIsWrongWithTheirSchedule) {
    const std::string unit = "a duration is a number and its unit (us, ms, s, min, h, d), like 1s or 250ms";
    expect(
        instance_with("    "),
        {
            {"announce_delay: 5", "announce_delay needs a unit: '5' of what?",
             "write 5s for seconds or 5ms for milliseconds"},
            {"announce_delay: 2h", "announce_delay must be 0s to 1h, not '2h'", ""},
            {"announce_repeat: 0", "announce_repeat must be a number from 1 to 255, not '0'", ""},
            {"announce_repeat: 256", "announce_repeat must be a number from 1 to 255, not '256'", ""},
            {"announce_repeat: 5s", "announce_repeat must be a number from 1 to 255, not '5s'", ""},
            {"announce_refresh_repeat: []", "announce_refresh_repeat must be a number from 1 to 255, not a list", ""},
            {"announce_lower_delay: 999ms", "announce_lower_delay must be 0s or 1s to 1h, not '999ms'", ""},
            {"announce_lower_repeat: -1", "announce_lower_repeat must be a number from 1 to 255, not '-1'", ""},
            {"announce_interval: 2min", "announce_interval must be 0s or 1us to 1min, not '2min'", ""},
            {"announce_interval: fast", "announce_interval must be a duration from 0s or 1us to 1min, not 'fast'",
             unit},
            {"announce_other_links: all", "announce_other_links must be a duration behind `all`, not 'all'",
             "write all 1min"},
            {"announce_other_links: 'all '", "announce_other_links must be a duration behind `all`, not 'all '",
             "write all 1min"},
            {"announce_other_links: all 5ms", "announce_other_links must be 0s or 1s to 1d, not '5ms'", ""},
            {"announce_other_links: some 5s",
             "announce_other_links must be a duration from 0s or 1s to 1d, not 'some 5s'", unit},
            {"announce_other_links: [all, 5s]",
             "announce_other_links must be a duration from 0s or 1s to 1d, not a list", ""},
        });
}

TEST(Announcements, AnswerKeepalivedsWords) {
    const auto unknown = [](const std::string& word) { return "'" + word + "' is not a directive of an instance"; };
    for (const std::string start : {"", "vrrp_"}) {
        const auto word = [&](const std::string& rest) { return start + rest; };
        expect(instance_with("    "), {
                                          {word("garp_master_delay") + ": 5", unknown(word("garp_master_delay")),
                                           "write announce_delay, with a unit: 5s"},
                                          {word("garp_lower_prio_repeat") + ": 5",
                                           unknown(word("garp_lower_prio_repeat")), "write announce_lower_repeat"},
                                          {word("garp_interval") + ": 0.001", unknown(word("garp_interval")),
                                           "write announce_interval, with a unit: 5ms"},
                                          {word("garp_extra_if") + ": all 60", unknown(word("garp_extra_if")),
                                           "write announce_other_links, with a unit: 1min, or all 1min"},
                                      });
    }
    expect("instances: {}\n", {{"garp_group: {}", "'garp_group' is not a directive of the file",
                                "write announce_groups: {NAME: {interfaces: [eth0], interval: 5ms}}"}});
}

TEST(AnnounceGroups, AreInterfacesAndAnInterval) {
    const auto groups = good("instances: {}\nannounce_groups:\n  b: {interfaces: [eth1], interval: 5ms}\n"
                             "  a: {interfaces: [eth0, eth2], interval: 1min}\n")
                            .announce_groups;
    EXPECT_EQ(groups, (std::vector<model::AnnounceGroup>{{"a", {"eth0", "eth2"}, 1min}, {"b", {"eth1"}, 5ms}}));
}

TEST(AnnounceGroups, SayWhatIsWrongWithThem) {
    const std::string list = "interfaces must be a list of 1 to 1000 interfaces, not ";
    expect("instances: {}\nannounce_groups: {a: {",
           {
               {"interfaces: [eth0]", "announce group 'a' has no interval", "add interval: 1us to 1min"},
               {"interval: 5ms", "announce group 'a' has no interfaces", "add interfaces: a list of interface names"},
               {"interval: 0s, interfaces: [eth0]", "interval must be 1us to 1min, not '0s'", ""},
               {"interval: 5, interfaces: [eth0]", "interval needs a unit: '5' of what?",
                "write 5s for seconds or 5ms for milliseconds"},
               {"interval: 5ms, interfaces: eth0", list + "'eth0'", "write [eth0]"},
               {"interval: 5ms, interfaces: []", list + "a list", ""},
               {"interval: 5ms, interfaces: [eth0, a/b]",
                "an entry of interfaces must be the name of a network interface, not 'a/b'", ""},
               {"interval: 5ms, interfaces: [eth0, eth0]", "interface 'eth0' is in announce group 'a' already",
                "named at holdfast.yaml:2:51; keep one of them"},
               {"interval: 5ms, interfaces: [eth0]}, b: {interval: 5ms, interfaces: [eth0]",
                "interface 'eth0' is in announce group 'a' already", "named at holdfast.yaml:2:51; keep one of them"},
               {"interval: 5ms, interfaces: [eth0], garp_interval: 5",
                "'garp_interval' is not a directive of an announce group", "write interval, with a unit: 5ms"},
           },
           "}}\n");
    expect("instances: {}\n",
           {{"announce_groups: []", "'announce_groups' must be a map from names to objects", ""},
            {"announce_groups: {a b: {}}", "'a b' cannot be the name of an announce group",
             "a name has 1 to 64 letters, digits, '_', '.' or '-'"},
            {"announce_groups: {a: 5}", "announce group 'a' must be a map of directives, not a text", ""}});
}

} // namespace
} // namespace holdfast::config::testing
