// The files that the system gets: the bus policy under the rules of a real system bus, and the journal's catalog.

#include "bus/journal.hpp"
#include "support.hpp"

#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace holdfast::bus::test {
namespace {

TEST(Policy, LetsEverybodyLookAndOnlyRootAct) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to own the name and to become another user";
    PrivateBus bus{PrivateBus::Start::now, system_bus_policy};
    Daemon daemon;
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(daemon.on_bus());
    const std::string denied = "org.freedesktop.DBus.Error.AccessDenied", web = "/org/holdfast1/instance/web";
    EXPECT_EQ(as_nobody([&] {
                  Client client;
                  if (client.instance("web", "State") != "s master") return 1;
                  if (!client.call(root, manager, "Describe").error.empty()) return 2;
                  if (!client.call(web, instance_interface, "Describe").error.empty()) return 3;
                  if (!client.call(root, manager, "ListInstances").error.empty()) return 4;
                  if (!client.call(root, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects").error.empty())
                      return 5;
                  if (!client.call(web, "org.freedesktop.DBus.Introspectable", "Introspect").error.empty()) return 6;
                  // No polkit on this bus: tests/netns/test_access.py has a real one.
                  if (client.call(root, manager, "Failover", "web", true).error != denied) return 7;
                  if (client.call(web, instance_interface, "Failover", {}, true).error != denied) return 8;
                  if (client.call(root, manager, "Reload", {}, true).error != denied) return 9;
                  return 0;
              }),
              0)
        << "1 to 6: may not look; 7 to 9: may act";
    EXPECT_EQ(daemon.count<CommandReceived>() + daemon.count<ReloadRequested>(), 0U);
    Client client;
    client.send_failover("web");
    EXPECT_TRUE(client.until([&] { return daemon.count<CommandReceived>() == 1; })) << "root may";
}

TEST(Policy, RefusesTheNameToOthersAndTheStatusSaysWhatHelps) {
    const std::string closed = R"(<policy context="default"><allow user="*"/><deny own="*"/>
<allow send_destination="*"/><allow receive_sender="*"/></policy>)";
    PrivateBus bus{PrivateBus::Start::now, closed};
    Daemon daemon;
    daemon.publish(snapshot({master("web")}));
    const auto missing = daemon.next<Missing>([](const Missing& each) { return each.what == "bus"; });
    ASSERT_TRUE(missing);
    EXPECT_TRUE(missing->text.starts_with("the bus refuses the name org.holdfast1: ")) << missing->text;
    EXPECT_NE(missing->text.find("is dbus-1/system.d/org.holdfast1.conf installed?"), std::string::npos)
        << missing->text;
}

TEST(Catalog, ExplainsEveryKindOfMessage) {
    std::ifstream file{SOURCE_ROOT "/systemd/holdfast.catalog"};
    const std::string catalog{std::istreambuf_iterator<char>{file}, {}};
    for (int kind = 0; kind <= static_cast<int>(engine::NoteKind::missing_service); ++kind)
        EXPECT_NE(catalog.find(fmt::format("-- {}\n", message_id(static_cast<engine::NoteKind>(kind)))),
                  std::string::npos)
            << kind;
}

} // namespace
} // namespace holdfast::bus::test
