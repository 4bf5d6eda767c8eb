// The unit watcher against a FAKE systemd1: an object on a private bus that answers Subscribe, LoadUnit and GetAll as
// systemd does and sends PropertiesChanged. What real systemd does is tests/boot's.

#include "support.hpp"

#include <atomic>
#include <cstring>
#include <map>
#include <thread>

namespace holdfast::bus::test {
namespace {

constexpr const char* unit_path = "/org/freedesktop/systemd1/unit/nginx_2eservice";

/// On a thread of its own, until it ends.
class FakeSystemd {
  public:
    explicit FakeSystemd(std::string state) : state_{std::move(state)}, thread_{[this] { serve(); }} {
        while (!ready_)
            std::this_thread::sleep_for(1ms);
    }
    ~FakeSystemd() {
        stop_ = true;
        thread_.join();
    }
    void become(const std::string& state) {
        const std::lock_guard lock{mutex_};
        state_ = state;
        changed_ = true;
    }
    std::string orders() {
        const std::lock_guard lock{mutex_};
        return orders_;
    }
    std::atomic<int> asked{0}, restarts{0};
    std::atomic<bool> refuses{false};

  private:
    static int on_message(sd_bus_message* call, void* data, sd_bus_error*) {
        auto& self = *static_cast<FakeSystemd*>(data);
        if (sd_bus_message_is_method_call(call, "org.freedesktop.systemd1.Manager", "Subscribe") > 0) {
            self.subscribed_ = true;
            return sd_bus_reply_method_return(call, "") < 0 ? -1 : 1;
        }
        if (sd_bus_message_is_method_call(call, "org.freedesktop.systemd1.Manager", "LoadUnit") > 0)
            return sd_bus_reply_method_return(call, "o", unit_path) < 0 ? -1 : 1;
        if (sd_bus_message_is_method_call(call, "org.freedesktop.systemd1.Manager", "RestartUnit") > 0) {
            const char *unit = nullptr, *mode = nullptr;
            EXPECT_GE(sd_bus_message_read(call, "ss", &unit, &mode), 0);
            EXPECT_STREQ(unit, "nginx.service");
            EXPECT_STREQ(mode, "replace");
            ++self.restarts;
            if (self.refuses)
                return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "not allowed") < 0 ? -1 : 1;
            return sd_bus_reply_method_return(call, "o", "/org/freedesktop/systemd1/job/1") < 0 ? -1 : 1;
        }
        for (const char* method : {"StartUnit", "StopUnit"}) {
            if (sd_bus_message_is_method_call(call, "org.freedesktop.systemd1.Manager", method) <= 0) continue;
            const char *unit = nullptr, *mode = nullptr;
            EXPECT_GE(sd_bus_message_read(call, "ss", &unit, &mode), 0);
            {
                const std::lock_guard lock{self.mutex_};
                self.orders_ += std::string{method} + " " + unit + " " + mode + "\n";
            }
            if (self.refuses)
                return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "not allowed") < 0 ? -1 : 1;
            return sd_bus_reply_method_return(call, "o", "/org/freedesktop/systemd1/job/1") < 0 ? -1 : 1;
        }
        if (sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "GetAll") > 0) {
            ++self.asked;
            const std::lock_guard lock{self.mutex_};
            return sd_bus_reply_method_return(call, "a{sv}", 3, "Id", "s", "nginx.service", "LoadState", "s", "loaded",
                                              "ActiveState", "s", self.state_.c_str()) < 0
                       ? -1
                       : 1;
        }
        return 0;
    }
    void serve() {
        sd_bus* bus = nullptr;
        EXPECT_GE(sd_bus_open_system(&bus), 0);
        EXPECT_GE(sd_bus_add_filter(bus, nullptr, on_message, this), 0);
        EXPECT_GE(sd_bus_request_name(bus, "org.freedesktop.systemd1", 0), 0);
        ready_ = true;
        while (!stop_) {
            if (sd_bus_process(bus, nullptr) == 0) sd_bus_wait(bus, 5'000);
            const std::lock_guard lock{mutex_};
            if (changed_ && subscribed_) // as systemd: nobody subscribed, nothing sent
                sd_bus_emit_signal(bus, unit_path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                                   "org.freedesktop.systemd1.Unit", 1, "ActiveState", "s", state_.c_str(), 0);
            changed_ = false;
        }
        sd_bus_flush_close_unref(bus);
    }

    std::mutex mutex_;
    std::string state_, orders_;
    bool changed_{false}, subscribed_{false};
    std::atomic<bool> ready_{false}, stop_{false};
    std::thread thread_;
};

struct UnitsOfAFakeSystemd : testing::Test {
    PrivateBus bus;
    Daemon daemon;
    void expect(engine::Observation observation, const std::string& detail) {
        const auto told = daemon.next<UnitObserved>();
        ASSERT_TRUE(told);
        EXPECT_EQ(told->observed.tracker, "nginx");
        EXPECT_EQ(static_cast<int>(told->observed.observation), static_cast<int>(observation));
        EXPECT_EQ(told->observed.detail, detail);
    }
};

using enum engine::Observation;

TEST_F(UnitsOfAFakeSystemd, AreReportedAtOnceAndWithEachChange) {
    FakeSystemd systemd{"active"};
    daemon.post(WatchUnit{"nginx", "nginx.service"});
    expect(up, "nginx.service is active");
    systemd.become("failed");
    expect(down, "nginx.service is failed");
    systemd.become("activating");
    expect(down, "nginx.service is activating");
    systemd.become("active");
    expect(up, "nginx.service is active");
    systemd.become("reloading");
    expect(up, "nginx.service is reloading");
    EXPECT_EQ(systemd.asked, 1) << "asked once, told of the rest";
}

TEST_F(UnitsOfAFakeSystemd, SayWhetherARestartMayHelp) {
    using engine::Repair;
    FakeSystemd systemd{"active"};
    daemon.post(WatchUnit{"nginx", "nginx.service"});
    expect(up, "nginx.service is active");
    for (const auto& [state, repair] : {std::pair{"failed", Repair::wanted}, std::pair{"activating", Repair::under_way},
                                        std::pair{"inactive", Repair::none}, std::pair{"deactivating", Repair::none}}) {
        systemd.become(state);
        const auto told = daemon.next<UnitObserved>();
        ASSERT_TRUE(told);
        EXPECT_EQ(static_cast<int>(told->observed.repair), static_cast<int>(repair)) << state;
    }
}

TEST_F(UnitsOfAFakeSystemd, AreRestartedOnRequestAndARefusalIsTold) {
    FakeSystemd systemd{"failed"};
    daemon.post(WatchUnit{"nginx", "nginx.service"});
    expect(down, "nginx.service is failed");
    daemon.post(RestartUnit{"nginx", "nginx.service"});
    daemon.post(RestartUnit{"other", "other.service"}); // nobody's: ignored
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (systemd.restarts == 0 && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(1ms);
    EXPECT_EQ(systemd.restarts, 1);
    systemd.refuses = true;
    daemon.post(RestartUnit{"nginx", "nginx.service"});
    const auto told = daemon.next<UnitObserved>();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->observed.detail,
              "systemd does not restart nginx.service: not allowed; allow it by polkit, see holdfast.rules");
    EXPECT_EQ(static_cast<int>(told->observed.repair), static_cast<int>(engine::Repair::failed));
}

TEST_F(UnitsOfAFakeSystemd, AreStoppedAndStartedWithAState) {
    FakeSystemd systemd{"active"};
    daemon.post(MoveUnits{"web", {"a.service", "b.target"}, {"c.service"}});
    const std::string expected =
        "StopUnit c.service replace\nStartUnit a.service replace\nStartUnit b.target replace\n";
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (systemd.orders() != expected && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(1ms);
    EXPECT_EQ(systemd.orders(), expected);
}

TEST_F(UnitsOfAFakeSystemd, AreUnknownUntilThereIsASystemd) {
    daemon.post(WatchUnit{"nginx", "nginx.service"});
    expect(unknown, "no systemd on this bus: the unit can't be watched");
    FakeSystemd systemd{"failed"};
    expect(down, "nginx.service is failed");
}

TEST_F(UnitsOfAFakeSystemd, AreReadAgainWhenSystemdOrTheBusComesBack) {
    {
        FakeSystemd systemd{"failed"};
        daemon.post(WatchUnit{"nginx", "nginx.service"});
        expect(down, "nginx.service is failed");
    }
    {
        FakeSystemd systemd{"active"};
        expect(up,
               "nginx.service is active"); // and not unknown in between: that would fail over for a restart of systemd
    }
    bus.kill();
    bus.start();
    FakeSystemd systemd{"inactive"};
    expect(down, "nginx.service is inactive");
}

TEST_F(UnitsOfAFakeSystemd, AreNotReportedWhenNobodyWatchesThem) {
    FakeSystemd systemd{"active"};
    daemon.post(WatchUnit{"nginx", "nginx.service"});
    expect(up, "nginx.service is active");
    daemon.post(UnwatchUnit{"nginx"});
    daemon.post(WatchUnit{"nginx", "nginx.service"}); // again: as new
    expect(up, "nginx.service is active");
    daemon.post(UnwatchUnit{"nginx"});
    std::this_thread::sleep_for(50ms);
    systemd.become("failed");
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(daemon.count<UnitObserved>(), 0U);
}

TEST(Units, AreUnknownWithoutABus) {
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    Daemon daemon;
    daemon.post(WatchUnit{"nginx", "nginx.service"});
    const auto told = daemon.next<UnitObserved>();
    ASSERT_TRUE(told);
    EXPECT_EQ(static_cast<int>(told->observed.observation), static_cast<int>(unknown));
    EXPECT_EQ(told->observed.detail, "no systemd on this bus: the unit can't be watched");
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

} // namespace
} // namespace holdfast::bus::test
