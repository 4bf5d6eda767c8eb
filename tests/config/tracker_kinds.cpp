// The kinds of trackers besides links, units and URLs: what may be said of each, and what an error says.
#include "tracker_case.hpp"

namespace holdfast::config::testing {
namespace {

model::TrackerKind kind(const std::string& directives) {
    return good(tracker_with(directives)).trackers.at(0).kind;
}

TEST(Tracker, AScriptIsAProgramAndItsWords) {
    const std::string wanted = "script must be a list: a program with its whole path, then its arguments, not ";
    expect({
        {"script: /bin/check -q a", wanted + "'/bin/check -q a'",
         "write [\"/bin/check\", \"-q\", a]: no shell reads it"},
        {"script: []", wanted + "a list", ""},
        {"script: [check]", "the program of script must be a path that begins with '/', not 'check'",
         "no search path is looked through"},
        {"script: [/bin/]", "the program of script must be a path that begins with '/', not '/bin/'",
         "no search path is looked through"},
        {"script: [/bin/a, [b]]", "a word of script must be a text, not a list", ""},
        {"script: [/bin/a], user: 'a b'", "user must be the name of a user, not 'a b'", ""},
        {"script: [/bin/a], quorum: 2", "quorum goes with process, not with script", "remove it"},
        {"tcp: '127.0.0.1:1', user: nobody", "user goes with script, not with tcp", "remove it"},
    });
    std::string many;
    for (int i = 0; i < 64; ++i)
        many += ", x";
    expect({{"script: [/bin/a" + many + "]", "script must have at most 64 words and 32768 bytes",
             "put them into a script"},
            {"script: [/bin/a, " + std::string(4097, 'x') + "]",
             "a word of script must have at most 4096 bytes, none of them zero", ""}});
    const auto tracker =
        good(tracker_with("script: [/bin/a, '', 1], user: nobody, init_fail: true, interval: 2s")).trackers[0];
    EXPECT_EQ(tracker.kind, (model::TrackerKind{model::ScriptTracker{{"/bin/a", "", "1"}, "nobody"}}));
    EXPECT_TRUE(tracker.init_fail);
    EXPECT_EQ(tracker.timeout, 2s);
}

TEST(Tracker, AFileHasAPathAndANumberForItsAbsence) {
    const std::string path = "file must be the path of a file, from '/' on, not ";
    expect({
        {"file: weights", path + "'weights'", ""},
        {"file: /run/", path + "'/run/'", ""},
        {"file: \"/run/a\\nb\"", path + "'/run/a?b'", ""},
        {"file: /a, init: x", "init must be a number from -1000000 to 1000000, not 'x'", ""},
        {"file: /a, init: 1000001", "init must be a number from -1000000 to 1000000, not '1000001'", ""},
        {"unit: a.service, init: 1", "init goes with file, not with unit", "remove it"},
        {"file: /a, rise: 2", "rise has no meaning for a file: its number counts at once", "remove it"},
        {"file: /a, fall: 2", "fall has no meaning for a file: its number counts at once", "remove it"},
        {"file: /a, init_fail: true", "init_fail has no meaning for a file: its number counts at once", "remove it"},
    });
    EXPECT_EQ(kind("file: /run/weight, init: -5"), (model::TrackerKind{model::FileTracker{"/run/weight", -5}}));
}

TEST(Tracker, TcpHasAnAddressAndAPort) {
    const std::string wanted = "tcp must be an address with a port, like 192.0.2.1:80 or [2001:db8::1]:80, not ";
    expect({
        {"tcp: 192.0.2.1", wanted + "'192.0.2.1'", ""},
        {"tcp: 'example.com:80'", "tcp must name an address, not the host 'example.com'",
         "a tracker must not fail because a name server does"},
        {"tcp: 'localhost:80'", "tcp must name an address, not the host 'localhost'", "write 127.0.0.1 or [::1]"},
        {"tcp: '192.0.2.1:0'", "tcp has a port that is not 1 to 65535: '0'", ""},
        {"tcp: '[192.0.2.1]:80'", wanted + "'[192.0.2.1]:80'", ""},
        {"tcp: '2001:db8::1:80'", "tcp has a port that is not 1 to 65535: 'db8::1:80'", ""},
    });
    for (const std::string fine : {"192.0.2.1:80", "[2001:db8::1]:65535"})
        EXPECT_EQ(kind("tcp: '" + fine + "'"), (model::TrackerKind{model::TcpTracker{fine}}));
}

TEST(Tracker, AProcessIsCountedWithinLimitsAndByItsWords) {
    expect({
        {"process: a, quorum: 3, quorum_max: 2", "quorum_max 2 is below quorum 3: it could never be up",
         "raise quorum_max"},
        {"process: a, quorum: 3, quorum_max: 0", "quorum_max 0 is below quorum 3: it could never be up",
         "remove quorum: none may run"},
        {"process: a, quorum_max: -1", "quorum_max must be a number from 0 to 10000, not '-1'", ""},
        {"process: a, match: initial", "match needs words to compare", "add arguments: [...]"},
        {"process: a, arguments: [x], match: first", "match must be exact, initial or partial, not 'first'", ""},
        {"process: a, arguments: x", "arguments must be a list of words, not 'x'", "write [x]: no shell reads it"},
        {"command: nginx -c x", "command must be a list of words, not 'nginx -c x'",
         "write [nginx, \"-c\", x]: no shell reads it"},
        {"command: [a], arguments: [x]", "arguments goes with process, not with command", "remove it"},
        {"process: a, fork_delay: 5", "fork_delay needs a unit: '5' of what?",
         "write 5s for seconds or 5ms for milliseconds"},
        {"process: a, delay: 2h", "delay must be 0s to 1h, not '2h'", ""},
        {"process: a, terminate_delay: 2h", "terminate_delay must be 0s to 1h, not '2h'", ""},
        {"unit: a.service, terminate_delay: 5s", "terminate_delay goes with process, not with unit", "remove it"},
        {"unit: a.service, fork_delay: 5s", "fork_delay goes with process, not with unit", "remove it"},
        {"unit: a.service, delay: 5s", "delay goes with process, not with unit", "remove it"},
        {"unit: a.service, quorum_max: 5", "quorum_max goes with process, not with unit", "remove it"},
        {"unit: a.service, match: exact", "match goes with process, not with unit", "remove it"},
        {"process: a, init_fail: perhaps", "init_fail must be true or false (on, off, yes, no), not 'perhaps'", ""},
    });
    EXPECT_EQ(kind("process: a, quorum_max: 0, delay: 2s, fork_delay: 1s, arguments: [x, -y], match: partial"),
              (model::TrackerKind{model::ProcessTracker{.process = "a",
                                                        .quorum_max = 0,
                                                        .arguments = {"x", "-y"},
                                                        .match = model::Match::partial,
                                                        .fork_delay = 1s,
                                                        .terminate_delay = 2s}}));
    EXPECT_EQ(kind("command: [/usr/bin/python3, app.py]"),
              (model::TrackerKind{model::ProcessTracker{.command = {"/usr/bin/python3", "app.py"}}}));
}

TEST(Tracker, LinksAndUnitsHaveTheirDelays) {
    expect({
        {"process: a, up_delay: 5s", "up_delay goes with interface, not with process", "remove it"},
        {"process: a, down_delay: 5s", "down_delay goes with interface, not with process", "remove it"},
        {"unit: a.service, poll: 1s", "poll goes with interface, not with unit", "remove it"},
        {"interface: a, up_delay: 5h", "up_delay must be 0s to 1h, not '5h'", ""},
        {"interface: a, down_delay: 5h", "down_delay must be 0s to 1h, not '5h'", ""},
        {"process: a, restart: 5s", "restart goes with unit, not with process", "remove it"},
        {"unit: a.service, restart: 1", "restart needs a unit: '1' of what?",
         "write 1s for seconds or 1ms for milliseconds"},
    });
    EXPECT_EQ(kind("interface: eth0, up_delay: 1s, down_delay: 200ms"),
              (model::TrackerKind{model::InterfaceTracker{"eth0", 1s, 200ms}}));
    EXPECT_EQ(kind("interface: eth0, poll: 1s"),
              (model::TrackerKind{model::InterfaceTracker{.interface = "eth0", .poll = 1s}}));
    EXPECT_EQ(kind("unit: a.service, restart: 2s"), (model::TrackerKind{model::UnitTracker{"a.service", 2s}}));
}

TEST(Tracker, AUseMayBeReversedAndAnOwnersHasNoWeight) {
    const std::string trackers = "trackers: {t: {process: t}}\n";
    const auto track = [&](const std::string& entry) {
        return good(instance_with("    track: [" + entry + "]\n" + trackers)).instances[0].track;
    };
    EXPECT_EQ(track("{tracker: t, weight: 20, reverse: true}"), (std::vector<model::TrackUse>{{"t", 20, true}}));
    EXPECT_EQ(track("{tracker: t, reverse: yes}"), (std::vector<model::TrackUse>{{"t", std::nullopt, true}}));
    EXPECT_EQ(errors(instance_with("    track: [{tracker: t, reverse: maybe}]\n" + trackers)),
              R"(holdfast.yaml:6:35: error: reverse must be true or false (on, off, yes, no), not 'maybe'
    track: [{tracker: t, reverse: maybe}]
                                  ^
)");
    EXPECT_EQ(errors(instance_with("    priority: 255\n    track: [{tracker: t, weight: -5}]\n" + trackers)),
              R"(holdfast.yaml:7:12: error: 'web' has priority 255, to which no weight is added: t has weight -5
    track: [{tracker: t, weight: -5}]
           ^
  hint: give it a priority below 255, or track without weight
)");
}

TEST(Tracker, EveryKindIsDumpedAsItIsRead) {
    const std::string each[] = {
        "interface: eth1, up_delay: 2s, down_delay: 1s, poll: 500ms",
        "process: a, quorum: 2, quorum_max: 4, arguments: ['-c', 'x y'], match: initial, delay: 1s",
        "process: a, quorum_max: 0",
        "command: [/bin/a, '', '1'], match: partial",
        "unit: a.service, restart: 3s",
        "tcp: '[::1]:25', timeout: 200ms",
        "script: [/bin/a, 'b: c', '#d'], user: nobody, init_fail: true, rise: 2, fall: 3",
        "file: '/run/a b', init: -3",
    };
    for (const auto& one : each) {
        const auto config = good(tracker_with(one));
        EXPECT_EQ(good(dump(config)), config) << one;
    }
    const auto config =
        good(instance_with("    track: [{tracker: t, weight: -3, reverse: true}, {tracker: u, reverse: true}]\n"
                           "trackers: {t: {process: t}, u: {process: u}}\n"));
    EXPECT_EQ(good(dump(config)), config);
}

} // namespace
} // namespace holdfast::config::testing
