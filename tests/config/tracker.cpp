#include "tracker_case.hpp"

namespace holdfast::config::testing {
namespace {

TEST(Tracker, WatchesExactlyOneThing) {
    EXPECT_EQ(errors(tracker_with("unit: a.service, process: a")),
              R"(holdfast.yaml:3:7: error: tracker 't' watches process already, and unit would be a second thing
  t: {unit: a.service, process: a}
      ^
  hint: make two trackers and track both
)");
    expect({{"interval: 1s", "tracker 't' does not say what it watches",
             "add one of interface, process, command, unit, http, tcp, script, file, bfd, route and virtual_server"}});
}

TEST(Tracker, AProcessHasANameThatTheKernelKeeps) {
    EXPECT_EQ(
        errors(tracker_with("process: systemd-journald-x")),
        R"(holdfast.yaml:3:16: error: process can never match 'systemd-journald-x': the kernel keeps 15 bytes of a process name
  t: {process: systemd-journald-x}
               ^
  hint: write systemd-journal, which is what /proc/PID/comm says
)");
    expect({
        {"process: /usr/sbin/nginx", "process must be the name of a process, not the path '/usr/sbin/nginx'",
         "write nginx"},
        {"process: ''", "process must be the name of a process, not empty", ""},
        {"process: nginx, quorum: 0", "quorum must be a number from 1 to 10000, not '0'", ""},
        {"unit: a.service, quorum: 2", "quorum goes with process, not with unit", "remove it"},
    });
    const auto tracker = good(tracker_with("quorum: 3, process: nginx")).trackers[0];
    EXPECT_EQ(tracker.kind, (model::TrackerKind{model::ProcessTracker{"nginx", 3}}));
}

TEST(Tracker, AUnitHasItsType) {
    expect({
        {"unit: nginx", "unit must be the name of a systemd unit with its type, not 'nginx'", "write nginx.service"},
        {"unit: getty@.service", "unit must be a unit that can run, and 'getty@.service' is a template",
         "name an instance of it, like getty@1.service"},
        {"unit: .service", "unit must be the name of a systemd unit, not '.service'", ""},
        {"unit: a b.service", "unit must be the name of a systemd unit, not 'a b.service'", ""},
    });
    for (const std::string fine :
         {"nginx.service", "getty@tty1.service", "docker.socket", "multi-user.target", "a\\x2db.mount"})
        EXPECT_EQ(errors(tracker_with("unit: '" + fine + "'")), "") << fine;
}

TEST(Tracker, HttpAsksThisHostOnly) {
    const std::string local = "a tracker watches the local service: write 127.0.0.1, [::1] or localhost";
    const std::string url = "http must be a URL like http://127.0.0.1/health, not ";
    expect({
        {"http: 'https://127.0.0.1/'", "http cannot be https: a tracker asks this host's own service, in plain HTTP",
         "write http://"},
        {"http: 'http://192.0.2.1/'", "http must ask this host itself, and '192.0.2.1' is not loopback", local},
        {"http: 'http://example.com/'", "http must ask this host itself, and 'example.com' is not loopback", local},
        {"http: 'http://localhost.example.com/'",
         "http must ask this host itself, and 'localhost.example.com' is not loopback", local},
        {"http: 'http://[2001:db8::1]/'", "http must ask this host itself, and '2001:db8::1' is not loopback", local},
        {"http: 'http://[127.0.0.1]/'", "http must ask this host itself, and '127.0.0.1' is not loopback", local},
        {"http: 'http://localhost:0/'", "http has a port that is not 1 to 65535: '0'", ""},
        {"http: 'http://localhost:65536/'", "http has a port that is not 1 to 65535: '65536'", ""},
        {"http: 'http://localhost:/'", url + "'http://localhost:/'", ""},
        {"http: 'http://user@localhost/'", url + "'http://user@localhost/'", ""},
        {"http: 'http://'", url + "'http://'", ""},
        {"http: 'http:///x'", url + "'http:///x'", ""},
        {"http: 'http://[::1/x'", url + "'http://[::1/x'", ""},
        {"http: 'http://localhost/a b'", url + "'http://localhost/a b'", ""},
        {"http: \"http://localhost/a\\r\\nHost: x\"", url + "'http://localhost/a??Host: x'", ""},
        {"http: 127.0.0.1/health", url + "'127.0.0.1/health'", ""},
    });
    for (const std::string fine : {"http://127.0.0.1", "http://localhost:8080/health?x=1", "http://[::1]:80/",
                                   "http://127.9.9.9/", "http://[::1]?x"})
        EXPECT_EQ(errors(tracker_with("http: '" + fine + "'")), "") << fine;
}

TEST(Tracker, BoundsItsTimes) {
    EXPECT_EQ(errors(tracker_with("unit: a.service, timeout: 2s")),
              R"(holdfast.yaml:3:33: error: timeout 2s is longer than the interval, 1s
  t: {unit: a.service, timeout: 2s}
                                ^
  hint: one probe has to end before the next one starts
)");
    expect({
        {"unit: a.service, interval: 50ms", "interval must be 100ms to 1h, not '50ms'", ""},
        {"unit: a.service, interval: 2h", "interval must be 100ms to 1h, not '2h'", ""},
        {"unit: a.service, interval: 5", "interval needs a unit: '5' of what?",
         "write 5s for seconds or 5ms for milliseconds"},
        {"unit: a.service, timeout: 0s", "timeout must be 10ms to 1h, not '0s'", ""},
        {"unit: a.service, rise: 0", "rise must be a number from 1 to 1000, not '0'", ""},
        {"unit: a.service, fall: 1001", "fall must be a number from 1 to 1000, not '1001'", ""},
    });
}

TEST(Tracker, AnswersWordsThatBelongElsewhereOrLater) {
    expect({
        {"unit: a.service, weight: -5", "'weight' is not a directive of a tracker",
         "give it where the tracker is used: track: [{tracker: NAME, weight: -60}]"},
        {"unit: a.service, full_command: true", "'full_command' is not a directive of a tracker",
         "write command: [/usr/sbin/nginx, ...] instead of process"},
        {"unit: a.service, route: 0.0.0.0/0", "tracker 't' watches unit already, and route would be a second thing",
         "make two trackers and track both"},
        {"unit: a.service, intervall: 2s", "'intervall' is not a directive of a tracker", "did you mean 'interval'?"},
    });
}

TEST(Tracker, DiffersByHostWhereItHasTo) {
    EXPECT_EQ(good(tracker_with("interface: {lb1: eth2, lb2: ens3}")).trackers[0].kind,
              (model::TrackerKind{model::InterfaceTracker{"eth2"}}));
}

} // namespace
} // namespace holdfast::config::testing
