// The life of a helper: started, killed, stuck, lying, missing; and what happens to helpers when the daemon goes.
#include "ipc/codec.hpp"
#include "ipc/pidfd.hpp"
#include "support.hpp"

#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace holdfast::ipc {
namespace {

using testing::Driver;

Helper::Options shell(const std::string& script) {
    return {.name = "test", .command = {"/bin/sh", "-c", script}};
}

std::string field_of_status(pid_t pid, const std::string& field) {
    std::ifstream status{fmt::format("/proc/{}/status", pid)};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field + ":")) return line.substr(field.size() + 1);
    return {};
}

std::string contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

TEST(Helper, ComesBackWithinASecondWithItsSubscriptions) {
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{7}, "http://127.0.0.1:1/", 50ms, 50ms}); // nobody listens: that is a verdict too
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 2; }, 5s));
    const pid_t first = driver.helper.pid();
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    const Time killed = clock_now();
    ASSERT_TRUE(driver.until([&] { return driver.starts.size() == 2; }, 1s));
    const auto before = driver.verdicts.size();
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= before + 2; }, 5s));
    EXPECT_LT(clock_now() - killed, 3s);
    ASSERT_EQ(driver.deaths.size(), 1U);
    EXPECT_NE(driver.deaths[0].reason.find("SIGKILL"), std::string::npos) << driver.deaths[0].reason;
    EXPECT_NE(driver.helper.pid(), first);
    EXPECT_EQ(::kill(first, 0), -1) << "a zombie is left";
    EXPECT_EQ(driver.served, 1U) << "after the death, and not with every word";
}

TEST(Helper, ServesAgainWhenItHasLivedForAWhileThoughItSaysNothing) {
    auto options = shell("exec sleep 100");
    options.convinced_after = 200ms;
    Driver driver{std::move(options)};
    ::kill(driver.helper.pid(), SIGKILL);
    const Time killed = clock_now();
    ASSERT_TRUE(driver.until([&] { return driver.served == 1; }, 5s));
    EXPECT_GE(clock_now() - killed, 200ms);
    EXPECT_EQ(driver.deaths.size(), 1U);
    EXPECT_EQ(driver.helper.next_deadline(), never);
}

TEST(Helper, BacksOffWhenItCanNotStart) {
    Driver driver{{.name = "missing", .command = {"/nonexistent/helper"}, .first_retry = 10ms, .longest_retry = 40ms}};
    ASSERT_TRUE(driver.until([&] { return driver.deaths.size() == 5; }, 5s));
    EXPECT_NE(driver.deaths[0].reason.find("/nonexistent/helper: No such file"), std::string::npos);
    std::vector<Duration> retries;
    for (const auto& death : driver.deaths)
        retries.push_back(death.retry);
    EXPECT_EQ(retries, (std::vector<Duration>{10ms, 20ms, 40ms, 40ms, 40ms}));
    EXPECT_EQ(driver.helper.pid(), -1);
    EXPECT_EQ(driver.served, 0U);
}

TEST(Helper, KillsOneThatSendsGarbage) {
    Driver driver{shell("printf garbage >&3; exec sleep 100")};
    ASSERT_TRUE(driver.until([&] { return !driver.deaths.empty(); }, 5s));
    EXPECT_NE(driver.deaths[0].reason.find("malformed"), std::string::npos) << driver.deaths[0].reason;
}

TEST(Helper, KillsOneThatDoesNotReadAndQueuesNothingTwice) {
    auto options = shell("exec sleep 100");
    options.stuck_after = 200ms;
    Driver driver{std::move(options)};
    for (std::uint64_t round = 0; round < 20; ++round)
        for (std::uint64_t id = 0; id < 500; ++id)
            driver.subscribe(StartHttp{WatchId{id}, "http://127.0.0.1/" + std::string(1000, 'x'), 1s, 1s});
    ASSERT_TRUE(driver.until([&] { return !driver.deaths.empty(); }, 5s));
    EXPECT_NE(driver.deaths[0].reason.find("did not take its messages"), std::string::npos);
    EXPECT_TRUE(driver.until([&] { return driver.starts.size() == 2; }, 5s));
}

TEST(Helper, RefusesASubscriptionOutOfLimits) {
    Helper helper{testing::prober_options()};
    EXPECT_FALSE(helper.subscribe(StartHttp{WatchId{1}, "", 1s, 1s}, clock_now()));
}

TEST(Helper, GivesTheChildOneSocketAndNoEnvironment) {
    const std::string out = fmt::format("/tmp/holdfast-ipc-test-{}", ::getpid());
    const Fd leak{::fcntl(STDERR_FILENO, F_DUPFD, 50)}; // not close-on-exec, on purpose
    ASSERT_GE(leak.get(), 50);
    Driver driver{shell("{ ls /proc/$$/fd; echo; /usr/bin/env; } >" + out)};
    EXPECT_TRUE(driver.until([&] { return !driver.deaths.empty(); }, 5s));
    const std::string text = contents(out);
    ::unlink(out.c_str());
    EXPECT_EQ(text.find(fmt::format("\n{}\n", leak.get())), std::string::npos) << text;
    EXPECT_NE(text.find("\n3\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("HOME="), std::string::npos) << text;
}

TEST(Helper, GivesTheChildOrdinarySignals) {
    sigset_t blocked{};
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    Helper helper{{.name = "test", .command = {"/bin/sleep", "100"}}};
    helper.start(clock_now());
    ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const auto mask = [&](const std::string& field) {
        return std::stoull(field_of_status(helper.pid(), field), nullptr, 16);
    };
    EXPECT_EQ(mask("SigBlk") >> (SIGTERM - 1) & 1U, 0U);
    EXPECT_EQ(mask("SigIgn") >> (SIGPIPE - 1) & 1U, 0U);
}

TEST(Helper, IsNotRealTimeWhenTheDaemonIs) {
    const sched_param real_time{.sched_priority = 1};
    if (::sched_setscheduler(0, SCHED_RR, &real_time) != 0) GTEST_SKIP() << "no CAP_SYS_NICE";
    pid_t pid = -1;
    int policy = -1;
    {
        Helper helper{shell("exec sleep 100")};
        helper.start(clock_now());
        pid = helper.pid();
        policy = ::sched_getscheduler(pid);
    }
    const sched_param ordinary{};
    ::sched_setscheduler(0, SCHED_OTHER, &ordinary);
    ASSERT_GT(pid, 0);
    EXPECT_EQ(policy, SCHED_OTHER);
}

TEST(Helper, TheProberHasNoPrivileges) {
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{1}, "http://127.0.0.1:1/", 1s, 1s});
    ASSERT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, 5s));
    const pid_t pid = driver.helper.pid();
    for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
        EXPECT_EQ(field_of_status(pid, set), "\t0000000000000000") << set;
    EXPECT_EQ(field_of_status(pid, "NoNewPrivs"), "\t1");
    if (::geteuid() == 0) {
        EXPECT_EQ(field_of_status(pid, "Uid"), "\t65534\t65534\t65534\t65534");
        EXPECT_EQ(field_of_status(pid, "Gid"), "\t65534\t65534\t65534\t65534");
        EXPECT_EQ(field_of_status(pid, "CapBnd"), "\t0000000000000000");
        EXPECT_EQ(field_of_status(pid, "Groups").find_first_not_of("\t "), std::string::npos);
    }
}

class BothHelpers : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Ipc, BothHelpers, ::testing::Values(PROBER_PATH, RUNNER_PATH),
                         [](const auto& each) { return each.index == 0 ? "Prober" : "Runner"; });

TEST_P(BothHelpers, EndsWhenTheDaemonClosesTheSocket) {
    auto pair = channel_pair();
    ASSERT_TRUE(pair);
    const std::vector<std::string> command{GetParam()};
    auto child = spawn(command, pair->second);
    ASSERT_TRUE(child) << child.error();
    pair->second.reset();
    EXPECT_FALSE(testing::readable(child->pidfd.get(), 100ms));
    pair->first.reset();
    EXPECT_TRUE(testing::readable(child->pidfd.get(), 2s));
    send_signal(child->pidfd, SIGKILL);
    int status = -1;
    ::waitpid(child->pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// Stopped, so that it can't read the end of its socket: only PR_SET_PDEATHSIG ends it.
TEST_P(BothHelpers, EndsWithAKilledDaemonEvenWhileItHangs) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1); // so that we collect the orphan
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd reader{ends[0]};
    Fd writer{ends[1]};
    const pid_t daemon = ::fork();
    if (daemon == 0) {
        Helper helper{{.name = "helper", .command = {GetParam()}}};
        helper.start(clock_now());
        const pid_t pid = helper.pid();
        if (::write(writer.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
        ::pause();
        ::_exit(0);
    }
    writer.reset();
    pid_t pid = -1;
    ASSERT_EQ(::read(reader.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    const Fd pidfd = open_pidfd(pid);
    ASSERT_TRUE(pidfd);
    const Time end = clock_now() + 5s; // it asks for the signal after its last change of credentials
    while (field_of_status(pid, "NoNewPrivs") != "\t1" && clock_now() < end)
        ::sched_yield();
    EXPECT_FALSE(testing::readable(pidfd.get(), 50ms));
    send_signal(pidfd, SIGSTOP);
    ::kill(daemon, SIGKILL);
    ::waitpid(daemon, nullptr, 0);
    EXPECT_TRUE(testing::readable(pidfd.get(), 2s));
    send_signal(pidfd, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST_P(BothHelpers, SurvivesHostileBytesFromTheDaemon) {
    auto pair = channel_pair();
    ASSERT_TRUE(pair);
    const std::vector<std::string> command{GetParam()};
    auto child = spawn(command, pair->second);
    ASSERT_TRUE(child) << child.error();
    pair->second.reset();
    Channel channel{std::move(pair->first)};
    const auto send = [&](ByteView bytes, std::span<const int> fds = {}) {
        while (channel.send(bytes, fds) == Sent::full)
            ::sched_yield();
    };
    for (std::size_t i = 0; i < 200; ++i) {
        Bytes bytes(1 + i * 37 % 500);
        for (std::size_t j = 0; j < bytes.size(); ++j)
            bytes[j] = static_cast<std::uint8_t>(i * 31 + j * j);
        if (i % 2 == 0 && bytes.size() > 1) bytes[0] = 2, bytes[1] = static_cast<std::uint8_t>(1 + i % 9);
        const std::vector<int> fds(i % 7, channel.fd());
        send(bytes, fds);
    }
    send(Bytes(max_packet + 1000, 1));
    const bool is_prober = GetParam() == PROBER_PATH;
    const Request request = is_prober ? Request{StartHttp{WatchId{1}, "http://127.0.0.1:1/", 1s, 1s}}
                                      : Request{WatchProcesses{WatchId{1}, "holdfast-none", 1}};
    send(*encode(request));
    bool answered = false;
    for (const Time end = clock_now() + 5s; !answered && clock_now() < end;) {
        if (!testing::readable(channel.fd(), 100ms)) continue;
        auto packet = channel.receive();
        ASSERT_TRUE(packet) << "it has died";
        answered = decode_report(packet->bytes).has_value();
    }
    EXPECT_TRUE(answered);
    send_signal(child->pidfd, SIGKILL);
    ::waitpid(child->pid, nullptr, 0);
}

TEST_P(BothHelpers, SaysInOneLineThatItNeedsASocket) {
    const std::string line = fmt::format("{} 3<&- 2>&1", GetParam());
    const auto close = [](FILE* file) { ::pclose(file); };
    const std::unique_ptr<FILE, decltype(close)> output{::popen(line.c_str(), "r")};
    std::string text(512, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), output.get()));
    EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
    EXPECT_TRUE(text.starts_with("<4>holdfast-")) << text;
    EXPECT_EQ(WEXITSTATUS(std::system((line + " >/dev/null").c_str())), 64);
}

// As a systemd socket unit starts it: a listening socket as descriptor 3.
TEST_P(BothHelpers, AcceptsOneConnectionOnAListeningSocket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = fmt::format("/tmp/holdfast-ipc-test-{}.socket", ::getpid());
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    Fd listening{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    ASSERT_EQ(::bind(listening.get(), generic, sizeof address), 0);
    ASSERT_EQ(::listen(listening.get(), 1), 0);
    const std::vector<std::string> command{GetParam()};
    auto child = spawn(command, listening);
    ASSERT_TRUE(child) << child.error();
    Fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::connect(socket.get(), generic, sizeof address), 0);
    ::unlink(path.c_str());
    Channel channel{std::move(socket)};
    const bool is_prober = GetParam() == PROBER_PATH;
    const Request request = is_prober ? Request{StartHttp{WatchId{1}, "http://127.0.0.1:1/", 1s, 1s}}
                                      : Request{WatchProcesses{WatchId{1}, "holdfast-none", 1}};
    EXPECT_EQ(channel.send(*encode(request)), Sent::yes);
    ASSERT_TRUE(testing::readable(channel.fd(), 5s));
    auto packet = channel.receive();
    ASSERT_TRUE(packet);
    EXPECT_TRUE(decode_report(packet->bytes));
    channel = Channel{};
    EXPECT_TRUE(testing::readable(child->pidfd.get(), 2s));
    send_signal(child->pidfd, SIGKILL);
    ::waitpid(child->pid, nullptr, 0);
}

} // namespace
} // namespace holdfast::ipc
