// The objects as a client on a real bus sees them.

#include "support.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast::bus::test {
namespace {

struct Objects : testing::Test {
    PrivateBus bus;
    Daemon daemon;
    void start(std::shared_ptr<const engine::Snapshot> first) {
        daemon.facts->config_path = "/etc/holdfast/holdfast.yaml";
        daemon.facts->config_hash = "0123456789abcdef";
        daemon.facts->config_loaded_usec = 1'700'000'000'000'000;
        daemon.publish(std::move(first));
        daemon.post(Ready{});
        ASSERT_TRUE(daemon.on_bus());
        Client client; // "running" is a change too: it is over before the test's own begin
        ASSERT_TRUE(client.until([&] { return client.get(root, manager, "State") == "s running"; }));
    }
};

engine::TrackerView nginx(engine::Verdict verdict, const std::string& detail) {
    engine::TrackerView view;
    view.model = std::make_shared<const model::Tracker>(model::Tracker{"nginx", model::UnitTracker{"nginx.service"}});
    view.verdict = verdict;
    view.detail = detail;
    view.since = Time{50s};
    view.users = {"web"};
    return view;
}

TEST_F(Objects, OfAnInstanceHaveTypedProperties) {
    auto view = master("web");
    view.contributions = {{"nginx", -60}};
    view.faults = {{"tracker", "nginx is down"}};
    view.counters.adverts_sent = 7;
    start(snapshot({view}, {nginx(engine::Verdict::up, "nginx.service is active")}));
    Client client;
    EXPECT_EQ(client.instance("web", "Name"), "s web");
    EXPECT_EQ(client.instance("web", "Interface"), "s eth0");
    EXPECT_EQ(client.instance("web", "VirtualRouterId"), "y 51");
    EXPECT_EQ(client.instance("web", "Family"), "s ipv4");
    EXPECT_EQ(client.instance("web", "Version"), "y 3");
    EXPECT_EQ(client.instance("web", "State"), "s master");
    EXPECT_EQ(client.instance("web", "StateReason"), "(ss) (master_silent the master fell silent)");
    EXPECT_EQ(client.instance("web", "StateTimestampMonotonic"), "t 300000000");
    EXPECT_EQ(client.instance("web", "BasePriority"), "y 250");
    EXPECT_EQ(client.instance("web", "EffectivePriority"), "y 250");
    EXPECT_EQ(client.instance("web", "PriorityContributions"), "a(si) [(nginx -60)]");
    EXPECT_EQ(client.instance("web", "Faults"), "a(ss) [(tracker nginx is down)]");
    EXPECT_EQ(client.instance("web", "Addresses"), "a(sss) [(192.0.2.10/24 eth0 assigned)]");
    EXPECT_EQ(client.instance("web", "ActiveRouter"), "(syt) (10.0.0.11 250 0)") << "this host itself";
    EXPECT_TRUE(client.instance("web", "ObservedPeers")
                    .starts_with("aa{sv} [[(Address <10.0.0.12>) (AdvertIntervalUSec <1000000>)"));
    EXPECT_EQ(client.instance("web", "AdvertIntervalUSec"), "t 1000000");
    EXPECT_EQ(client.instance("web", "MasterDownIntervalUSec"), "t 3020000");
    EXPECT_EQ(client.instance("web", "Preempt"), "b true");
    EXPECT_EQ(client.instance("web", "PreemptDelayUSec"), "t 0");
    EXPECT_EQ(client.instance("web", "Prompt"), "b true");
    EXPECT_EQ(client.instance("web", "HeldBack"), "b false");
    EXPECT_EQ(client.instance("web", "LeaseUSec"), "t 5000000");
    EXPECT_EQ(client.instance("web", "LeaseNote"), "s ");
    EXPECT_EQ(client.instance("web", "Trackers"), "ao [/org/holdfast1/tracker/nginx]");
    EXPECT_TRUE(client.instance("web", "Counters").starts_with("a{st} [(address"));
    EXPECT_NE(client.instance("web", "Counters").find("(adverts_sent 7)"), std::string::npos);
}

TEST_F(Objects, OfTheManagerAndATrackerHaveTypedProperties) {
    daemon.facts->missing = {"journal: stderr is not the journal"};
    start(snapshot({master("web")}, {nginx(engine::Verdict::down, "nginx.service is failed")}));
    Client client;
    const auto of_manager = [&](const char* property) { return client.get(root, manager, property); };
    EXPECT_EQ(of_manager("NodeName"), "s lb1");
    EXPECT_EQ(of_manager("ConfigPath"), "s /etc/holdfast/holdfast.yaml");
    EXPECT_EQ(of_manager("ConfigHash"), "s 0123456789abcdef");
    EXPECT_EQ(of_manager("ConfigLoadedTimestamp"), "t 1700000000000000");
    EXPECT_EQ(of_manager("LastReloadResult"), "s ok");
    EXPECT_EQ(of_manager("LastReloadErrors"), "as []");
    EXPECT_EQ(of_manager("Missing"), "as [journal: stderr is not the journal]");
    EXPECT_EQ(of_manager("NInstances"), "u 1");
    EXPECT_EQ(of_manager("NMaster"), "u 1");
    EXPECT_EQ(of_manager("NFault"), "u 0");
    const auto of_tracker = [&](const char* property) {
        return client.get("/org/holdfast1/tracker/nginx", tracker_interface, property);
    };
    EXPECT_EQ(of_tracker("Kind"), "s unit");
    EXPECT_EQ(of_tracker("Target"), "s nginx.service");
    EXPECT_EQ(of_tracker("Status"), "s down");
    EXPECT_EQ(of_tracker("Degraded"), "b false");
    EXPECT_EQ(of_tracker("Detail"), "s nginx.service is failed");
    EXPECT_EQ(of_tracker("Users"), "ao [/org/holdfast1/instance/web]");
}

TEST_F(Objects, OfAPairStandUnderTheirCommonName) {
    start(snapshot({backup("my-web/ipv4"), master("my-web/ipv6")}));
    Client client;
    EXPECT_EQ(client.instance("my_2dweb/ipv4", "Name"), "s my-web/ipv4");
    EXPECT_EQ(client.instance("my_2dweb/ipv6", "Addresses"), "a(sss) [(2001:db8::10/64 eth0 assigned)]");
    EXPECT_EQ(client.call(root, manager, "ListInstances").values,
              "a(sssyyo) [(my-web/ipv4 backup eth0 51 250 /org/holdfast1/instance/my_2dweb/ipv4) "
              "(my-web/ipv6 master eth0 51 250 /org/holdfast1/instance/my_2dweb/ipv6)]");
    EXPECT_EQ(client.call(root, manager, "GetInstance", "my-web/ipv6").values,
              "o /org/holdfast1/instance/my_2dweb/ipv6");
    EXPECT_EQ(client.call(root, manager, "GetInstance", "other").error, "org.holdfast1.Error.NoSuchInstance");
}

TEST_F(Objects, AreListedByTheObjectManager) {
    start(snapshot({backup("web")}, {nginx(engine::Verdict::up, "")}));
    Client client;
    const auto objects = client.call(root, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects").values;
    EXPECT_NE(objects.find("/org/holdfast1/instance/web"), std::string::npos) << objects;
    EXPECT_NE(objects.find("/org/holdfast1/tracker/nginx"), std::string::npos) << objects;
}

TEST_F(Objects, SignalOnlyWhatChanged) {
    start(snapshot({backup("shop"), backup("web")}));
    Client client;
    auto changed = backup("web");
    changed.priority = Priority{190};
    changed.counters.adverts_received = 1000;
    changed.peers.front().last_seen = Time{201s};
    changed.master->last_seen = Time{201s};
    daemon.publish(snapshot({backup("shop"), changed}));
    ASSERT_TRUE(client.until([&] { return !client.signals.empty(); }));
    client.for_a_while(100ms);
    EXPECT_EQ(client.signals, (std::vector<std::string>{"PropertiesChanged /org/holdfast1/instance/web sa{sv}as "
                                                        "org.holdfast1.Instance [(EffectivePriority <190>)] []"}));
    EXPECT_NE(client.instance("web", "Counters").find("(adverts_received 1000)"), std::string::npos);
}

TEST_F(Objects, SayThatPeersChangedWithoutSendingThem) {
    start(snapshot({backup("web")}));
    Client client;
    auto changed = backup("web");
    changed.peers.push_back({*parse_ip("10.0.0.13"), Priority{100}, 3, 1s, Time{201s}});
    daemon.publish(snapshot({changed}));
    ASSERT_TRUE(client.until([&] { return !client.signals.empty(); }));
    EXPECT_EQ(client.signals.front(),
              "PropertiesChanged /org/holdfast1/instance/web sa{sv}as org.holdfast1.Instance [] [ObservedPeers]");
}

TEST_F(Objects, SignalEveryStateEdgeOnceAndInOrder) {
    auto first = snapshot({backup("web")});
    add_transitions(*first, 1, 4); // before our time: not signalled
    start(first);
    Client client;
    auto second = snapshot({master("web")});
    add_transitions(*second, 1, 5);
    auto third = snapshot({master("web")});
    add_transitions(*third, 1, 25);
    daemon.publish(second);
    daemon.publish(third); // most likely in one batch with the one before
    ASSERT_TRUE(client.until([&] { return client.signals_of("StateChanged").size() >= 21; }));
    client.for_a_while(50ms);
    const auto edges = client.signals_of("StateChanged");
    ASSERT_EQ(edges.size(), 21U);
    for (std::size_t i = 0; i < edges.size(); ++i)
        EXPECT_TRUE(edges[i].starts_with(
            i % 2 == 0 ? "StateChanged /org/holdfast1/instance/web ssst backup master master_silent "
                       : "StateChanged /org/holdfast1/instance/web ssst master backup higher_priority "))
            << edges[i];
}

TEST_F(Objects, CountStateEdgesThatWereLost) {
    auto first = snapshot({backup("web")});
    add_transitions(*first, 1, 4);
    start(first);
    Client client;
    auto second = snapshot({master("web")});
    add_transitions(*second, 8, 9); // 5, 6 and 7 have fallen out of the list
    testing::internal::CaptureStderr();
    daemon.publish(second);
    ASSERT_TRUE(client.until([&] { return client.signals_of("StateChanged").size() == 2; }));
    daemon.stop();
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "<4>dropped 3: more state changes than the bus thread could signal\n");
}

TEST_F(Objects, ComeAndGo) {
    start(snapshot({backup("web")}));
    Client client;
    daemon.publish(snapshot({backup("shop")}));
    ASSERT_TRUE(client.until([&] { return !client.signals_of("InterfacesAdded").empty(); }));
    const auto added = client.signals_of("InterfacesAdded"), removed = client.signals_of("InterfacesRemoved");
    EXPECT_NE(added.front().find("/org/holdfast1/instance/shop"), std::string::npos);
    EXPECT_NE(added.front().find("(Name <shop>)"), std::string::npos) << "with its properties";
    ASSERT_EQ(removed.size(), 1U);
    EXPECT_NE(removed.front().find("/org/holdfast1/instance/web"), std::string::npos);
    EXPECT_EQ(client.instance("web", "State"), "org.freedesktop.DBus.Error.UnknownObject");
    EXPECT_EQ(client.instance("shop", "State"), "s backup");
}

TEST_F(Objects, AreOthersWhenAConstantDiffers) {
    start(snapshot({backup("web")}));
    Client client;
    auto moved = backup("web");
    auto model = *moved.model;
    model.vrid = Vrid{52};
    moved.model = std::make_shared<const model::Instance>(model);
    daemon.publish(snapshot({moved}));
    ASSERT_TRUE(client.until([&] { return !client.signals_of("InterfacesAdded").empty(); }));
    EXPECT_EQ(client.signals_of("InterfacesRemoved").size(), 1U);
    EXPECT_EQ(client.instance("web", "VirtualRouterId"), "y 52");
}

TEST_F(Objects, DescribeThemselvesInTheNamesOfTheirProperties) {
    start(snapshot({backup("web")},
                   {nginx(engine::Verdict::unknown, "no systemd on this bus: the unit can't be watched")}));
    Client client;
    const auto answer = client.call(root, manager, "Describe");
    const auto json = nlohmann::ordered_json::parse(answer.values.substr(2));
    EXPECT_EQ(json["NodeName"], "lb1");
    EXPECT_EQ(json["State"], "running");
    EXPECT_EQ(json["Instances"][0]["Name"], "web");
    EXPECT_EQ(json["Instances"][0]["ActiveRouter"]["Address"], "10.0.0.12");
    EXPECT_EQ(json["Trackers"][0]["Status"], "unknown");
    const auto alone = client.call("/org/holdfast1/instance/web", instance_interface, "Describe");
    EXPECT_EQ(nlohmann::ordered_json::parse(alone.values.substr(2)), json["Instances"][0]);
    const auto properties =
        client.call("/org/holdfast1/instance/web", "org.freedesktop.DBus.Properties", "GetAll", instance_interface);
    for (const auto& [key, value] : json["Instances"][0].items()) {
        if (key == "Path") continue;
        EXPECT_NE(properties.values.find(fmt::format("({} <", key)), std::string::npos) << key;
    }
}

TEST_F(Objects, ShowTextThatIsNotUtf8) {
    daemon.facts->last_reload_errors = {"holdfast.yaml:1:1: error: \xff\xfe is not text"};
    start(snapshot({backup("web")}, {nginx(engine::Verdict::down, "answered \x80")}));
    Client client;
    EXPECT_EQ(client.get(root, manager, "LastReloadErrors"), "as [holdfast.yaml:1:1: error: \uFFFD\uFFFD is not text]");
    EXPECT_EQ(client.get("/org/holdfast1/tracker/nginx", tracker_interface, "Detail"), "s answered \uFFFD");
    EXPECT_TRUE(client.call(root, manager, "Describe").error.empty());
}

TEST_F(Objects, TellTheStateOfTheWholeNode) {
    daemon.publish(snapshot({backup("web")}));
    ASSERT_TRUE(daemon.on_bus());
    Client client;
    EXPECT_EQ(client.get(root, manager, "State"), "s starting");
    const auto becomes = [&](const char* state) {
        return client.until([&] { return client.get(root, manager, "State") == std::string{"s "} + state; });
    };
    daemon.post(Ready{});
    EXPECT_TRUE(becomes("running"));
    daemon.post(ReloadBegan{});
    EXPECT_TRUE(becomes("reloading"));
    daemon.post(ReloadEnded{});
    EXPECT_TRUE(becomes("running"));
    auto broken = backup("web");
    broken.state = "fault";
    daemon.publish(snapshot({broken}));
    EXPECT_TRUE(becomes("degraded"));
    auto last = snapshot({broken});
    last->stopping = true;
    daemon.publish(last);
    EXPECT_TRUE(becomes("stopping"));
}

} // namespace
} // namespace holdfast::bus::test
