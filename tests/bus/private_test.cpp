// The private socket as stock clients see it: busctl as it is, with a bus, without one, and while one is gone; and
// clients that misbehave.

#include "support.hpp"

#include <array>
#include <fmt/format.h>
#include <fstream>
#include <grp.h>
#include <iterator>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace holdfast::bus::test {
namespace {

bool wait_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

/// No bus anywhere, unless a test makes one.
struct Private : testing::Test {
    TemporaryDirectory directory;
    std::filesystem::path path{directory.path / "private"};
    std::string busctl{"busctl --address=unix:path=" + path.string() + " "};
    Private() { ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1); }
    ~Private() override { ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
    std::string state() const {
        return run(busctl + "get-property org.holdfast1 /org/holdfast1/instance/web org.holdfast1.Instance State")
            .output;
    }
};

TEST_F(Private, IsWhatBusctlCanReadWithoutABus) {
    Daemon daemon{path};
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(wait_until([&] { return state() == "s \"master\"\n"; })) << state();
    const auto introspected = run(busctl + "introspect org.holdfast1 /org/holdfast1/instance/web").output;
    EXPECT_TRUE(has(introspected, ".Failover")) << introspected;
    EXPECT_TRUE(has(introspected, ".Addresses")) << introspected;
    const auto tree = run(busctl + "tree --list org.holdfast1").output;
    EXPECT_TRUE(has(tree, "/org/holdfast1/instance/web\n")) << tree;
    const auto described = run(busctl + "call org.holdfast1 /org/holdfast1 org.holdfast1.Manager Describe").output;
    EXPECT_TRUE(has(described, "NodeName")) << described;
    EXPECT_TRUE(has(run(busctl + "list").output, "org.holdfast1")) << run(busctl + "list").output;
    EXPECT_TRUE(has(run(busctl + "call org.holdfast1 /org/holdfast1 org.holdfast1.Manager GetInstance s no").output,
                    "there is no instance 'no'"));
    EXPECT_TRUE(has(run(busctl + "call org.freedesktop.systemd1 / a.b C").output, "there is only org.holdfast1 here"));
}

TEST_F(Private, IsForItsUserAndGroupAndGoesWithTheDaemon) {
    std::filesystem::create_directories(directory.path);
    std::ofstream{path} << "what a daemon that died left behind";
    Daemon daemon{path};
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(wait_until([&] { return state() == "s \"master\"\n"; }));
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode, S_IFSOCK | 0660U);
    daemon.stop();
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Private, ThatCannotBeMadeIsNamed) {
    Daemon daemon{"/nonexistent/private"};
    const auto missing = daemon.next<Missing>([](const Missing& each) { return each.what == "private socket"; });
    ASSERT_TRUE(missing);
    EXPECT_EQ(missing->text,
              "can't listen at /nonexistent/private: No such file or directory; holdfastctl needs the bus");
    Daemon other{std::string(120, 'x')};
    EXPECT_TRUE(has(other.next<Missing>([](const Missing& each) { return each.what == "private socket"; })->text,
                    "is too long for a socket (107 bytes): choose a shorter --runtime-dir"));
}

TEST_F(Private, TellsEverySignal) {
    Daemon daemon{path};
    auto first = snapshot({backup("web")});
    daemon.publish(first);
    ASSERT_TRUE(wait_until([&] { return state() == "s \"backup\"\n"; }));
    const auto seen = directory.path / "seen";
    const auto monitor = ::fork();
    if (monitor == 0) {
        const auto command = "exec " + busctl + "--json=short monitor > " + seen.string() + " 2>&1";
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(1);
    }
    const auto text = [&] {
        std::ifstream file{seen};
        return std::string{std::istreambuf_iterator<char>{file}, {}};
    };
    ASSERT_TRUE(wait_until([&] { return has(text(), "Monitoring bus"); })) << text();
    std::uint64_t number = 0;
    ASSERT_TRUE(wait_until([&] { // until it listens: a signal a round
        auto next = snapshot({master("web"), backup(fmt::format("shop{}", number))});
        add_transitions(*next, number + 1, number + 1);
        ++number;
        daemon.publish(next);
        std::this_thread::sleep_for(20ms);
        return has(text(), "StateChanged") && has(text(), "PropertiesChanged") && has(text(), "InterfacesAdded") &&
               has(text(), "InterfacesRemoved");
    })) << text();
    ::kill(monitor, SIGTERM);
    ::waitpid(monitor, nullptr, 0);
}

TEST_F(Private, ShowsTheSameAsTheBusAndOutlivesIt) {
    PrivateBus bus;
    Daemon daemon{path};
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(daemon.on_bus());
    const std::string here = "introspect --xml-interface org.holdfast1 /org/holdfast1";
    EXPECT_EQ(run(busctl + here).output, run("busctl --address=" + bus.address() + " " + here).output);
    bus.kill();
    ASSERT_TRUE(daemon.next<Missing>([](const auto& each) { return each.what == "bus" && !each.text.empty(); }));
    EXPECT_EQ(state(), "s \"master\"\n");
    daemon.publish(snapshot({backup("web")}));
    EXPECT_TRUE(wait_until([&] { return state() == "s \"backup\"\n"; })) << state();
    bus.start();
    ASSERT_TRUE(daemon.on_bus());
    EXPECT_EQ(Client{}.instance("web", "State"), "s backup") << "the same objects";
}

TEST_F(Private, LetsOnlyRootAct) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    Daemon daemon{path};
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(wait_until([&] { return state() == "s \"master\"\n"; }));
    const std::string failover = "call org.holdfast1 /org/holdfast1 org.holdfast1.Manager Failover sa{sv} web 0";
    const std::string nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
    EXPECT_TRUE(has(run(nobody + busctl + failover).output, "Permission denied")) << "not even the socket";
    ::chmod(path.c_str(), 0666);
    const auto denied = run(nobody + busctl + failover);
    EXPECT_TRUE(has(denied.output, "Access denied")) << denied.output;
    EXPECT_NE(denied.status, 0);
    EXPECT_EQ(daemon.count<CommandReceived>(), 0U);
    std::thread root{[&] { EXPECT_EQ(run(busctl + failover).output, "s \"moved\"\n"); }};
    const auto command = daemon.next<CommandReceived>();
    if (command) daemon.post(engine::Reply{command->command.id, std::nullopt, "moved"});
    root.join();
}

int connect_to(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy_n(path.c_str(), path.string().size(), address.sun_path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
}

bool hung_up(int fd, std::chrono::milliseconds time) {
    pollfd wait{fd, POLLRDHUP, 0};
    return ::poll(&wait, 1, static_cast<int>(time.count())) == 1;
}

TEST_F(Private, HasRoomForSoManyClients) {
    Daemon daemon{path};
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(wait_until([&] { return state() == "s \"master\"\n"; }));
    std::array<int, 32> clients{};
    for (auto& fd : clients)
        fd = connect_to(path);
    const int late = connect_to(path);
    EXPECT_TRUE(hung_up(late, 5s)) << "one too many is told at once";
    EXPECT_FALSE(hung_up(clients.front(), 0ms));
    ::close(late);
    for (const int fd : clients)
        ::close(fd);
    EXPECT_TRUE(wait_until([&] { return state() == "s \"master\"\n"; })) << "there is room again";
}

TEST_F(Private, DropsAClientThatNeverReadsAndNobodyNotices) {
    Daemon daemon{path};
    auto next = snapshot({backup("web")});
    daemon.publish(next);
    ASSERT_TRUE(wait_until([&] { return state() == "s \"backup\"\n"; }));
    const int fd = connect_to(path);
    const std::string login{"\0AUTH ANONYMOUS\r\nBEGIN\r\n", 24}; // no Hello: a peer that is sent all signals
    ASSERT_EQ(::write(fd, login.data(), login.size()), static_cast<ssize_t>(login.size()));
    std::uint64_t number = 0;
    bool dropped = false;
    for (int round = 0; round < 200 && !dropped; ++round) {
        next = snapshot({round % 2 == 0 ? master("web") : backup("web")});
        add_transitions(*next, number + 1, number + 500);
        number += 500;
        daemon.publish(next);
        EXPECT_TRUE(wait_until([&] { return state() == fmt::format("s \"{}\"\n", next->instances.front()->state); }))
            << "others are served as ever";
        dropped = hung_up(fd, 0ms);
    }
    EXPECT_TRUE(dropped);
    EXPECT_GT(number, 16'000U) << "it had its time";
    ::close(fd);
}

TEST_F(Private, CallsOfAClientThatNeverReadsWait) {
    Daemon daemon{path};
    daemon.publish(snapshot({master("web")}));
    ASSERT_TRUE(wait_until([&] { return state() == "s \"master\"\n"; }));
    sd_bus* bus = nullptr;
    ASSERT_GE(sd_bus_new(&bus), 0);
    ASSERT_GE(sd_bus_set_address(bus, ("unix:path=" + path.string()).c_str()), 0);
    ASSERT_GE(sd_bus_set_bus_client(bus, 1), 0);
    ASSERT_GE(sd_bus_start(bus), 0);
    sd_bus_message* reply = nullptr;
    ASSERT_GE(sd_bus_call_method(bus, "org.holdfast1", root, manager, "Describe", nullptr, &reply, ""), 0);
    sd_bus_message_unref(reply);
    const auto ignore = [](sd_bus_message*, void*, sd_bus_error*) { return 0; };
    for (int i = 0; i < 20'000; ++i) // as many as it likes: they wait in its own socket
        ASSERT_GE(
            sd_bus_call_method_async(bus, nullptr, "org.holdfast1", root, manager, "Describe", ignore, nullptr, ""), 0);
    const auto unread = [&] {
        int bytes = 0;
        ::ioctl(sd_bus_get_fd(bus), SIOCOUTQ, &bytes);
        return bytes;
    };
    int now = 0;
    do { // until the daemon has stopped reading
        now = unread();
        std::this_thread::sleep_for(300ms);
    } while (unread() != now);
    EXPECT_GT(now, 0) << "the daemon has read more than it could answer";
    EXPECT_EQ(state(), "s \"master\"\n");
    sd_bus_close_unref(bus);
}

} // namespace
} // namespace holdfast::bus::test
