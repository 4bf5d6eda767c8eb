#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

/// One line of an instance (line 6) and what is said about it, without the place and the source line.
struct Case {
    std::string line;
    std::string message;
    std::string hint;
};

void expect(const std::vector<Case>& cases) {
    for (const auto& one : cases) {
        const auto problem = expect_refused(instance_with("    " + one.line + "\n"), one.message, one.hint);
        EXPECT_EQ(problem.line, 6U);
        EXPECT_EQ(problem.source, "    " + one.line);
    }
}

/// The same for a whole replacement of the addresses.
std::string addresses(const std::string& list) {
    return errors("instances:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: " + list + "\n");
}

TEST(Instance, NamesTheNearestKeyForATypingSlip) {
    EXPECT_EQ(errors(instance_with("    prioirty: 100\n")),
              R"(holdfast.yaml:6:5: error: 'prioirty' is not a directive of an instance
    prioirty: 100
    ^
  hint: did you mean 'priority'?
)");
}

TEST(Instance, AnswersKeepalivedsWords) {
    const auto unknown = [](const std::string& word) { return "'" + word + "' is not a directive of an instance"; };
    expect({
        {"state: MASTER", unknown("state"), "who is master is decided by priority: remove it"},
        {"virtual_router_id: 51", unknown("virtual_router_id"), "write vrid"},
        {"advert_int: 1", unknown("advert_int"), "write advert_interval, with a unit: 1s"},
        {"virtual_ipaddress: [10.0.0.1]", unknown("virtual_ipaddress"), "write addresses: [192.0.2.10/24]"},
        {"nopreempt:", unknown("nopreempt"), "write preempt: false"},
    });
    for (const std::string word : {"master", "backup", "fault", "stop"})
        expect({{"notify_" + word + ": x", "'notify_" + word + "' is not a directive of an instance",
                 "write notify: {" + word + ": [/path/to/program]}"}});
    expect({{"smtp_alert: x", "'smtp_alert' is not a directive of an instance",
             "write notify: {mail: true}, and mail: at the top level"}});
}

TEST(Instance, RefusesWrongKindsAndRanges) {
    const std::string number = "a number from 1 to 255";
    expect({
        {"priority: 0", "priority must be " + number + ", not '0'", ""},
        {"priority: 256", "priority must be " + number + ", not '256'", ""},
        {"priority: -1", "priority must be " + number + ", not '-1'", ""},
        {"priority: 99999999999999999999", "priority must be " + number + ", not '99999999999999999999'", ""},
        {"priority: 1e2", "priority must be " + number + ", not '1e2'", ""},
        {"priority: 10.0", "priority must be " + number + ", not '10.0'", ""},
        {"priority: 0x10", "priority must be " + number + ", not '0x10'", ""},
        {"priority: 010", "priority must be " + number + ", not '010'", "write it without the leading zero"},
        {"priority: \"10\"", "priority must be " + number + ", not '10'", "remove the quotes"},
        {"priority: \"\"", "priority must be " + number + ", not empty", ""},
        {"priority: high", "priority must be " + number + ", not 'high'", ""},
        {"priority: [1]", "priority must be " + number + ", not a list", ""},
        {"priority:", "priority must be " + number + ", not empty", ""},
        {"version: 4", "version must be 2 or 3, not '4'", ""},
        {"preempt: 1", "preempt must be true or false (on, off, yes, no), not '1'", ""},
        {"preempt: \"true\"", "preempt must be true or false (on, off, yes, no), not 'true'", "remove the quotes"},
        {"prompt: maybe", "prompt must be true or false (on, off, yes, no), not 'maybe'", ""},
        {"lease: 3s", "lease must be auto or off, not '3s'", ""},
    });
}

TEST(Instance, TakesEveryWayToSayYesAndNo) {
    for (const std::string word : {"true", "on", "yes", "True", "ON", "Yes"})
        EXPECT_TRUE(good(instance_with("    accept: " + word + "\n")).instances[0].accept) << word;
    for (const std::string word : {"false", "off", "no", "False", "OFF", "No"})
        EXPECT_FALSE(good(instance_with("    accept: " + word + "\n")).instances[0].accept) << word;
}

TEST(Instance, ADurationCarriesItsUnit) {
    const std::string unit_hint = "a duration is a number and its unit (us, ms, s, min, h, d), like 1s or 250ms";
    expect({
        {"preempt_delay: 30", "preempt_delay needs a unit: '30' of what?",
         "write 30s for seconds or 30ms for milliseconds"},
        {"preempt_delay: 0", "preempt_delay needs a unit: '0' of what?",
         "write 0s for seconds or 0ms for milliseconds"},
        {"preempt_delay: 1.5", "preempt_delay needs a unit: '1.5' of what?",
         "write 1.5s for seconds or 1.5ms for milliseconds"},
        {"preempt_delay: 30sec", "preempt_delay must be a duration from 0s to 1h, not '30sec'", unit_hint},
        {"preempt_delay: -1s", "preempt_delay must be a duration from 0s to 1h, not '-1s'", unit_hint},
        {"preempt_delay: 2h", "preempt_delay must be 0s to 1h, not '2h'", ""},
        {"preempt_delay: [1s]", "preempt_delay must be a duration from 0s to 1h, not a list", ""},
        {"startup_delay: 61min", "startup_delay must be 0s to 1h, not '61min'", ""},
        {"boot_delay: 2h", "boot_delay must be 0s to 1h, not '2h'", ""},
        {"track_link: maybe", "track_link must be true or false (on, off, yes, no), not 'maybe'", ""},
        {"handover_timeout: 61s", "handover_timeout must be 0s to 1min, not '61s'", ""},
        {"announce_refresh: 10ms", "announce_refresh must be 0s or 1s to 1d, not '10ms'", ""},
    });
    const auto instance = good(instance_with("    preempt_delay: 1.5s\n    startup_delay: 1min\n    boot_delay: 2min\n "
                                             "   track_link: off\n    handover_timeout: 0s\n"
                                             "    announce_refresh: 0s\n"))
                              .instances[0];
    EXPECT_EQ(instance.preempt_delay, 1500ms);
    EXPECT_EQ(instance.startup_delay, 1min);
    EXPECT_EQ(instance.boot_delay, 2min);
    EXPECT_FALSE(instance.track_link);
    EXPECT_EQ(instance.handover_timeout, 0s);
    EXPECT_EQ(instance.announce_refresh, 0s);
}

TEST(Instance, AnAdvertIntervalIsOneThatItsVersionCanSend) {
    const std::string range = "version 3: 10ms to 40.95s in steps of 10ms; version 2: whole seconds from 1s to 255s";
    expect({
        {"advert_interval: 1", "advert_interval needs a unit: '1' of what?",
         "write 1s for seconds or 1ms for milliseconds"},
        {"advert_interval: 5ms", "advert_interval cannot be '5ms'", range},
        {"advert_interval: 15ms", "advert_interval cannot be '15ms'", range},
        {"advert_interval: 40.96s", "advert_interval cannot be '40.96s'", range},
        {"advert_interval: 256s", "advert_interval cannot be '256s'", range},
        {"advert_interval: 0s", "advert_interval cannot be '0s'", range},
        {"advert_interval: 41s", "advert_interval 41s is too long for version 3",
         "version 3 has 10ms to 40.95s in steps of 10ms"},
        {"advert_interval: fast", "advert_interval must be a duration (" + range + "), not 'fast'",
         "a duration is a number and its unit (us, ms, s, min, h, d), like 1s or 250ms"},
    });
    for (const auto& [text, value] :
         std::vector<std::pair<std::string, Duration>>{{"10ms", 10ms}, {"40.95s", 40'950ms}, {"0.1s", 100ms}})
        EXPECT_EQ(good(instance_with("    advert_interval: " + text + "\n")).instances[0].advert_interval, value);
    EXPECT_EQ(good(instance_with("    version: 2\n    advert_interval: 255s\n")).instances[0].advert_interval, 255s);
    EXPECT_EQ(errors(instance_with("    version: 2\n    advert_interval: 100ms\n")),
              R"(holdfast.yaml:7:22: error: advert_interval 100ms needs version 3: version 2 has whole seconds only
    advert_interval: 100ms
                     ^
  hint: version 2 is set at holdfast.yaml:6:14; write 1s, or use version 3 on all hosts
)");
}

TEST(Instance, BlamesTheDefaultWhenTheValueComesFromThere) {
    EXPECT_EQ(errors("defaults: {advert_interval: 100ms}\n" + instance_with("    version: 2\n")),
              R"(holdfast.yaml:1:29: error: advert_interval 100ms needs version 3: version 2 has whole seconds only
defaults: {advert_interval: 100ms}
                            ^
  hint: version 2 is set at holdfast.yaml:7:14; write 1s, or use version 3 on all hosts
)");
}

TEST(Instance, WantsALinkThatCanExist) {
    const auto with = [](const std::string& link) {
        const auto loaded =
            load(request("instances: {web: {vrid: 5, addresses: [10.0.0.1], interface: " + link + "}}\n"));
        return loaded ? "" : loaded.error()[0].message;
    };
    EXPECT_EQ(with("eth0"), "");
    EXPECT_EQ(with("\"br-lan.100\""), "");
    EXPECT_EQ(with("12345"), "") << "a link may have a number for a name";
    EXPECT_EQ(with("a234567890123456"),
              "interface must be the name of a network interface, and 'a234567890123456' has more than 15 bytes");
    EXPECT_EQ(with("eth0:1"), "interface must be the name of a network interface, not 'eth0:1'");
    EXPECT_EQ(with("\"a b\""), "interface must be the name of a network interface, not 'a b'");
    EXPECT_EQ(with("a/b"), "interface must be the name of a network interface, not 'a/b'");
    EXPECT_EQ(with(".."), "interface must be the name of a network interface, not '..'");
    EXPECT_EQ(with("\"\""), "interface must be the name of a network interface, not empty");
    EXPECT_EQ(with("lo"), "interface cannot be the loopback 'lo': no other host hears what is sent there");
}

TEST(Instance, NamesWhatIsMissing) {
    EXPECT_EQ(errors("instances:\n  web: {priority: 5}\n"), R"(holdfast.yaml:2:3: error: instance 'web' has no interface
  web: {priority: 5}
  ^
  hint: add interface: the name of a network interface
holdfast.yaml:2:3: error: instance 'web' has no vrid
  web: {priority: 5}
  ^
  hint: add vrid: 1 to 255
holdfast.yaml:2:3: error: instance 'web' has no addresses
  web: {priority: 5}
  ^
  hint: add addresses: a list of IP addresses, each with its prefix length (/32 or /128 without), at most 255 of a family
)");
}

TEST(Addresses, AreWrittenAsAListOfUsableAddresses) {
    struct AddressCase {
        std::string text;
        std::string message;
        std::string hint;
    };
    const AddressCase cases[]{
        {"10.0.0.300", "'10.0.0.300' is not an IP address", "write it like 192.0.2.10/24 or 2001:db8::10/64"},
        {"10.0.0.1/33", "'10.0.0.1/33' is not an IP address with a prefix length",
         "the length is 0 to 32 for IPv4 and 0 to 128 for IPv6"},
        {"10.0.0.1/", "'10.0.0.1/' is not an IP address with a prefix length",
         "the length is 0 to 32 for IPv4 and 0 to 128 for IPv6"},
        {"\"\"", "'' is not an IP address", "write it like 192.0.2.10/24 or 2001:db8::10/64"},
        {"10.0.0.0/24", "'10.0.0.0/24' is the network's own address", "is the prefix length /24 meant?"},
        {"10.0.0.255/24", "'10.0.0.255/24' is the broadcast address of its network", "is the prefix length /24 meant?"},
        {"2001:db8::/64", "'2001:db8::/64' is the subnet-router anycast address", "is the prefix length /64 meant?"},
        {"0.0.0.0", "'0.0.0.0' is the unspecified address", ""},
        {"\"::\"", "'::' is the unspecified address", ""},
        {"224.0.0.18", "'224.0.0.18' is a multicast address", "a virtual address is one that a host can have"},
        {"ff02::12", "'ff02::12' is a multicast address", "a virtual address is one that a host can have"},
        {"127.0.0.1/8", "'127.0.0.1/8' is a loopback address: no other host can reach it", ""},
        {"\"::1\"", "'::1' is a loopback address: no other host can reach it", ""},
        {"255.255.255.255", "'255.255.255.255' is the broadcast address", ""},
        {"\"::ffff:10.0.0.1\"", "'::ffff:10.0.0.1' is an IPv4 address in an IPv6 notation", "write it as IPv4"},
        {"10.0.0.1/0", "'10.0.0.1/0' has the prefix length 0: every address would be on this link", ""},
        {"[a]", "an address must be like 192.0.2.10/24, not a list", ""},
        {"{label: \"eth0:x\"}", "an address has no address", "add address: ADDRESS/LENGTH"},
    };
    for (const auto& one : cases) {
        const auto loaded =
            load(request("instances: {web: {interface: eth0, vrid: 5, addresses: [" + one.text + "]}}\n"));
        ASSERT_FALSE(loaded) << one.text;
        EXPECT_EQ(loaded.error()[0].message, one.message);
        EXPECT_EQ(loaded.error()[0].hint, one.hint);
        EXPECT_EQ(loaded.error()[0].column, 57U);
    }
    for (const std::string fine :
         {"10.0.0.0/31", "10.0.0.1/31", "10.0.0.0/32", "10.0.0.0", "2001:db8::/127", "2001:db8::/128", "fe80::1/64"})
        EXPECT_EQ(addresses("[\"" + fine + "\"]"), "") << fine;
}

TEST(Addresses, AreGivenOnce) {
    EXPECT_EQ(addresses("[192.0.2.1/24, 192.0.2.1]"), R"(holdfast.yaml:5:31: error: 192.0.2.1 is given twice
    addresses: [192.0.2.1/24, 192.0.2.1]
                              ^
  hint: first given at holdfast.yaml:5:17
)");
}

TEST(Addresses, AreAListAndNotEmpty) {
    EXPECT_EQ(addresses("192.0.2.1/24"), R"(holdfast.yaml:5:16: error: addresses must be a list, not '192.0.2.1/24'
    addresses: 192.0.2.1/24
               ^
  hint: write [192.0.2.1/24]
)");
    EXPECT_EQ(addresses("[]"), R"(holdfast.yaml:5:16: error: addresses is an empty list
    addresses: []
               ^
  hint: an instance holds at least one address
)");
}

TEST(Addresses, AreAtMost255OfAFamily) {
    std::string v4;
    std::string v6;
    for (int i = 1; i <= 255; ++i) {
        v4 += "    - 10.0." + std::to_string(i) + ".1\n";
        v6 += "    - 2001:db8::1:" + std::to_string(i) + "\n";
    }
    EXPECT_EQ(addresses("\n" + v4 + v6), "");
    EXPECT_EQ(addresses("\n" + v4 + v6 + "    - 10.1.0.1"),
              R"(holdfast.yaml:516:7: error: an instance has at most 255 addresses of one family
    - 10.1.0.1
      ^
  hint: put the rest under excluded_addresses, or into another instance
)");
}

TEST(Addresses, OfVersion2AreIpv4) {
    EXPECT_EQ(errors("instances:\n  web: {interface: eth0, vrid: 1, version: 2, addresses: [10.0.0.1, 2001:db8::1]}\n"),
              R"(holdfast.yaml:2:69: error: version 2 has no IPv6 addresses
  web: {interface: eth0, vrid: 1, version: 2, addresses: [10.0.0.1, 2001:db8::1]}
                                                                    ^
  hint: version 2 is set at holdfast.yaml:2:44; use version 3 on all hosts, or an instance of its own for IPv6
)");
}

TEST(Track, NamesTheNearestTracker) {
    EXPECT_EQ(errors(instance_with("    track: [ngnix]\ntrackers:\n  nginx: {process: nginx}\n")),
              R"(holdfast.yaml:6:13: error: there is no tracker 'ngnix'
    track: [ngnix]
            ^
  hint: did you mean 'nginx'?
)");
    EXPECT_EQ(errors(instance_with("    track: [database]\ntrackers:\n  nginx: {process: nginx}\n")),
              R"(holdfast.yaml:6:13: error: there is no tracker 'database'
    track: [database]
            ^
  hint: there is nginx
)");
    EXPECT_EQ(errors(instance_with("    track: [database]\n")),
              R"(holdfast.yaml:6:13: error: there is no tracker 'database'
    track: [database]
            ^
  hint: describe it under 'trackers:'
)");
}

TEST(Track, TakesNamesAndWeights) {
    const std::string trackers = "trackers: {a: {process: a}, b: {process: b}}\n";
    const auto track =
        good(instance_with("    track: [a, {tracker: b, weight: -253}]\n" + trackers)).instances[0].track;
    EXPECT_EQ(track, (std::vector<model::TrackUse>{{"a", {}}, {"b", -253}}));

    EXPECT_EQ(
        errors(instance_with(
            "    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]\n" + trackers)),
        R"(holdfast.yaml:6:16: error: tracker 'a' is tracked twice
    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]
               ^
  hint: keep one entry: either it has a weight or its failure is a fault
holdfast.yaml:6:40: error: weight must be a number from -253 to -1 or from 1 to 253, not '0'
    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]
                                       ^
  hint: without a weight, a failing tracker is a fault
holdfast.yaml:6:44: error: an entry of track does not name its tracker
    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]
                                           ^
  hint: write {tracker: NAME, weight: NUMBER}
holdfast.yaml:6:53: error: weight must be a number from -253 to -1 or from 1 to 253, not '254'
    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]
                                                    ^
holdfast.yaml:6:72: error: 'wieght' is not a directive of an entry of track
    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]
                                                                       ^
  hint: did you mean 'weight'?
holdfast.yaml:6:84: error: a tracker in track must be a name or a map {tracker: NAME, weight: NUMBER}, not a list
    track: [a, a, {tracker: b, weight: 0}, {weight: 254}, {tracker: b, wieght: 5}, [b]]
                                                                                   ^
)");
    EXPECT_EQ(errors(instance_with("    track: a\n" + trackers)),
              R"(holdfast.yaml:6:12: error: track must be a list of trackers, not 'a'
    track: a
           ^
  hint: write [a]
)");
}

TEST(Authentication, GoesWithVersion2) {
    EXPECT_EQ(errors(instance_with("    authentication: {type: pass, password: abc}\n")),
              R"(holdfast.yaml:6:5: error: version 3 has no authentication of type pass
    authentication: {type: pass, password: ***
    ^
  hint: RFC 9568 removed it: use type: hmac, or write version: 2 on all hosts
)");
}

TEST(Authentication, SaysWhatIsWrongWithIt) {
    struct AuthCase {
        std::string text;
        std::string message;
        std::string hint;
    };
    const AuthCase cases[]{
        {"{password: abc}", "authentication does not say its type", "write type: pass"},
        {"{type: PASS, password: abc}", "the type of authentication must be pass, ah or hmac, not 'PASS'",
         "write it in lower case"},
        {"{type: pass}", "authentication has no password", "add credential: NAME, file: PATH, or password: TEXT"},
        {"{type: pass, password: a, credential: b}", "authentication has both a password and a credential",
         "keep one of them"},
        {"{type: pass, password: }", "the password must be a text", "put it in quotes"},
        {"{type: pass, password: ''}", "the password is empty", "give 1 to 8 bytes, the same on every host"},
        {"{type: pass, password: \"a\\nb\"}", "the password contains a character that is no text",
         "use letters, digits and punctuation"},
        {"{type: pass, credential: none}", "there is no credential 'none'",
         "give it to the service: LoadCredential=none:/path/of/the/file"},
        {"{type: pass, credential: ../x}",
         "credential must be a name of 1 to 64 letters, digits, '_', '.' or '-', not '../x'", ""},
        {"{type: pass, credential: long}",
         "the credential 'long' has more than 8 bytes, which is all that a VRRPv2 packet has room for",
         "keepalived silently cuts it: use the first 8 bytes on both sides"},
        {"{type: pass, credential: empty}", "the credential 'empty' is empty",
         "give 1 to 8 bytes, the same on every host"},
        {"{type: pass, pasword: abc}", "this is not a directive of authentication", "did you mean 'password'?"},
        {"{type: pass, password: abc, user: x}", "this is not a directive of authentication",
         "there is type, password, credential and file"},
        {"[pass]", "authentication must be a map",
         "write {type: hmac, keys: {1: {credential: NAME}}}, or {type: pass, credential: NAME}"},
    };
    for (const auto& one : cases)
        expect_refused(instance_with("    version: 2\n    authentication: " + one.text + "\n"), one.message, one.hint);
}

TEST(Authentication, ANumberIsAPasswordToo) {
    const auto config = good(instance_with("    version: 2\n    authentication: {type: pass, password: 12345678}\n"));
    EXPECT_EQ(config.instances[0].authentication,
              (model::Authentication{model::PassAuthentication{{'1', '2', '3', '4', '5', '6', '7', '8'}}}));
}

} // namespace
} // namespace holdfast::config::testing
