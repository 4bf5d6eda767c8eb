// No bus, a bus that dies, hangs or belongs to somebody else: the daemon goes on, says what is missing and comes back.

#include "support.hpp"

#include <csignal>

namespace holdfast::bus::test {
namespace {

std::optional<Missing> bus_missing(Daemon& daemon) {
    return daemon.next<Missing>([](const Missing& missing) { return missing.what == "bus" && !missing.text.empty(); });
}

TEST(Connection, WithoutABusEverythingElseWorks) {
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    NotifySocket manager;
    Daemon daemon;
    daemon.publish(snapshot({master("web")}));
    daemon.post(Ready{});
    daemon.post(Heartbeat{});
    EXPECT_EQ(manager.next("READY=1"), "READY=1");
    const auto missing = bus_missing(daemon);
    ASSERT_TRUE(missing);
    EXPECT_TRUE(missing->text.starts_with("no D-Bus at unix:path=/nonexistent/bus: ")) << missing->text;
    EXPECT_TRUE(missing->text.ends_with("; holdfastctl uses the private socket; tried again every 1s"))
        << missing->text;
    EXPECT_EQ(bus_missing(daemon)->text.substr(missing->text.size() - 2), "2s") << "less and less often";
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

TEST(Connection, IsMadeWhenTheBusComesLater) {
    PrivateBus bus{PrivateBus::Start::later};
    Daemon daemon;
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(bus_missing(daemon));
    bus.start();
    ASSERT_TRUE(daemon.on_bus());
    EXPECT_EQ(Client{}.instance("web", "State"), "s master");
}

TEST(Connection, ComesBackAfterTheBusWasKilled) {
    PrivateBus bus;
    Daemon daemon;
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(daemon.on_bus());
    for (int round = 0; round < 2; ++round) {
        bus.kill();
        ASSERT_TRUE(bus_missing(daemon));
        daemon.publish(snapshot({backup("shop"), backup("web")})); // what happens meanwhile is seen afterwards
        bus.start();
        ASSERT_TRUE(daemon.on_bus());
        Client client;
        EXPECT_EQ(client.instance("web", "State"), "s backup");
        EXPECT_EQ(client.instance("shop", "State"), "s backup");
    }
}

TEST(Connection, LosesCallsThatWaitWithTheBus) {
    PrivateBus bus;
    Daemon daemon;
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(daemon.on_bus());
    auto client = std::make_unique<Client>();
    client->send_failover("web");
    ASSERT_TRUE(client->until([&] { return daemon.count<CommandReceived>() == 1; }));
    bus.kill();
    ASSERT_TRUE(bus_missing(daemon));
    daemon.post(engine::Reply{daemon.next<CommandReceived>()->command.id, std::nullopt, "done"});
    bus.start();
    ASSERT_TRUE(daemon.on_bus());
    EXPECT_EQ(Client{}.instance("web", "State"), "s master");
}

TEST(Connection, NamesTheOtherDaemonOnThisBus) {
    PrivateBus bus;
    Daemon first;
    first.publish(snapshot({master("web")}));
    ASSERT_TRUE(first.on_bus());
    Daemon second;
    second.publish(snapshot({backup("web")}));
    const auto missing = bus_missing(second);
    ASSERT_TRUE(missing);
    EXPECT_TRUE(missing->text.starts_with(
        "another holdfastd has the name org.holdfast1 on this bus: stop it, or give this one a "
        "bus of its own (DBUS_SYSTEM_BUS_ADDRESS)"))
        << missing->text;
    first.stop();
    EXPECT_TRUE(second.on_bus()) << "it takes the name when it is free";
}

TEST(Connection, OfABusThatHangsHoldsNothingUp) {
    PrivateBus bus;
    bus.pause(SIGSTOP);
    NotifySocket manager;
    const auto begin = std::chrono::steady_clock::now();
    {
        Daemon daemon;
        daemon.publish(snapshot({master("web")}));
        daemon.post(Ready{});
        daemon.post(Heartbeat{});
        EXPECT_EQ(manager.next("WATCHDOG=1"), "WATCHDOG=1");
        EXPECT_EQ(manager.next("READY=1"), "READY=1");
        const auto missing = bus_missing(daemon);
        ASSERT_TRUE(missing);
        EXPECT_NE(missing->text.find("does not answer"), std::string::npos) << missing->text;
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s) << "nor does it keep the daemon from ending";
    bus.pause(SIGCONT);
}

TEST(Connection, ThatHangsLaterHoldsNothingUpEither) {
    PrivateBus bus;
    NotifySocket manager;
    auto daemon = std::make_unique<Daemon>();
    daemon->publish(snapshot({master("web")}));
    ASSERT_TRUE(daemon->on_bus());
    bus.pause(SIGSTOP);
    for (int i = 0; i < 2000; ++i)
        daemon->publish(snapshot({i % 2 == 0 ? backup("web") : master("web")}));
    daemon->post(Heartbeat{});
    EXPECT_EQ(manager.next("WATCHDOG=1"), "WATCHDOG=1");
    const auto begin = std::chrono::steady_clock::now();
    daemon.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
    bus.pause(SIGCONT);
}

} // namespace
} // namespace holdfast::bus::test
