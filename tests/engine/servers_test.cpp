// Virtual servers as the engine runs them, beside a table that behaves as the kernel's: what is programmed, in which order, what
// is repaired, and what nobody may touch.
#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

model::ServiceKey service(std::uint8_t last, std::uint16_t port = 80) {
    return {.family = Family::ipv4, .address = IpAddress::v4(192, 0, 2, last), .port = port};
}

model::RealServer real(const std::string& name, std::uint32_t weight = 1, bool checked = true) {
    model::RealServer result{.name = name,
                             .address = IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(name.back() - '0')),
                             .weight = weight};
    if (checked) result.checks.push_back({.kind = model::TcpCheck{}, .retry = 0});
    return result;
}

/// One host with the engine, a table, and helpers that are told what to say.
class Node {
  public:
    Node() { config_.node_name = "lb1"; }

    model::VirtualServer& add(const std::string& name, std::vector<model::RealServer> reals, std::uint8_t last = 10) {
        config_.virtual_servers.push_back(
            {.name = name, .services = {service(last)}, .real_servers = std::move(reals)});
        std::ranges::sort(config_.virtual_servers, {}, &model::VirtualServer::name);
        return *std::ranges::find(config_.virtual_servers, name, &model::VirtualServer::name);
    }
    void load() { deliver(ConfigLoaded{std::make_shared<const model::Config>(config_)}); }
    /// Everything that is due within this time.
    void run(Duration time) {
        const auto until = now + time;
        for (int turn = 0; turn < 100'000; ++turn) {
            const auto next = engine.next_deadline();
            if (next > until) break;
            now = std::max(now, next);
            deliver(Elapsed{});
        }
        now = until;
    }
    void deliver(const Event& event) {
        Actions actions;
        engine.on(event, now, actions);
        for (auto& action : actions)
            perform(action);
    }
    void probe(const std::string& name, bool good, std::int32_t status = 0) {
        for (const auto& [id, check] : checks)
            if (check.name == name)
                return deliver(CheckObserved{
                    CheckId{id}, {.good = good, .status = status, .detail = good ? "connected" : "refused"}});
        ADD_FAILURE() << "nobody checks " << name;
    }
    /// "192.0.2.10 wlc: 10.0.0.1=1 10.0.0.2=1"
    std::string shown() const {
        std::string out;
        for (const auto& [key, entry] : table) {
            out += fmt::format("{}{} {}:", out.empty() ? "" : "; ", to_string(key.address), entry.service.scheduler);
            for (const auto& [at, destination] : entry.destinations)
                out += fmt::format(" {}={}", to_string(at.address), destination.weight);
        }
        return out;
    }
    const VirtualServerView& view(const std::string& name) {
        snapshot = engine.snapshot();
        return **std::ranges::find(snapshot->virtual_servers, name, [](const auto& v) { return v->model->name; });
    }
    std::string state(const std::string& name) { return std::string{view(name).state}; }
    std::string command(ServerCommand command) {
        deliver(ServerCommanded{7, std::move(command)});
        return reply ? reply->text : "no reply";
    }

    model::Config config_;
    Engine engine;
    Time now{1000s};
    IpvsTable table;
    std::map<IpvsEndpoint, std::uint32_t> connections;
    int table_error{0};
    std::map<std::uint64_t, StartCheck> checks;
    std::vector<std::string> steps;    ///< all that was programmed
    std::vector<std::string> programs; ///< notify scripts, of the transitions
    std::optional<Reply> reply;
    std::shared_ptr<const Snapshot> snapshot;
    bool finished{false}, answers{true};
    std::vector<IpvsSync> sync;
    IpvsTimeouts timeouts{900, 120, 300};
    std::optional<Event> held; ///< the answer of the table, when `answers` is off

  private:
    void answer(Event event) {
        if (answers)
            deliver(event);
        else
            held = std::move(event);
    }
    void perform(const Action& action) {
        if (const auto* start = std::get_if<StartCheck>(&action)) checks[start->id.value] = *start;
        if (const auto* stop = std::get_if<StopCheck>(&action)) checks.erase(stop->id.value);
        if (std::holds_alternative<ListKernel>(action)) deliver(KernelListed{});
        if (std::holds_alternative<Finished>(action)) finished = true;
        if (const auto* said = std::get_if<Reply>(&action)) reply = *said;
        if (std::holds_alternative<ListIpvs>(action)) answer(IpvsRead{std::make_shared<const IpvsListed>(list())});
        if (const auto* batch = std::get_if<ProgramIpvs>(&action)) answer(program(*batch));
    }
    IpvsListed list() const {
        IpvsListed listed{.sync = sync, .timeouts = timeouts, .error = table_error};
        if (table_error != 0) return listed;
        for (const auto& [key, entry] : table) {
            listed.services.push_back({.service = entry.service});
            for (const auto& [at, destination] : entry.destinations) {
                const auto active = connections.find(at);
                listed.services.back().destinations.push_back(
                    {.destination = destination, .active = active == connections.end() ? 0 : active->second});
            }
        }
        return listed;
    }
    IpvsDone program(const ProgramIpvs& batch) {
        IpvsDone done{batch.id};
        for (std::uint32_t i = 0; i < batch.steps.size(); ++i) {
            const int error = try_step(batch.steps[i]);
            if (error != 0) done.failed.emplace_back(i, error);
            if (error == 0) apply(batch.steps[i], table);
        }
        return done;
    }
    /// As ip_vs_ctl.c refuses.
    int try_step(const IpvsStep& step) {
        if (table_error != 0) return table_error;
        if (const auto* start = std::get_if<StartSync>(&step)) sync.push_back(start->sync);
        if (const auto* stop = std::get_if<StopSync>(&step))
            std::erase_if(sync, [&](const IpvsSync& each) { return each.role == stop->sync.role; });
        if (const auto* set = std::get_if<SetTimeouts>(&step)) {
            timeouts = {set->timeouts.tcp ? set->timeouts.tcp : timeouts.tcp,
                        set->timeouts.tcp_fin ? set->timeouts.tcp_fin : timeouts.tcp_fin,
                        set->timeouts.udp ? set->timeouts.udp : timeouts.udp};
        }
        if (const auto* put = std::get_if<PutService>(&step)) {
            steps.push_back(fmt::format("{}{}", put->edit ? "edit " : "+", to_string(put->service.key.address)));
            if (put->service.scheduler == "mh") return ENOENT;
            return table.contains(put->service.key) == put->edit ? 0 : put->edit ? ESRCH : EEXIST;
        }
        if (const auto* put = std::get_if<PutDestination>(&step)) {
            steps.push_back(fmt::format("{}{}={}", put->edit ? "edit " : "+", to_string(put->destination.at.address),
                                        put->destination.weight));
            const auto at = table.find(put->service);
            if (at == table.end()) return ESRCH;
            return at->second.destinations.contains(put->destination.at) == put->edit ? 0 : put->edit ? ENOENT : EEXIST;
        }
        if (const auto* remove = std::get_if<RemoveDestination>(&step))
            steps.push_back(fmt::format("-{}", to_string(remove->at.address)));
        if (const auto* remove = std::get_if<RemoveService>(&step))
            steps.push_back(fmt::format("-{}", to_string(remove->key.address)));
        return 0;
    }
};

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
    node.table[service(10)].destinations.begin()->second.weight = 50;
    node.run(1s);
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
