// Virtual servers as the engine runs them: what is programmed, in which order, what is repaired, and what nobody may touch.
#include "servers_node.hpp"

namespace holdfast::engine {
namespace {

using testing::Node;
using testing::real;
using testing::service;

TEST(Servers, AreProgrammedFromNothingAndSeenInTheView) {
    Node node;
    node.add("web", {real("s1", 2), real("s2")});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=2 10.0.0.2=1");
    EXPECT_EQ(node.checks.size(), 2U);
    EXPECT_EQ(node.state("web"), "serving");
    EXPECT_EQ(node.view("web").reals[0]->state, "pending");
    node.probe("web/s1", true);
    EXPECT_EQ(node.view("web").reals[0]->state, "up");
    EXPECT_EQ(node.view("web").reals[0]->detail, "connected");
}

TEST(Servers, LeaveWhenTheyAreDownAndComeBack) {
    Node node;
    node.add("web", {real("s1"), real("s2")});
    node.load();
    node.run(10ms);
    node.probe("web/s1", false);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.2=1");
    node.probe("web/s1", true);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1 10.0.0.2=1");
    node.probe("web/s1", false);
    node.probe("web/s2", false);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc:");
    EXPECT_EQ(node.state("web"), "down");
}

TEST(Servers, TheSorryServerComesBeforeTheLastOneGoesAndTheOtherWayRound) {
    Node node;
    auto& web = node.add("web", {real("s1")});
    web.sorry_server = real("s9", 1, false);
    node.load();
    node.run(10ms);
    node.steps.clear();
    node.probe("web/s1", false);
    EXPECT_EQ(node.steps, (std::vector<std::string>{"+10.0.0.9=1", "-10.0.0.1"}));
    EXPECT_EQ(node.state("web"), "sorry");
    node.steps.clear();
    node.probe("web/s1", true);
    EXPECT_EQ(node.steps, (std::vector<std::string>{"+10.0.0.1=1", "-10.0.0.9"}));
}

TEST(Servers, RepairTheirTableWithinASecondAndLeaveOthersAlone) {
    Node node;
    node.add("web", {real("s1")});
    const IpvsEntry foreign{.service = {.key = service(99), .scheduler = "rr", .prefix_length = 32},
                            .destinations = {}};
    node.table[service(99)] = foreign;
    node.load();
    node.run(10ms);
    const auto whole = node.shown();
    node.table.erase(service(10)); // ipvsadm -D
    node.run(1s);
    EXPECT_EQ(node.shown(), whole);
    node.table[service(10)].destinations.begin()->second.weight = 50; // ipvsadm -e
    node.run(2s);
    EXPECT_EQ(node.shown(), whole);
    node.table.clear(); // ipvsadm -C
    node.run(1s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1");
    node.table[service(99)] = foreign;
    node.config_.virtual_servers.clear();
    node.load();
    node.run(1s);
    EXPECT_EQ(node.shown(), "192.0.2.99 rr:") << "a service that nobody claims is not ours to remove";
}

TEST(Servers, AReloadTouchesOnlyWhatDiffers) {
    Node node;
    node.add("a", {real("s1"), real("s2")}, 10);
    node.add("b", {real("s3")}, 11);
    node.load();
    node.run(10ms);
    node.probe("a/s1", true);
    node.probe("a/s2", false);
    node.steps.clear();
    const auto checks = node.checks.size();
    node.load();
    EXPECT_TRUE(node.steps.empty());
    node.config_.virtual_servers[0].real_servers[0].weight = 5;
    node.load();
    EXPECT_EQ(node.steps, (std::vector<std::string>{"edit 10.0.0.1=5"}));
    EXPECT_EQ(node.checks.size(), checks);
    EXPECT_EQ(node.view("a").reals[1]->state, "down") << "a verdict stays";
    node.steps.clear();
    node.config_.virtual_servers[0].scheduler = "rr";
    node.config_.virtual_servers[0].real_servers.push_back(real("s4"));
    node.load();
    EXPECT_EQ(node.steps, (std::vector<std::string>{"edit 192.0.2.10", "+10.0.0.4=1"}));
    node.steps.clear();
    node.config_.virtual_servers.erase(node.config_.virtual_servers.begin());
    node.load();
    EXPECT_EQ(node.steps, (std::vector<std::string>{"-192.0.2.10"}));
    EXPECT_EQ(node.checks.size(), 1U);
}

TEST(Servers, AServerRenamedInTheFileKeepsItsService) {
    Node node;
    node.add("old", {real("s1")});
    node.load();
    node.run(10ms);
    node.steps.clear();
    node.config_.virtual_servers[0].name = "new";
    node.load();
    node.run(1s);
    EXPECT_TRUE(node.steps.empty());
}

TEST(Servers, TakeUpTheTableOfTheProcessBeforeThem) {
    Node node;
    node.add("web", {real("s1"), real("s2")});
    node.table[service(10)] = {.service = {.key = service(10), .scheduler = "wlc", .prefix_length = 32},
                               .destinations = {}};
    const IpvsEndpoint at{IpAddress::v4(10, 0, 0, 2), 80};
    node.table[service(10)].destinations[at] = {.at = at, .weight = 1};
    node.load();
    node.run(2s);
    EXPECT_TRUE(node.steps.empty()) << "s1 was down: it stays out until a check has spoken";
    node.probe("web/s1", true);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1 10.0.0.2=1");
}

TEST(Servers, RemoveWhatTheProcessBeforeThemHadAndNoFileNamesAnyMore) {
    Node before;
    before.add("web", {real("s1")}, 10);
    before.add("old", {real("s2")}, 11);
    before.load();
    before.run(10ms);
    auto record = before.engine.record();
    EXPECT_EQ(record.services, (std::vector{service(10), service(11)}));
    EXPECT_FALSE(before.engine.record_changed());
    Node node;
    node.table = before.table;
    node.table[service(99)] = {.service = {.key = service(99), .scheduler = "rr", .prefix_length = 32},
                               .destinations = {}};
    node.add("web", {real("s1")}, 10);
    node.deliver(Recovered{record, BootTime{1s}});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1; 192.0.2.99 rr:") << "the last one is somebody else's";
    EXPECT_TRUE(node.engine.record_changed());
    EXPECT_EQ(node.engine.record().services, std::vector{service(10)});
}

TEST(Servers, AreRecordedBeforeTheKernelHasThemAndUntilItHasRemovedThem) {
    Node node;
    node.add("web", {real("s1", 1, false)});
    node.answers = false;
    node.load();
    node.run(10ms);
    node.deliver(*std::exchange(node.held, std::nullopt)); // the list
    ASSERT_TRUE(node.held) << "the batch is under way";
    EXPECT_EQ(node.engine.record().services, std::vector{service(10)});
    node.deliver(*std::exchange(node.held, std::nullopt));
    node.config_.virtual_servers.clear();
    node.load();
    ASSERT_TRUE(node.held);
    EXPECT_EQ(node.engine.record().services, std::vector{service(10)});
    node.deliver(*std::exchange(node.held, std::nullopt));
    EXPECT_TRUE(node.engine.record().services.empty());
}

TEST(Servers, GlanceAtTheTableTwiceASecondAndReadAllOfItEveryTwoOrWhileSomethingDrains) {
    Node node;
    node.add("web", {real("s1"), real("s2")});
    node.connections[{IpAddress::v4(10, 0, 0, 1), 80}] = 1;
    node.load();
    node.run(5s);
    node.lists = node.glances = 0;
    node.run(20s);
    EXPECT_EQ(node.lists + node.glances, 40);
    EXPECT_EQ(node.lists, 10);
    node.command({.what = ServerCommand::What::drain, .server = "web", .real = "s1", .timeout = 60s});
    node.run(10ms); // they are counted at once
    node.lists = node.glances = 0;
    node.run(5s);
    EXPECT_EQ(node.lists, 10) << "somebody waits for its connections";
    EXPECT_EQ(node.glances, 0);
}

TEST(Servers, WithoutIpvsEverythingElseGoesOnAndTheProblemIsNamed) {
    Node node;
    node.table_error = ENOENT;
    node.add("web", {real("s1")});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.state("web"), "degraded");
    EXPECT_EQ(node.view("web").problem, "this kernel has no ip_vs: modprobe ip_vs on the host");
    node.table_error = 0;
    node.run(6s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1") << "the module was loaded meanwhile";
    EXPECT_EQ(node.state("web"), "serving");
}

TEST(Servers, ASchedulerThatTheKernelLacksIsNamedAndTheOthersAreThere) {
    Node node;
    node.add("a", {real("s1")}, 10).scheduler = "mh";
    node.add("b", {real("s2")}, 11);
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.view("a").problem,
              "tcp 192.0.2.10:80 is refused: the kernel has no scheduler 'mh': modprobe ip_vs_mh on the host");
    EXPECT_EQ(node.shown(), "192.0.2.11 wlc: 10.0.0.2=1");
    EXPECT_EQ(node.state("b"), "serving");
}

TEST(Servers, AProblemOfOneIsNotOverBecauseAnotherWasProgrammed) {
    Node node;
    node.add("a", {real("s1")}, 10).scheduler = "mh";
    node.add("b", {real("s2", 2)}, 20);
    node.load();
    node.run(10ms);
    ASSERT_EQ(node.state("a"), "degraded");
    node.probe("b/s2", false);
    EXPECT_EQ(node.shown(), "192.0.2.20 wlc:");
    node.run(3s);
    EXPECT_EQ(node.state("a"), "degraded");
    EXPECT_EQ(std::ranges::count(node.steps, "+192.0.2.10"), 1) << "nor is it asked for again because of it";
}

TEST(Servers, WhatIsRefusedIsAskedForAgainNowAndThen) {
    Node node;
    node.add("a", {real("s1")}, 10).scheduler = "mh";
    node.load();
    node.run(19s);
    EXPECT_EQ(std::ranges::count(node.steps, "+192.0.2.10"), 4) << "the kernel looks for a module each time";
    node.lacks.clear();
    node.run(6s);
    EXPECT_EQ(node.state("a"), "serving") << "the module was loaded meanwhile";
}

TEST(Servers, ARefusedDestinationIsAskedForAgainAndForgottenWithItsServer) {
    Node node;
    node.add("a", {real("s1"), real("s2")});
    node.full = IpAddress::v4(10, 0, 0, 2);
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.view("a").problem, "tcp 192.0.2.10:80 is refused at 10.0.0.2: Cannot allocate memory");
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1");
    node.probe("a/s2", false);
    EXPECT_EQ(node.state("a"), "serving") << "it is wanted no more";
    node.probe("a/s2", true);
    EXPECT_EQ(node.state("a"), "degraded");
    node.full.reset();
    node.run(6s);
    EXPECT_EQ(node.state("a"), "serving");
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1 10.0.0.2=1");
}

TEST(Servers, DrainUntilTheLastConnectionOrTheTimeout) {
    Node node;
    node.add("web", {real("s1"), real("s2")});
    const IpvsEndpoint first{IpAddress::v4(10, 0, 0, 1), 80};
    node.connections[first] = 2;
    node.load();
    node.run(10ms);
    node.command({.what = ServerCommand::What::drain, .server = "web", .real = "s1", .timeout = 60s});
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=0 10.0.0.2=1");
    node.run(10s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=0 10.0.0.2=1");
    EXPECT_EQ(node.view("web").reals[0]->state, "draining");
    node.connections.clear();
    node.run(2s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.2=1");
    node.command({.what = ServerCommand::What::enable, .server = "web", .real = "s1"});
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1 10.0.0.2=1");
    node.connections[first] = 1;
    node.command({.what = ServerCommand::What::drain, .server = "web", .real = "s1", .timeout = 5s});
    node.run(6s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.2=1") << "its time is over";
}

TEST(Servers, AServerThatTheFileDropsDrainsWhereItHasTheTime) {
    Node node;
    node.add("web", {real("s1"), real("s2")}).drain_timeout = 30s;
    node.connections[{IpAddress::v4(10, 0, 0, 1), 80}] = 1;
    node.load();
    node.run(10ms);
    node.config_.virtual_servers[0].real_servers.erase(node.config_.virtual_servers[0].real_servers.begin());
    node.load();
    node.run(5s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=0 10.0.0.2=1");
    EXPECT_EQ(node.view("web").reals.size(), 2U);
    node.connections.clear();
    node.run(1s);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.2=1");
    EXPECT_EQ(node.view("web").reals.size(), 1U);
}

TEST(Servers, ObeyCommandsAndRefuseWhatIsNotThere) {
    Node node;
    node.add("web", {real("s1", 3)});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.command({.what = ServerCommand::What::set_weight, .server = "web", .real = "s1", .weight = 9}),
              "web/s1 has weight 9 until the next start");
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=9");
    node.load();
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=9") << "a reload keeps what people said";
    node.command({.what = ServerCommand::What::file_weight, .server = "web", .real = "s1"});
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=3");
    node.command({.what = ServerCommand::What::disable, .server = "web", .real = "s1"});
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc:");
    EXPECT_EQ(node.view("web").reals[0]->state, "disabled");
    EXPECT_EQ(node.command({.what = ServerCommand::What::enable, .server = "web", .real = "s7"}),
              "virtual server 'web' has no real server 's7'");
    EXPECT_EQ(node.reply->error, CommandError::no_such_server);
}

TEST(Servers, WaitForTheAnswerOfOneBatchAndLoseNothingMeanwhile) {
    Node node;
    node.add("web", {real("s1"), real("s2")});
    node.load();
    node.run(10ms);
    node.answers = false;
    node.probe("web/s1", false);
    ASSERT_TRUE(node.held);
    const auto first = *std::exchange(node.held, std::nullopt);
    node.probe("web/s2", false);
    EXPECT_FALSE(node.held) << "one at a time";
    node.answers = true;
    node.deliver(first);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc:");
}

TEST(Servers, TellTheirEdgesWithTheProgramToRun) {
    Node node;
    auto& web = node.add("web", {real("s1")});
    web.quorum_down = {"/bin/q"};
    web.real_servers[0].notify_down = {"/bin/d"};
    node.load();
    node.run(10ms);
    node.probe("web/s1", true);
    node.probe("web/s1", false);
    std::string told;
    for (const auto& edge : *node.engine.snapshot()->transitions)
        if (edge->is_server())
            told += fmt::format("{} {}>{} {}; ", edge->instance, edge->from, edge->to,
                                edge->program.empty() ? "-" : edge->program[0]);
    EXPECT_EQ(told, "web no_quorum>quorum -; web/s1 up>down /bin/d; web quorum>no_quorum /bin/q; ");
}

TEST(Servers, TellTheirEdgesWithWhoElseIsTold) {
    Node node;
    auto& web = node.add("web", {real("s1"), real("s2")});
    web.notify = web.real_servers[0].notify = {.mail = true};
    web.real_servers[1].notify = {.fifo = "/run/s2"};
    web.omega = true;
    node.load();
    node.deliver(KernelListed{});
    node.run(10ms);
    const auto told = [&] {
        std::string text;
        for (const auto& edge : *node.engine.snapshot()->transitions)
            if (edge->is_server())
                text += fmt::format("{} {}{}{}; ", edge->instance, edge->to, edge->told.mail ? " mail" : "",
                                    edge->told.fifo);
        return text;
    };
    node.probe("web/s2", true);
    node.probe("web/s2", false);
    EXPECT_EQ(told(), "web quorum mail; web/s2 down/run/s2; ");
    node.probe("web/s2", true);
    node.deliver(StopRequested{});
    EXPECT_EQ(told(), "web quorum mail; web/s2 down/run/s2; web/s2 up/run/s2; web/s1 down mail; web/s2 down/run/s2; "
                      "web no_quorum mail; ")
        << "omega says the end of those that were up";
}

TEST(Servers, LeaveTheTableWhenTheDaemonStops) {
    Node node;
    node.add("web", {real("s1")});
    node.table[service(99)] = {.service = {.key = service(99), .scheduler = "rr", .prefix_length = 32},
                               .destinations = {}};
    node.load();
    node.deliver(KernelListed{});
    node.run(10ms);
    node.deliver(StopRequested{});
    node.run(1s);
    EXPECT_EQ(node.shown(), "192.0.2.99 rr:");
    EXPECT_TRUE(node.finished);
}

TEST(Servers, WhoDirectsAndServesForgetsStaleConnectionsAndPutsTheKernelsWayBack) {
    Node node;
    node.load();
    node.deliver(KernelListed{});
    node.run(10ms);
    EXPECT_EQ(node.reuse, (IpvsReuse{0, 1})) << "somebody who only directs has no connections of others";
    node.config_.ipvs.forget_stale = true;
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.reuse, (IpvsReuse{1, 3}));
    EXPECT_EQ(node.engine.record().reuse_before, (IpvsReuse{0, 1})) << "the next process puts it back";
    node.config_.ipvs.forget_stale = false;
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.reuse, (IpvsReuse{0, 1}));
}

TEST(Servers, ASettingThatIsReadOnlyIsToldOnceAndHoldsNothingUp) {
    Node node;
    node.reuse_error = EROFS;
    node.config_.ipvs.forget_stale = true;
    node.load();
    node.deliver(KernelListed{});
    node.run(5s);
    EXPECT_EQ(
        std::ranges::count_if(node.notes, [](const std::string& text) { return text.contains("modules-load.d"); }), 1);
    EXPECT_FALSE(node.engine.record().reuse_before);
}

TEST(Servers, TheSynchronisationDaemonListensOnAStandbyAndStopsWithTheDaemon) {
    Node node;
    node.config_.ipvs = {.sync = model::ConnectionSync{.interface = "eth1", .while_master = "web", .id = 7},
                         .timeouts = {.tcp = 1h}};
    node.load();
    node.deliver(KernelListed{});
    node.run(10ms);
    ASSERT_EQ(node.sync.size(), 1U);
    EXPECT_EQ(node.sync[0].role, IpvsSync::Role::backup);
    EXPECT_EQ(node.sync[0].id, 7);
    EXPECT_EQ(node.timeouts, (IpvsTimeouts{3600, 120, 300}));
    node.sync.clear(); // ipvsadm --stop-daemon backup
    node.run(1s);
    EXPECT_EQ(node.sync.size(), 1U);
    node.config_.ipvs.sync->while_master.clear();
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.sync.size(), 2U) << "both, when it follows nobody";
    node.deliver(StopRequested{});
    node.run(1s);
    EXPECT_TRUE(node.sync.empty());
    EXPECT_EQ(node.timeouts, (IpvsTimeouts{900, 120, 300})) << "put back";
    EXPECT_TRUE(node.finished);
}

TEST(Servers, FollowATrackersWordAndAFilesNumber) {
    Node node;
    node.config_.trackers = {{.name = "load", .kind = model::FileTracker{"/run/load"}},
                             {.name = "unit", .kind = model::UnitTracker{"a.service"}}};
    auto server = real("s1", 10, false);
    server.checks = {{.kind = model::TrackerCheck{"load", -2}}, {.kind = model::TrackerCheck{"unit"}}};
    node.add("web", {server, real("s2", 1, false)});
    node.load();
    node.run(10ms);
    node.deliver(TrackerObserved{.tracker = "load", .observation = Observation::down, .value = 3});
    node.deliver(TrackerObserved{.tracker = "unit", .observation = Observation::up});
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=4 10.0.0.2=1");
    node.deliver(TrackerObserved{.tracker = "unit", .observation = Observation::down});
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.2=1");
}

} // namespace
} // namespace holdfast::engine
