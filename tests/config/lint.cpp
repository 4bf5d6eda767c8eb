#include "lint/lint.hpp"

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

std::string warnings(const std::string& text) {
    const auto loaded = load(request(text));
    EXPECT_TRUE(loaded.has_value()) << render(loaded.error());
    return loaded ? render(lint::check(*loaded)) : "";
}

TEST(Lint, IsSilentAboutAGoodFile) {
    EXPECT_EQ(warnings(instance_with("    priority: {lb1: 250, lb2: 249}\n    track: [n, {tracker: p, weight: -60}]\n"
                                     "trackers:\n  n: {unit: nginx.service}\n"
                                     "  p: {http: \"http://localhost/\", interval: 500ms, timeout: 300ms, fall: 3}\n")),
              "");
}

TEST(Lint, SaysWhatIsWeakerThanItLooks) {
    const std::string keys = "keys: {1: {credential: key}}";
    EXPECT_EQ(
        warnings(instance_with("    version: 2\n    authentication: {type: ah, credential: inside}\n")),
        R"(holdfast.yaml:7:21: warning: 'web' is authenticated by MD5 with a key of 8 bytes: that keeps out mistakes, not attackers
    authentication: {type: ah, credential: inside}
                    ^
  hint: it is for older routers; between hosts of holdfast and keepalived 2.4 use type: hmac
)");
    EXPECT_EQ(warnings(instance_with("    authentication: {type: hmac, " + keys + ", mode: receive-only}\n")),
              R"(holdfast.yaml:6:21: warning: 'web' still accepts adverts without a signature, and signs none itself
    authentication: {type: hmac, keys: {1: {credential: key}}, mode: receive-only}
                    ^
  hint: next, when every host has the keys: mode: permissive, then mode: enforce
)");
    EXPECT_EQ(warnings(instance_with("    authentication: {type: hmac, " + keys + "}\n")), "");
}

TEST(Lint, AnOwnerAlwaysPreempts) {
    EXPECT_EQ(
        warnings(instance_with("    priority: 255\n    preempt: false\n    track: [t]\n"
                               "trackers: {t: {process: t}}\n")),
        R"(holdfast.yaml:7:14: warning: 'web' has priority 255, and an owner always preempts: preempt has no effect
    preempt: false
             ^
  hint: give it a priority below 255, or remove preempt
)");
}

TEST(Lint, AnUntrackedLinkHasNoAddressesOfItsOwn) {
    EXPECT_EQ(
        warnings(instance_with("    track_link: off\n")),
        R"(holdfast.yaml:6:17: warning: 'web' goes on as master while eth0 has no carrier, where it has addresses that nobody reaches then
    track_link: off
                ^
  hint: give the addresses an interface of their own, or remove track_link
)");
}

TEST(Lint, WithoutPreemptionAWeightMovesNothing) {
    EXPECT_EQ(
        warnings(instance_with("    preempt: false\n    preempt_delay: 5s\n    track: [{tracker: t, weight: -5}]\n"
                               "trackers: {t: {process: t}}\n")),
        R"(holdfast.yaml:7:20: warning: 'web' does not preempt, so preempt_delay has no effect
    preempt_delay: 5s
                   ^
  hint: remove it, or write preempt: true
holdfast.yaml:8:12: warning: 'web' does not preempt, so a weight moves nothing: a standby never takes over from a working master
    track: [{tracker: t, weight: -5}]
           ^
  hint: track without weight (a failure is then a fault), or write preempt: true
)");
}

TEST(Lint, WeightsThatReachTheFloor) {
    EXPECT_EQ(
        warnings(instance_with("    track: [{tracker: t, weight: -60}, {tracker: u, weight: -40}]\n"
                               "trackers: {t: {process: t}, u: {process: u}}\n")),
        R"(holdfast.yaml:6:12: warning: all weights of 'web' together take 100 from its priority 100: it stops at 1, the same on every host
    track: [{tracker: t, weight: -60}, {tracker: u, weight: -40}]
           ^
  hint: use smaller weights, or track without weight
)");
}

TEST(Lint, AWeightTooSmallToMoveTheInstance) {
    EXPECT_EQ(
        warnings(instance_with("    priority: {lb1: 100, lb2: 95}\n    track: [{tracker: t, weight: -5}]\n"
                               "trackers: {t: {process: t}}\n")),
        R"(holdfast.yaml:7:12: warning: a failure of 't' cannot move 'web': its weight -5 does not exceed what lies between 100 and the 95 of lb2
    track: [{tracker: t, weight: -5}]
           ^
  hint: use a weight beyond 5, or bring the priorities closer
)");
}

TEST(Lint, PrioritiesOfTheHosts) {
    EXPECT_EQ(
        warnings(instance_with("    priority: {lb1: 100, lb2: 100, lb3: 90}\n")),
        R"(holdfast.yaml:6:21: warning: lb1 and lb2 have the same priority 100 in 'web': the higher IP address decides
    priority: {lb1: 100, lb2: 100, lb3: 90}
                    ^
  hint: give each host its own priority
)");
    EXPECT_EQ(
        warnings(instance_with("    priority: {lb1: 200, lb2: 181, lb3: 100}\n    advert_interval: 100ms\n")),
        R"(holdfast.yaml:6:21: warning: the priorities of lb1 and lb2 in 'web' are 19 points apart; at adverts every 100ms both may take over at once
    priority: {lb1: 200, lb2: 181, lb3: 100}
                    ^
  hint: keep at least 20 points between two hosts
)");
}

TEST(Lint, ATrackerThatNobodyUsesOrThatIsSlowerThanTheProtocol) {
    EXPECT_EQ(
        warnings(instance_with("    advert_interval: 100ms\n    track: [p]\n"
                               "trackers:\n  p: {http: \"http://localhost/\", fall: 2}\n  q: {process: q}\n")),
        R"(holdfast.yaml:9:3: warning: 'p' may need 3s to notice a failure, longer than the 300ms after which 'web' misses a dead host
  p: {http: "http://localhost/", fall: 2}
  ^
  hint: shorten interval and timeout, or lower fall
holdfast.yaml:10:3: warning: no instance tracks 'q'
  q: {process: q}
  ^
  hint: add it: track: [q]
)");
}

TEST(Lint, AScriptAndAPortAreAskedToo) {
    const auto text =
        warnings(instance_with("    advert_interval: 100ms\n    track: [s, p, f]\n"
                               "trackers:\n  s: {script: [/bin/s]}\n  p: {tcp: '127.0.0.1:1'}\n  f: {file: /f}\n"));
    EXPECT_NE(text.find("'s' may need 2s to notice a failure"), std::string::npos) << text;
    EXPECT_NE(text.find("'p' may need 2s to notice a failure"), std::string::npos) << text;
    EXPECT_EQ(text.find("'f'"), std::string::npos) << text;
}

TEST(Lint, AFilesWeightIsNoWeightOfAFailure) {
    EXPECT_EQ(warnings(instance_with("    priority: {lb1: 100, lb2: 50}\n    track: [{tracker: f, weight: -1}]\n"
                                     "trackers: {f: {file: /f}}\n")),
              "");
}

TEST(Lint, AReversedWeightThatReachesTheFloor) {
    EXPECT_EQ(warnings(instance_with(
                  "    track: [{tracker: t, weight: -120, reverse: true}]\ntrackers: {t: {process: t}}\n")),
              "");
    EXPECT_NE(
        warnings(instance_with("    track: [{tracker: t, weight: 120, reverse: true}]\ntrackers: {t: {process: t}}\n"))
            .find("all weights of 'web' together take 120 from its priority 100"),
        std::string::npos);
}

TEST(Lint, AHookThatOutlastsTheAnnouncements) {
    EXPECT_EQ(
        warnings(instance_with("    notify: {before_removal: [/bin/r], hook_timeout: 2s}\n")),
        R"(holdfast.yaml:6:13: warning: before_removal of 'web' may keep its addresses for 2s beside the successor's, which announces them for 1s only
    notify: {before_removal: [/bin/r], hook_timeout: 2s}
            ^
  hint: give hook_timeout: 1s at most, and leave to `backup` what takes longer
)");
    EXPECT_EQ(warnings(instance_with("    notify: {before_removal: [/bin/r], hook_timeout: 1s}\n")), "");
    EXPECT_NE(warnings(instance_with("    handover_timeout: 0s\n    notify: {before_removal: [/bin/r]}\n"))
                  .find("'web' hands over at once (handover_timeout: 0s), yet its addresses wait for before_removal"),
              std::string::npos);
}

TEST(Lint, ATrackerThatWatchesSomethingElse) {
    EXPECT_EQ(warnings(instance_with("    track: [app, link]\n"
                                     "trackers:\n  app: {process: python3}\n  link: {interface: eth0}\n")),
              R"(holdfast.yaml:6:12: warning: 'web' tracks eth0, its own interface, which is watched anyway
    track: [app, link]
           ^
  hint: remove it from track: without its link an instance is in fault
holdfast.yaml:8:18: warning: 'app' counts every python3 of this host, whatever it runs
  app: {process: python3}
                 ^
  hint: say which: arguments: [/path/of/the/script], match: initial
)");
    EXPECT_EQ(warnings(instance_with("    track: [app]\ntrackers: {app: {process: python3, arguments: [a.py]}}\n")),
              "");
}

TEST(Lint, AnAdvertThatDoesNotFitIntoAPacket) {
    std::string list;
    for (int i = 1; i <= 91; ++i)
        list += "      - 2001:db8::1:" + std::to_string(i) + "\n";
    const auto text = warnings("instances:\n  web:\n    interface: eth0\n    vrid: 5\n    addresses:\n" + list);
    EXPECT_EQ(
        text,
        R"(holdfast.yaml:6:7: warning: 'web' has 91 IPv6 addresses; an advert with more than 90 does not fit into 1500 bytes and is sent in fragments
      - 2001:db8::1:1
      ^
  hint: put some into another instance with a vrid of its own
)");
}

TEST(Lint, NothingToDo) {
    EXPECT_EQ(warnings("instances: {}\n"), "warning: there are no instances: this node holds no address\n"
                                           "  hint: describe one under 'instances:'\n");
}

} // namespace
} // namespace holdfast::config::testing
