// What is logged, chosen while the daemon runs, as busctl and systemctl choose it.

#include "support.hpp"

#include <fmt/format.h>

namespace holdfast::bus::test {
namespace {

struct LogControl : testing::Test {
    PrivateBus bus{PrivateBus::Start::now, system_bus_policy};
    Daemon daemon;
    const std::string object{"org.holdfast1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 "};
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to own the name";
        daemon.publish(snapshot({master("web")}));
        ASSERT_TRUE(daemon.on_bus());
    }
    std::string set(const std::string& property, const std::string& value) const {
        return run("busctl set-property " + object + property + " s " + value).output;
    }
    std::string get(const std::string& property) const {
        return run("busctl get-property " + object + property).output;
    }
    void note(engine::Severity severity, const std::string& text) {
        daemon.post(engine::Note{severity, engine::NoteKind::state_change, "web", text, {}, {}, {}});
    }
    /// What was written while `action` ran.
    static std::string written(const std::function<void()>& action) {
        testing::internal::CaptureStderr();
        action();
        Client{}.instance("web", "State"); // what was posted before is done
        return testing::internal::GetCapturedStderr();
    }
};

TEST_F(LogControl, BeginsAtInfo) {
    EXPECT_EQ(get("LogLevel"), "s \"info\"\n");
    EXPECT_EQ(get("LogTarget"), "s \"console\"\n") << "stderr is not the journal here";
    EXPECT_EQ(get("SyslogIdentifier"), "s \"holdfastd\"\n");
    EXPECT_EQ(written([&] {
                  note(engine::Severity::info, "one");
                  note(engine::Severity::debug, "two");
              }),
              "<6>one\n");
}

TEST_F(LogControl, SetsTheLevel) {
    EXPECT_EQ(set("LogLevel", "warning"), "");
    EXPECT_EQ(get("LogLevel"), "s \"warning\"\n");
    EXPECT_EQ(written([&] {
                  note(engine::Severity::notice, "one");
                  note(engine::Severity::warning, "two");
              }),
              "<4>two\n");
    EXPECT_EQ(set("LogLevel", "debug"), "");
    EXPECT_EQ(written([&] { note(engine::Severity::debug, "three"); }), "<7>three\n");
}

TEST_F(LogControl, SaysWhichLevelsAndTargetsThereAre) {
    EXPECT_TRUE(has(set("LogLevel", "loud"), "there is no level 'loud': take one of emerg, alert, crit, err, warning"));
    EXPECT_TRUE(has(set("LogTarget", "kmsg"), "holdfastd does not log to 'kmsg': take journal or console"));
    EXPECT_TRUE(has(set("LogTarget", "journal"), "stderr is not the journal"));
    EXPECT_EQ(set("LogTarget", "console"), "");
    EXPECT_FALSE(set("SyslogIdentifier", "x").empty());
    EXPECT_EQ(get("LogLevel"), "s \"info\"\n");
}

TEST_F(LogControl, IsSetByRootAndSeenByAll) {
    const std::string nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
    EXPECT_EQ(run(nobody + "busctl get-property " + object + "LogLevel").output, "s \"info\"\n");
    const auto refused = run(nobody + "busctl set-property " + object + "LogLevel s debug");
    EXPECT_NE(refused.status, 0);
    EXPECT_TRUE(has(refused.output, "Access denied")) << refused.output;
    EXPECT_EQ(get("LogLevel"), "s \"info\"\n");
}

TEST_F(LogControl, TellsWhoAskedForWhat) {
    const auto let_in = written([&] {
        Client client;
        client.send_failover("web");
        EXPECT_TRUE(client.until([&] { return daemon.count<CommandReceived>() == 1; }));
    });
    EXPECT_TRUE(let_in.starts_with("<6>let in: org.holdfast1.Manager.Failover on /org/holdfast1 by user 0 (:1."))
        << let_in;
    EXPECT_EQ(
        written([] { nobody_asks([](Client& client) { return client.call(root, manager, "Reload", {}, true); }); }),
        "");
    ASSERT_EQ(set("LogLevel", "debug"), "");
    const auto refused =
        written([] { nobody_asks([](Client& client) { return client.call(root, manager, "Reload", {}, true); }); });
    EXPECT_TRUE(refused.starts_with("<7>refused: org.holdfast1.Manager.Reload on /org/holdfast1 by user 65534 (:1."))
        << refused;
}

} // namespace
} // namespace holdfast::bus::test
