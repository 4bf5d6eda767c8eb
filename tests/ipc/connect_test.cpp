// Helpers that are units of their own, with this test in the place of systemd: it listens, and starts the real programs.
#include "ipc/codec.hpp"
#include "ipc/connect.hpp"
#include "ipc/pidfd.hpp"
#include "support.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace holdfast::ipc {
namespace {

using testing::Driver;
using testing::readable;

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

/// A socket file that goes with the object.
class Listener {
  public:
    explicit Listener(int backlog = 16, int type = SOCK_SEQPACKET) {
        static int counter = 0;
        path = fmt::format("/tmp/holdfast-connect-{}-{}", ::getpid(), ++counter);
        ::unlink(path.c_str());
        fd.reset(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        const auto address = address_of(path);
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_TRUE(type == SOCK_DGRAM || ::listen(fd.get(), backlog) == 0);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::unlink(path.c_str()); }

    std::string path;
    Fd fd;
};

/// A helper with the listening socket as descriptor 3, as systemd starts it.
class Unit {
  public:
    Unit(const std::string& program, const Listener& listener, std::vector<std::string> environment = {}) {
        std::vector<char*> variables;
        for (auto& each : environment)
            variables.push_back(each.data());
        variables.push_back(nullptr);
        std::string path = program;
        std::array<char*, 2> words{path.data(), nullptr};
        pid = ::fork();
        if (pid == 0) {
            ::dup2(listener.fd.get(), 3);
            ::fcntl(3, F_SETFD, 0); // also when it was number 3 already
            ::execve(words[0], words.data(), variables.data());
            ::_exit(127);
        }
        pidfd = open_pidfd(pid);
    }
    Unit(const Unit&) = delete;
    Unit& operator=(const Unit&) = delete;
    ~Unit() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    bool ends_within(Duration patience) const { return readable(pidfd.get(), patience); }

    pid_t pid{-1};
    Fd pidfd;
};

Helper::Options at(const std::string& path) {
    return {.name = "holdfast-test", .command = {}, .socket = path};
}

/// Nobody listens there: that is a verdict too, ten a second.
const StartHttp probe{WatchId{7}, "http://127.0.0.1:1/", 100ms, 100ms};

/// What the rest of its scope does is done as somebody who is neither root nor us.
class Stranger {
  public:
    Stranger() { EXPECT_EQ(::seteuid(65534), 0); }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;
    ~Stranger() { EXPECT_EQ(::seteuid(0), 0); }
};

bool answers(const Fd& connection) {
    const Request watch{WatchProcesses{WatchId{1}, "holdfast-none", 1}};
    const auto bytes = *encode(watch);
    if (::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return false;
    std::array<char, 64> answer{};
    return readable(connection.get(), 5s) && ::recv(connection.get(), answer.data(), answer.size(), 0) > 0;
}

TEST(Connected, AHelperThatDiesIsAskedForAgainAndToldEverything) {
    const Listener listener;
    Driver driver{at(listener.path)};
    driver.subscribe(probe);
    EXPECT_EQ(driver.helper.pid(), -1) << "it is no child";
    auto unit = std::make_unique<Unit>(PROBER_PATH, listener); // later than the connection, as systemd does
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 2; }, 5s));
    EXPECT_TRUE(driver.deaths.empty());

    ::kill(unit->pid, SIGKILL);
    ASSERT_TRUE(driver.until([&] { return driver.starts.size() == 2; }, 5s));
    ASSERT_EQ(driver.deaths.size(), 1U);
    EXPECT_EQ(driver.deaths[0].reason, "holdfast-test: closed its socket (journalctl -u holdfast-test)");
    EXPECT_EQ(driver.deaths[0].retry, 100ms);
    const auto before = driver.verdicts.size();
    unit = std::make_unique<Unit>(PROBER_PATH, listener);
    EXPECT_TRUE(driver.until([&] { return driver.verdicts.size() >= before + 2; }, 5s));
}

TEST(Connected, TheHelperEndsWithTheDaemonsEnd) {
    const Listener listener;
    const Unit unit{PROBER_PATH, listener};
    {
        Driver driver{at(listener.path)};
        driver.subscribe(probe);
        ASSERT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, 5s));
    }
    EXPECT_TRUE(unit.ends_within(5s));
}

TEST(Connected, NobodyThereIsNamedWithItsCureAndTriedAgain) {
    auto options = at("/nonexistent/prober");
    options.first_retry = 10ms;
    Driver driver{std::move(options)};
    ASSERT_TRUE(driver.until([&] { return driver.deaths.size() == 3; }, 5s));
    EXPECT_EQ(driver.deaths[0].reason,
              "holdfast-test: cannot connect to /nonexistent/prober: No such file or directory; "
              "systemctl status holdfast-test.socket");
    EXPECT_EQ(driver.deaths[2].retry, 40ms);
}

TEST(Connected, APathThatIsTooLongIsNamed) {
    const auto done = connect_to("/" + std::string(200, 'x'));
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().find("107 bytes"), std::string::npos) << done.error();
}

TEST(Connected, AFullQueueIsAnErrorAndNoWaiting) {
    const Listener listener{0};
    std::vector<Fd> waiting;
    std::string error;
    for (int i = 0; i < 100 && error.empty(); ++i)
        if (auto done = connect_to(listener.path))
            waiting.push_back(std::move(*done));
        else
            error = done.error();
    EXPECT_NE(error.find("too many connections wait there already"), std::string::npos) << error;
}

TEST(Connected, OneThatIsNeverAcceptedIsGivenUp) {
    const Listener listener;
    auto options = at(listener.path);
    options.stuck_after = 300ms;
    Driver driver{std::move(options)};
    driver.subscribe(probe);
    ASSERT_TRUE(driver.until([&] { return driver.deaths.size() == 2; }, 5s));
    EXPECT_NE(driver.deaths[0].reason.find("did not take its messages"), std::string::npos) << driver.deaths[0].reason;
    const Unit unit{PROBER_PATH, listener}; // those that were given up are left out
    EXPECT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, 10s));
}

TEST(Connected, OneWithNothingToDoIsLeftAlone) {
    const Listener listener;
    auto options = at(listener.path);
    options.stuck_after = 50ms;
    Driver driver{std::move(options)};
    EXPECT_FALSE(driver.until([&] { return !driver.deaths.empty(); }, 200ms));
    EXPECT_EQ(driver.helper.next_deadline(), never);
}

TEST(Connected, OneThatLiesIsLeft) {
    const Listener listener;
    Driver driver{at(listener.path)};
    const Fd liar{::accept(listener.fd.get(), nullptr, nullptr)};
    ASSERT_EQ(::send(liar.get(), "garbage", 7, 0), 7);
    ASSERT_TRUE(driver.until([&] { return !driver.deaths.empty(); }, 5s));
    EXPECT_NE(driver.deaths[0].reason.find("malformed"), std::string::npos) << driver.deaths[0].reason;
    std::array<char, 8> rest{};
    EXPECT_EQ(::recv(liar.get(), rest.data(), rest.size(), 0), 0) << "its connection is closed";
}

TEST(Connected, AStrangersSocketIsNotTalkedTo) {
    if (::geteuid() != 0) GTEST_SKIP() << "becoming somebody else needs root";
    std::unique_ptr<Listener> listener;
    {
        const Stranger stranger;
        listener = std::make_unique<Listener>();
    }
    const auto done = connect_to(listener->path);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().find("user 65534 listens there, and only root or user 0 may"), std::string::npos)
        << done.error();
}

TEST(Connected, AStrangerIsNotServed) {
    if (::geteuid() != 0) GTEST_SKIP() << "becoming somebody else needs root";
    const Listener listener;
    ASSERT_EQ(::chmod(listener.path.c_str(), 0666), 0);
    const auto address = address_of(listener.path);
    const Fd theirs{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    {
        const Stranger stranger;
        ASSERT_EQ(::connect(theirs.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    const auto ours = connect_to(listener.path);
    ASSERT_TRUE(ours) << ours.error();
    const Unit unit{RUNNER_PATH, listener};
    EXPECT_TRUE(answers(*ours));
    EXPECT_FALSE(answers(theirs));
}

TEST(Connected, TheOwnerOfTheSocketIsServed) {
    if (::geteuid() != 0) GTEST_SKIP() << "becoming somebody else needs root";
    const Listener listener;
    ASSERT_EQ(::chown(listener.path.c_str(), 65534, 65534), 0); // SocketUser=
    std::optional<Result<Fd>> connection;
    {
        const Stranger stranger;
        connection = connect_to(listener.path);
    }
    ASSERT_TRUE(*connection) << connection->error();
    const Unit unit{RUNNER_PATH, listener};
    EXPECT_TRUE(answers(**connection));
}

class Watched : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Ipc, Watched, ::testing::Values(PROBER_PATH, RUNNER_PATH),
                         [](const auto& each) { return each.index == 0 ? "Prober" : "Runner"; });

/// Before somebody has connected, and behind it.
TEST_P(Watched, AHelperGivesItsSignOfLife) {
    const Listener listener;
    const Listener manager{0, SOCK_DGRAM};
    ASSERT_EQ(::chmod(manager.path.c_str(), 0666), 0); // the prober becomes somebody else
    const Unit unit{GetParam(), listener, {"NOTIFY_SOCKET=" + manager.path, "WATCHDOG_USEC=100000"}};
    const auto signs = [&](int wanted) {
        std::array<char, 64> text{};
        for (int i = 0; i < wanted; ++i) {
            if (!readable(manager.fd.get(), 5s)) return false;
            const auto size = ::recv(manager.fd.get(), text.data(), text.size(), 0);
            if (std::string_view(text.data(), static_cast<std::size_t>(size)) != "WATCHDOG=1") return false;
        }
        return true;
    };
    EXPECT_TRUE(signs(3));
    const auto connection = connect_to(listener.path);
    ASSERT_TRUE(connection) << connection.error();
    EXPECT_TRUE(signs(3));
    send_signal(unit.pidfd, SIGSTOP);
    while (readable(manager.fd.get(), 300ms)) // what was under way
        ASSERT_TRUE(signs(1));
}

} // namespace
} // namespace holdfast::ipc
