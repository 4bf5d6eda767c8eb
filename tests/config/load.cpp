#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

using model::Instance;

// The example of DESIGN.md, without what later versions bring.
const std::string example = R"(# /etc/holdfast/holdfast.yaml: one file for both hosts, lb1 and lb2.
defaults: {interface: eth0, advert_interval: 1s}

instances:
  web:
    vrid: 51
    priority: {lb1: 250, lb2: 249}        # one number, or one per host name
    addresses: [192.0.2.10/24, 2001:db8::10/64]
    track: [nginx, uplink, {tracker: page, weight: -60}]   # without weight: a failure is a fault
    preempt_delay: 30s
  inside:
    interface: eth1
    vrid: 51
    version: 2
    priority: {lb1: 250, lb2: 249}
    addresses: [10.0.0.1/24]
    authentication: {type: pass, credential: inside}
  shop:
    vrid: 52
    priority: {lb1: 249, lb2: 250}
    addresses: [192.0.2.20/24]
    track: [nginx]

trackers:
  nginx: {unit: nginx.service}
  uplink: {interface: eth2}
  page: {http: "http://127.0.0.1/health", interval: 500ms, timeout: 300ms, rise: 2, fall: 3}
)";

std::vector<std::string> names(const model::Config& config) {
    std::vector<std::string> result;
    for (const auto& instance : config.instances)
        result.push_back(instance.name);
    return result;
}

TEST(Load, ReadsTheExampleOfTheDesign) {
    const auto config = good(example);
    EXPECT_EQ(config.node_name, "lb1");
    EXPECT_EQ(names(config), (std::vector<std::string>{"inside", "shop", "web/ipv4", "web/ipv6"}));

    Instance web{.name = "web/ipv4",
                 .interface = "eth0",
                 .vrid = Vrid{51},
                 .priority = Priority{250},
                 .preempt_delay = 30s,
                 .authentication = {},
                 .addresses = {*parse_prefix("192.0.2.10/24")},
                 .track = {{"nginx", {}}, {"uplink", {}}, {"page", -60}}};
    EXPECT_EQ(*model::find_instance(config, "web/ipv4"), web);
    web.name = "web/ipv6";
    web.family = Family::ipv6;
    web.addresses = {*parse_prefix("2001:db8::10/64")};
    EXPECT_EQ(*model::find_instance(config, "web/ipv6"), web);

    const Instance inside{.name = "inside",
                          .interface = "eth1",
                          .vrid = Vrid{51},
                          .version = model::Version::v2,
                          .priority = Priority{250},
                          .authentication = model::PassAuthentication{{'g', 'e', 'h', 'e', 'i', 'm'}},
                          .addresses = {*parse_prefix("10.0.0.1/24")},
                          .track = {}};
    EXPECT_EQ(*model::find_instance(config, "inside"), inside);
    EXPECT_EQ(model::find_instance(config, "shop")->priority, Priority{249});

    const model::Tracker page{.name = "page",
                              .kind = model::HttpTracker{"http://127.0.0.1/health"},
                              .interval = 500ms,
                              .timeout = 300ms,
                              .rise = 2,
                              .fall = 3};
    EXPECT_EQ(*model::find_tracker(config, "page"), page);
    EXPECT_EQ(model::find_tracker(config, "nginx")->kind, (model::TrackerKind{model::UnitTracker{"nginx.service"}}));
    EXPECT_EQ(model::find_tracker(config, "nginx")->timeout, 1s) << "timeout is the interval when it is left out";
}

TEST(Load, GivesEachHostItsOwnValue) {
    auto other = request(example);
    other.node_name = "lb2";
    EXPECT_EQ(model::find_instance(good(other), "shop")->priority, Priority{250});
}

TEST(Load, TakesDefaultForAHostThatIsNotNamed) {
    auto third = request(instance_with("    priority: {lb1: 200, default: 100}\n"));
    third.node_name = "lb3";
    EXPECT_EQ(good(third).instances[0].priority, Priority{100});
}

TEST(Load, NamesTheHostsThatAPerHostMapHas) {
    auto third = request(instance_with("    priority: {lb1: 200, lb2: 100}\n"));
    third.node_name = "lb3";
    EXPECT_EQ(errors(third), R"(holdfast.yaml:6:15: error: priority has no value for this node, 'lb3'; it has lb1, lb2
    priority: {lb1: 200, lb2: 100}
              ^
  hint: add this node, or 'default:' for every other one
)");
}

TEST(Load, FindsAMistakeInTheValueOfAnotherHost) {
    EXPECT_EQ(errors(instance_with("    priority: {lb1: 200, lb2: 1000}\n")),
              R"(holdfast.yaml:6:31: error: priority must be a number from 1 to 255, not '1000'
    priority: {lb1: 200, lb2: 1000}
                              ^
)");
}

TEST(Load, RefusesAPerHostMapInsideAPerHostMap) {
    EXPECT_EQ(errors(instance_with("    priority: {lb1: {lb1: 5}, 'l b': 3}\n")),
              R"(holdfast.yaml:6:21: error: priority needs one value per host, not a map
    priority: {lb1: {lb1: 5}, 'l b': 3}
                    ^
holdfast.yaml:6:31: error: 'l b' is not a host name, and priority is a value per host here
    priority: {lb1: {lb1: 5}, 'l b': 3}
                              ^
)");
    EXPECT_EQ(errors(instance_with("    priority: {}\n")),
              R"(holdfast.yaml:6:15: error: priority has a map by host name with nothing in it
    priority: {}
              ^
  hint: add this node, or 'default:' for every other one
)");
}

TEST(Load, NodeNameOfTheFileWins) {
    const auto config = good(instance_with("    priority: {lb1: 200, lb9: 100}\n") + "node_name: lb9\n");
    EXPECT_EQ(config.node_name, "lb9");
    EXPECT_EQ(config.instances[0].priority, Priority{100});
}

TEST(Load, SaysWhenTheHostNameCannotBeUsed) {
    auto odd = request(instance_with(""));
    odd.node_name = "my host";
    EXPECT_EQ(errors(odd), R"(holdfast.yaml: error: the host's name cannot be used as the name of this node
  hint: set node_name: in the file, 1 to 64 letters, digits, '_', '.' or '-'
)");
    odd.files[0].text += "node_name: lb1\n";
    EXPECT_EQ(errors(odd), "");
    EXPECT_EQ(
        errors(instance_with("") + "node_name: {lb1: a}\n"),
        R"(holdfast.yaml:6:12: error: node_name must be a name of 1 to 64 letters, digits, '_', '.' or '-', not a map
node_name: {lb1: a}
           ^
)");
}

TEST(Load, DefaultsGoToEveryInstanceThatDoesNotSayOtherwise) {
    const auto config = good(R"(
defaults: {interface: {lb1: eth5, default: eth6}, priority: 7, track: [up], prompt: off, lease: off}
instances:
  a: {vrid: 1, addresses: [192.0.2.1]}
  b: {vrid: 2, addresses: [192.0.2.2], interface: eth1, track: [], prompt: on}
trackers:
  up: {interface: eth9}
)");
    EXPECT_EQ(config.instances[0].interface, "eth5");
    EXPECT_EQ(config.instances[0].priority, Priority{7});
    EXPECT_EQ(config.instances[0].track.size(), 1U);
    EXPECT_FALSE(config.instances[0].prompt);
    EXPECT_FALSE(config.instances[0].lease.on);
    EXPECT_EQ(config.instances[1].interface, "eth1");
    EXPECT_TRUE(config.instances[1].track.empty());
    EXPECT_TRUE(config.instances[1].prompt);
}

TEST(Load, RefusesDefaultsThatEveryInstanceHasToSayItself) {
    EXPECT_EQ(errors("defaults: {vrid: 5, colour: red}\ninstances: {}\n"),
              R"(holdfast.yaml:1:12: error: 'vrid' is not a directive of 'defaults'
defaults: {vrid: 5, colour: red}
           ^
  hint: every instance has its own: write it there
holdfast.yaml:1:21: error: 'colour' is not a directive of 'defaults'
defaults: {vrid: 5, colour: red}
                    ^
  hint: docs/directives.md has all of them
)");
    EXPECT_EQ(errors("defaults: 5\ninstances: {}\n"),
              R"(holdfast.yaml:1:11: error: 'defaults' must be a map of directives, not '5'
defaults: 5
          ^
)");
}

TEST(Load, DropInsAddObjects) {
    auto several = request("defaults: {interface: eth0}\ninstances: {b: {vrid: 2, addresses: [192.0.2.2]}}\n");
    several.files.push_back({"10-a.yaml", "instances: {a: {vrid: 1, addresses: [192.0.2.1], track: [t]}}\n"});
    several.files.push_back({"20-t.yaml", "trackers: {t: {unit: a.service}}\n"});
    several.files.push_back({"30-none.yaml", "# nothing yet\n"});
    const auto config = good(several);
    EXPECT_EQ(names(config), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(config.instances[0].interface, "eth0");
}

TEST(Load, NamesBothPlacesOfAnObjectThatIsDescribedTwice) {
    auto several = request("instances: {}\ndefaults: {priority: 5}\ntrackers:\n  t: {unit: a.service}\n");
    several.files.push_back({"drop.yaml", "defaults: {priority: 6}\ntrackers: {t: {unit: b.service}}\n"});
    EXPECT_EQ(errors(several), R"(drop.yaml:1:1: error: 'defaults' is given twice
defaults: {priority: 6}
^
  hint: first given at holdfast.yaml:2:1; keep one of them
drop.yaml:2:12: error: tracker 't' is described twice
trackers: {t: {unit: b.service}}
           ^
  hint: first described at holdfast.yaml:4:3; keep one of them
)");
}

TEST(Load, RefusesTwoInstancesThatAreOneVirtualRouter) {
    EXPECT_EQ(errors(R"(defaults: {interface: eth0, vrid2: 1}
instances:
  a: {vrid: 7, addresses: [192.0.2.1, 2001:db8::1]}
  b: {vrid: 7, addresses: [192.0.2.2]}
  c: {vrid: 7, interface: eth1, addresses: [192.0.2.3]}
)"),
              R"(holdfast.yaml:1:29: error: 'vrid2' is not a directive of 'defaults'
defaults: {interface: eth0, vrid2: 1}
                            ^
  hint: docs/directives.md has all of them
holdfast.yaml:4:13: error: instances 'a' and 'b' are the same virtual router: vrid 7 on eth0, ipv4
  b: {vrid: 7, addresses: [192.0.2.2]}
            ^
  hint: the other one is at holdfast.yaml:3:13; give one of them another vrid
)");
}

TEST(Load, AllowsOneVridForBothFamiliesInTwoInstances) {
    EXPECT_EQ(errors("defaults: {interface: eth0}\ninstances:\n  a: {vrid: 7, addresses: [192.0.2.1]}\n"
                     "  b: {vrid: 7, addresses: [2001:db8::1]}\n"),
              "");
}

TEST(Load, RefusesAnAddressInTwoInstances) {
    EXPECT_EQ(errors(R"(instances:
  a: {interface: eth0, vrid: 7, addresses: [192.0.2.1/24, fe80::1/64]}
  b: {interface: eth1, vrid: 8, addresses: [fe80::1/64, 192.0.2.1]}
)"),
              R"(holdfast.yaml:3:57: error: 192.0.2.1 is an address of instance 'a' already
  b: {interface: eth1, vrid: 8, addresses: [fe80::1/64, 192.0.2.1]}
                                                        ^
  hint: it stands at holdfast.yaml:2:45; an address has one instance
)") << "a link-local address may be on two links";
}

TEST(Load, NamesTheNearestTopLevelKey) {
    EXPECT_EQ(errors("instnaces: {}\n"), R"(holdfast.yaml:1:1: error: 'instnaces' is not a directive of the file
instnaces: {}
^
  hint: did you mean 'instances'?
)");
    EXPECT_EQ(errors("instances: {}\nhttp: {}\n"), R"(holdfast.yaml:2:1: error: 'http' is not a directive of the file
http: {}
^
  hint: docs/directives.md has all of them
)");
}

TEST(Load, KnowsKeepalivedsWordForAVirtualServer) {
    EXPECT_EQ(errors("instances: {}\nvirtual_server: {}\n"),
              R"(holdfast.yaml:2:1: error: 'virtual_server' is not a directive of the file
virtual_server: {}
^
  hint: write virtual_servers: {NAME: {address: 192.0.2.10:80, protocol: tcp, ...}}
)");
}

TEST(Load, WantsInstances) {
    EXPECT_EQ(errors("trackers: {t: {unit: a.service}}\n"), R"(holdfast.yaml: error: there is no 'instances:'
  hint: describe at least one; 'instances: {}' says that none is wanted
)");
    EXPECT_EQ(errors("instances:\n"), R"(holdfast.yaml:1:1: error: 'instances' is empty
instances:
^
  hint: was the file written to the end? 'instances: {}' says that none is wanted
)");
    EXPECT_EQ(errors("instances: [web]\n"),
              R"(holdfast.yaml:1:12: error: 'instances' must be a map from names to objects
instances: [web]
           ^
)");
    EXPECT_TRUE(good("instances: {}\n").instances.empty());
}

TEST(Load, WantsAFile) {
    EXPECT_EQ(errors(Request{.node_name = "lb1", .files = {}}), "error: there is no configuration file\n");
}

TEST(Load, RefusesANameThatNoObjectMayHave) {
    EXPECT_EQ(errors("instances:\n  web/ipv4: {}\n  " + std::string(65, 'x') + ": {}\n  ok:\n  list: [1]\n"),
              R"(holdfast.yaml:2:3: error: 'web/ipv4' cannot be the name of an instance
  web/ipv4: {}
  ^
  hint: a name has 1 to 64 letters, digits, '_', '.' or '-'
holdfast.yaml:3:3: error: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' cannot be the name of an instance
  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: {}
  ^
  hint: a name has 1 to 64 letters, digits, '_', '.' or '-'
holdfast.yaml:4:3: error: instance 'ok' must be a map of directives, not empty
  ok:
  ^
holdfast.yaml:5:9: error: instance 'list' must be a map of directives, not a list
  list: [1]
        ^
)");
}

TEST(Load, ReportsProblemsOfAllFilesAtOnce) {
    auto several = request("instances: {a: {vrid: 0}}\n");
    several.files.push_back({"b.yaml", "instances: {b\n"});
    several.files.push_back({"c.yaml", ""});
    EXPECT_EQ(errors(several), R"(holdfast.yaml:1:13: error: instance 'a' has no interface
instances: {a: {vrid: 0}}
            ^
  hint: add interface: the name of a network interface
holdfast.yaml:1:13: error: instance 'a' has no addresses
instances: {a: {vrid: 0}}
            ^
  hint: add addresses: a list of IP addresses, each with its prefix length (/32 or /128 without), at most 255 of a family
holdfast.yaml:1:23: error: vrid must be a number from 1 to 255, not '0'
instances: {a: {vrid: 0}}
                      ^
b.yaml:2:1: error: this is not valid YAML: end of map flow not found
  hint: a '{' is not closed with '}'
c.yaml: error: the file is empty
  hint: was it written to the end?
)");
}

TEST(Load, ShowsAHundredProblemsAndCountsTheRest) {
    std::string text = "instances: {}\ntrackers:\n";
    for (int i = 0; i < 150; ++i)
        text += "  t" + std::to_string(i) + ": {unit: nginx}\n";
    const auto loaded = load(request(text));
    ASSERT_FALSE(loaded);
    ASSERT_EQ(loaded.error().size(), 101U);
    EXPECT_EQ(render(loaded.error().back()),
              "error: 50 more problems are not shown\n  hint: mend the first ones and check again\n");
}

} // namespace
} // namespace holdfast::config::testing
