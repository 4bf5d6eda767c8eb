// Failover and Reload over a real bus: what is asked of the loop, and how each answer looks to the caller.

#include "support.hpp"

#include <fmt/format.h>
#include <future>

namespace holdfast::bus::test {
namespace {

struct Commands : testing::Test {
    PrivateBus bus;
    Daemon daemon;
    void SetUp() override {
        daemon.publish(snapshot({master("web")}));
        daemon.post(Ready{});
        ASSERT_TRUE(daemon.on_bus());
    }
    /// A call on a client of its own, while the test plays the loop.
    static std::future<Answer> failover(const std::string& name,
                                        std::optional<std::pair<std::string, std::uint64_t>> option = {}) {
        return std::async(std::launch::async,
                          [=] { return Client{}.call(root, manager, "Failover", name, true, option); });
    }
    static std::future<Answer> reload() {
        return std::async(std::launch::async, [] { return Client{}.call(root, manager, "Reload", {}, true); });
    }
};

TEST_F(Commands, FailoverIsAnsweredWhenTheLoopSaysSo) {
    auto call = failover("web", std::pair{"hold-usec", 60'000'000ULL});
    const auto command = daemon.next<CommandReceived>();
    ASSERT_TRUE(command);
    EXPECT_EQ(command->command.command.name, "web");
    EXPECT_EQ(std::get<engine::Failover>(command->command.command.what).hold, Duration{60s});
    EXPECT_EQ(call.wait_for(50ms), std::future_status::timeout) << "nothing is known yet";
    daemon.post(engine::Reply{command->command.id, std::nullopt, "10.0.0.12 is now master of 'web'"});
    daemon.publish(snapshot({backup("web")}));
    EXPECT_EQ(call.get().values, "s 10.0.0.12 is now master of 'web'");
    EXPECT_EQ(Client{}.instance("web", "State"), "s backup") << "who asks after the answer sees the result";
}

TEST_F(Commands, ASuccessWithoutANewSnapshotIsAnsweredToo) {
    auto call = failover("web");
    const auto command = daemon.next<CommandReceived>();
    ASSERT_TRUE(command);
    EXPECT_EQ(std::get<engine::Failover>(command->command.command.what).hold, std::nullopt);
    daemon.post(engine::Reply{command->command.id, std::nullopt, "done"});
    EXPECT_EQ(call.get().values, "s done");
}

TEST_F(Commands, AnInstanceCanBeAskedItself) {
    auto call = std::async(std::launch::async, [] {
        return Client{}.call("/org/holdfast1/instance/web", instance_interface, "Failover", {}, true);
    });
    const auto command = daemon.next<CommandReceived>();
    ASSERT_TRUE(command);
    EXPECT_EQ(command->command.command.name, "web");
    daemon.post(engine::Reply{command->command.id, engine::CommandError::no_successor, "no successor in 1100 ms"});
    EXPECT_EQ(call.get().error, "org.holdfast1.Error.NoSuccessor");
}

TEST_F(Commands, EveryRefusalHasItsName) {
    using enum engine::CommandError;
    for (const auto& [error, name] : {std::pair{no_such_instance, "NoSuchInstance"},
                                      {not_master, "NotMaster"},
                                      {no_successor, "NoSuccessor"},
                                      {busy, "Busy"},
                                      {stopping, "Stopping"}}) {
        auto call = failover("web");
        const auto command = daemon.next<CommandReceived>();
        ASSERT_TRUE(command);
        daemon.post(engine::Reply{command->command.id, error, "why"});
        const auto answer = call.get();
        EXPECT_EQ(answer.error, fmt::format("org.holdfast1.Error.{}", name));
        EXPECT_EQ(answer.text, "why");
    }
}

TEST_F(Commands, UnknownOptionsAreRefused) {
    const auto answer = failover("web", std::pair{"hold", 60ULL}).get();
    EXPECT_EQ(answer.error, "org.freedesktop.DBus.Error.InvalidArgs");
    EXPECT_EQ(answer.text, "option 'hold' is not known here: there is 'hold-usec' (type t)");
}

TEST_F(Commands, ReloadWaitsForItsEndAndTellsWarnings) {
    auto call = reload();
    const auto request = daemon.next<ReloadRequested>();
    ASSERT_TRUE(request);
    daemon.post(ReloadBegan{});
    EXPECT_EQ(call.wait_for(50ms), std::future_status::timeout);
    daemon.post(ReloadEnded{{request->command}, true, {"holdfast.yaml:3:1: warning: close priorities"}});
    EXPECT_EQ(call.get().values, "as [holdfast.yaml:3:1: warning: close priorities]");
}

TEST_F(Commands, ReloadTellsEveryProblem) {
    auto call = reload();
    const auto request = daemon.next<ReloadRequested>();
    ASSERT_TRUE(request);
    daemon.post(ReloadEnded{{request->command}, false, {"a.yaml:1:1: error: one", "a.yaml:2:1: error: two \xff"}});
    const auto answer = call.get();
    EXPECT_EQ(answer.error, "org.holdfast1.Error.InvalidConfig");
    EXPECT_EQ(answer.text, "a.yaml:1:1: error: one\na.yaml:2:1: error: two \uFFFD");
}

TEST_F(Commands, AVirtualServerTakesChangesOfItsServers) {
    const auto model = std::make_shared<model::VirtualServer>();
    model->name = "shop";
    const auto view = std::make_shared<engine::VirtualServerView>();
    view->model = model;
    view->state = "serving";
    const auto shown = std::make_shared<engine::Snapshot>(*snapshot({master("web")}));
    shown->virtual_servers.push_back(view);
    daemon.publish(shown);
    using enum model::ChangeRefusal;
    for (const auto& [refusal, name] : {std::pair{std::optional{no_such_server}, "org.holdfast1.Error.NoSuchServer"},
                                        {std::optional{exists}, "org.holdfast1.Error.ServerExists"},
                                        {std::optional{in_file}, "org.holdfast1.Error.ServerInFile"},
                                        {std::optional{invalid}, "org.holdfast1.Error.InvalidConfig"},
                                        {std::optional{limit}, "org.freedesktop.DBus.Error.LimitsExceeded"},
                                        {std::optional{failed}, "org.freedesktop.DBus.Error.Failed"},
                                        {std::nullopt, ""}}) {
        auto call = std::async(std::launch::async, [] {
            return Client{}.call("/org/holdfast1/virtual_server/shop", "org.holdfast1.VirtualServer", "RemoveServer",
                                 "r1");
        });
        const auto request = daemon.next<ServerChangeRequested>();
        ASSERT_TRUE(request);
        EXPECT_EQ(request->change.server, "shop");
        EXPECT_EQ(request->change.real, "r1");
        EXPECT_EQ(request->change.directives, std::nullopt);
        daemon.post(ServerChanged{request->command, refusal, "so it is"});
        const auto answer = call.get();
        EXPECT_EQ(answer.error, name);
        EXPECT_EQ(refusal ? answer.text : answer.values, refusal ? "so it is" : "s so it is");
    }
}

TEST_F(Commands, OneReloadAnswersAllWhoWait) {
    auto one = reload(), two = reload();
    const auto first = daemon.next<ReloadRequested>(), second = daemon.next<ReloadRequested>();
    ASSERT_TRUE(first && second);
    daemon.post(ReloadEnded{{first->command, second->command}, true, {}});
    EXPECT_EQ(one.get().values, "as []");
    EXPECT_EQ(two.get().values, "as []");
}

TEST_F(Commands, ThatWaitAreBounded) {
    Client client;
    for (int i = 0; i < 100; ++i)
        client.send_failover("web");
    ASSERT_TRUE(client.until([&] { return client.replies.size() == 36; }));
    client.for_a_while(50ms);
    EXPECT_EQ(client.replies, std::vector<std::string>(36, "org.holdfast1.Error.Busy"));
    EXPECT_EQ(daemon.count<CommandReceived>(), 64U);
    const auto command = daemon.next<CommandReceived>();
    daemon.post(engine::Reply{command->command.id, engine::CommandError::busy, ""});
    ASSERT_TRUE(client.until([&] { return client.replies.size() == 37; }));
    auto call = failover("web"); // there is room again
    EXPECT_TRUE(daemon.next<CommandReceived>([&](const auto& m) { return m.command.id > 64; }));
    daemon.stop();
    EXPECT_EQ(call.get().error, "org.holdfast1.Error.Stopping") << "at the end nobody is left waiting";
}

TEST_F(Commands, OfAClientThatWentAwayDoNoHarm) {
    auto client = std::make_unique<Client>();
    client->send_failover("web");
    ASSERT_TRUE(client->until([&] { return daemon.count<CommandReceived>() == 1; }));
    client.reset();
    const auto command = daemon.next<CommandReceived>();
    daemon.post(engine::Reply{command->command.id, std::nullopt, "done"});
    EXPECT_EQ(Client{}.instance("web", "State"), "s master");
}

} // namespace
} // namespace holdfast::bus::test
