// The real runner against real processes of a made-up name.
#include "ipc/pidfd.hpp"
#include "ipc/process_set.hpp"
#include "runner/proc.hpp"
#include "runner/watch.hpp"
#include "support.hpp"

#include <csignal>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace holdfast::ipc {
namespace {

using testing::Driver;

/// A name of at most 15 bytes that no other process has.
std::string fresh_name() {
    static int counter = 0;
    return fmt::format("hf{}-{}", ::getpid(), ++counter);
}

/// A process of the given name, with workers of the same name if asked for, all in one process group.
class Named {
  public:
    explicit Named(const std::string& name, int workers = 0, int unshare_flags = 0) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        const Fd reader{ends[0]};
        Fd writer{ends[1]};
        pid_ = ::fork();
        if (pid_ == 0) live(name, workers, unshare_flags, writer.get());
        ::setpgid(pid_, pid_);
        writer.reset();
        char ok = 0;
        ready = ::read(reader.get(), &ok, 1) == 1 && ok == 1; // the end of the pipe when it failed
    }
    Named(const Named&) = delete;
    Named& operator=(const Named&) = delete;
    ~Named() {
        ::kill(-pid_, SIGKILL);
        if (!collected_) ::waitpid(pid_, nullptr, 0);
        while (::waitpid(-pid_, nullptr, 0) > 0) {
        } // workers that came to us (PR_SET_CHILD_SUBREAPER)
    }
    pid_t pid() const { return pid_; }
    void kill() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        collected_ = true;
    }
    void kill_leaving_a_zombie() const { ::kill(pid_, SIGKILL); }

    bool ready{false};

  private:
    [[noreturn]] static void live(const std::string& name, int workers, int unshare_flags, int writer) {
        ::setpgid(0, 0);
        if (unshare_flags != 0 && ::unshare(unshare_flags) != 0) ::_exit(1);
        ::prctl(PR_SET_NAME, name.c_str());
        while (workers-- > 0)
            if (::fork() == 0) break;
        const char ok = 1;
        if (workers < 0 && ::write(writer, &ok, 1) != 1) ::_exit(1);
        for (;;)
            ::pause();
    }

    pid_t pid_{-1};
    bool collected_{false};
};

/// A runner that watches one name.
struct Watching {
    explicit Watching(const std::string& name, unsigned quorum = 1, Helper::Options options = testing::runner_options())
        : driver{std::move(options)}, set{name, quorum} {
        driver.on_found = [this](const ProcessesFound& found, std::vector<Fd> fds) {
            descriptors += fds.size();
            if (set.on_found(found, std::move(fds))) ++scans;
        };
        driver.subscribe(WatchProcesses{WatchId{1}, name, quorum});
    }
    bool until(const std::function<bool(const ProcessVerdict&)>& done, Duration patience) {
        return driver.until([&] { return done(set.verdict()); }, patience, set.fd(), [&] { set.on_readable(); });
    }
    bool until_running(unsigned count, Duration patience = 5s) {
        return until([count](const ProcessVerdict& v) { return v.known && v.running == count; }, patience);
    }
    bool until_scans(unsigned count, Duration patience = 5s) {
        return until([this, count](const ProcessVerdict&) { return scans >= count; }, patience);
    }

    Driver driver;
    ProcessSet set;
    unsigned scans{0};
    std::size_t descriptors{0};
};

TEST(Runner, SeesABirthWithinAFastScan) {
    const std::string name = fresh_name();
    Watching watching{name};
    ASSERT_TRUE(watching.until_scans(3));
    const Named process{name};
    const Time born = clock_now();
    ASSERT_TRUE(watching.until_running(1));
    EXPECT_LT(clock_now() - born, 200ms);
    EXPECT_TRUE(watching.set.verdict().up);
}

TEST(Runner, TheDaemonSeesAnEndAtOnceEvenWithoutTheRunner) {
    const std::string name = fresh_name();
    Named process{name};
    Watching watching{name};
    ASSERT_TRUE(watching.until_running(1));
    ::kill(watching.driver.helper.pid(), SIGSTOP);
    const Time killed = clock_now();
    process.kill();
    ASSERT_TRUE(watching.until_running(0));
    EXPECT_LT(clock_now() - killed, 50ms);
    ::kill(watching.driver.helper.pid(), SIGCONT);
}

TEST(Runner, LooksAgainSoonAfterAnEnd) {
    const std::string name = fresh_name();
    Named first{name};
    Watching watching{name};
    ASSERT_TRUE(watching.until_running(1));
    first.kill();
    const Named second{name};
    const Time born = clock_now();
    ASSERT_TRUE(watching.until([](const ProcessVerdict& v) { return !v.up; }, 1s));
    ASSERT_TRUE(watching.until_running(1));
    EXPECT_LT(clock_now() - born, 250ms);
}

TEST(Runner, EveryScanIsAnObservationAndDescriptorsComeOnce) {
    const std::string name = fresh_name();
    const Named process{name};
    Watching watching{name, 2}; // one of two: it looks every 100 ms
    ASSERT_TRUE(watching.until_scans(1));
    const Time begin = clock_now();
    ASSERT_TRUE(watching.until_scans(11));
    EXPECT_GE(clock_now() - begin, 900ms);
    EXPECT_LT(clock_now() - begin, 1500ms);
    EXPECT_EQ(watching.descriptors, 1U);
    EXPECT_FALSE(watching.set.verdict().up);
}

TEST(Runner, LooksOnceASecondWhileEnoughRun) {
    const std::string name = fresh_name();
    const Named process{name};
    Watching watching{name};
    ASSERT_TRUE(watching.until_scans(1));
    const Time begin = clock_now();
    ASSERT_TRUE(watching.until_scans(2));
    EXPECT_GE(clock_now() - begin, 900ms);
    EXPECT_LT(clock_now() - begin, 1300ms);
}

TEST(Runner, WorkersWithoutTheirMasterAreDegraded) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const std::string name = fresh_name();
    Named service{name, 2};
    Watching watching{name};
    ASSERT_TRUE(watching.until_running(3));
    EXPECT_FALSE(watching.set.verdict().degraded);
    service.kill();
    ASSERT_TRUE(watching.until([](const ProcessVerdict& v) { return v.degraded; }, 50ms));
    EXPECT_EQ(watching.set.verdict().running, 2U);
    const unsigned seen = watching.scans;
    ASSERT_TRUE(watching.until_scans(seen + 1)); // still, although the workers have another parent now
    EXPECT_TRUE(watching.set.verdict().degraded);
    ::kill(watching.driver.helper.pid(), SIGKILL); // and also for a runner that has never seen the master
    ASSERT_TRUE(watching.until_scans(seen + 3));
    EXPECT_TRUE(watching.set.verdict().degraded);
    EXPECT_EQ(watching.set.verdict().running, 2U);
}

TEST(Runner, AZombieDoesNotRun) {
    const std::string name = fresh_name();
    const Named process{name};
    Watching watching{name};
    ASSERT_TRUE(watching.until_running(1));
    process.kill_leaving_a_zombie();
    ASSERT_TRUE(watching.until_running(0));
    const unsigned seen = watching.scans;
    ASSERT_TRUE(watching.until_scans(seen + 2));
    EXPECT_EQ(watching.set.verdict().running, 0U);
}

TEST(Runner, AProcessThatIsRenamedIsGone) {
    const std::string name = fresh_name();
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const Fd reader{ends[0]};
    Fd writer{ends[1]};
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_NAME, name.c_str());
        char ignored = 0;
        writer.reset();
        if (::read(reader.get(), &ignored, 1) == 0) ::prctl(PR_SET_NAME, "another");
        for (;;)
            ::pause();
    }
    Watching watching{name};
    EXPECT_TRUE(watching.until_running(1));
    writer.reset();
    EXPECT_TRUE(watching.until_running(0));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST(Runner, ProcessesOfAnotherNetworkNamespaceAreIgnored) {
    const std::string name = fresh_name();
    const Named stranger{name, 0, CLONE_NEWNET};
    if (!stranger.ready) GTEST_SKIP() << "may not make a network namespace";
    Watching watching{name};
    ASSERT_TRUE(watching.until_scans(3));
    EXPECT_EQ(watching.set.verdict().running, 0U);
    const Named ours{name};
    ASSERT_TRUE(watching.until_running(1));
}

// Without CAP_SYS_PTRACE other users' ns links can't be read; /proc/PID/net still tells the namespaces apart.
TEST(Runner, AnUnprivilegedRunnerTellsNamespacesApartToo) {
    constexpr auto setpriv = "/usr/bin/setpriv";
    if (::geteuid() != 0 || ::access(setpriv, X_OK) != 0) GTEST_SKIP() << "needs root and setpriv";
    auto options = testing::runner_options();
    options.command = {setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", RUNNER_PATH};
    const std::string name = fresh_name();
    const Named stranger{name, 0, CLONE_NEWNET};
    if (!stranger.ready) GTEST_SKIP() << "may not make a network namespace";
    const Named ours{name};
    Watching watching{name, 1, std::move(options)};
    if (!watching.until_scans(1, 2s)) GTEST_SKIP() << "user 65534 may not run " RUNNER_PATH;
    ASSERT_TRUE(watching.until_scans(2));
    EXPECT_EQ(watching.set.verdict().running, 1U);
}

TEST(Runner, ManyProcessesComeInSeveralMessages) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const std::string name = fresh_name();
    const Named service{name, 199};
    Watching watching{name, 200};
    ASSERT_TRUE(watching.until_running(200, 20s));
    EXPECT_TRUE(watching.set.verdict().up);
    EXPECT_EQ(watching.descriptors, 200U);
    ::kill(-service.pid(), SIGKILL);
    EXPECT_TRUE(watching.until_running(0, 20s));
}

TEST(Runner, IsIdleBetweenScansAlsoAfterProcessesEnded) {
    const std::string name = fresh_name();
    auto churn = std::make_unique<Named>(name);
    const Named steady{name};
    Watching watching{name};
    ASSERT_TRUE(watching.until_running(2));
    churn.reset();
    ASSERT_TRUE(watching.until_running(1));
    const unsigned seen = watching.scans;
    ASSERT_TRUE(watching.until_scans(seen + 1));
    const auto cpu = [&] {
        clockid_t clock{};
        ::clock_getcpuclockid(watching.driver.helper.pid(), &clock);
        timespec used{};
        ::clock_gettime(clock, &used);
        return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
    };
    const auto before = cpu();
    ASSERT_TRUE(watching.until_scans(seen + 3));
    EXPECT_LT(cpu() - before, 100ms); // a busy loop would be two seconds
}

TEST(Runner, TwoNamesAreWatchedByOneRunnerAndOneCanBeLeft) {
    const std::string one = fresh_name();
    const std::string two = fresh_name();
    const Named process{two};
    Watching watching{one};
    ProcessSet other{two, 1};
    unsigned others = 0;
    const auto inner = watching.driver.on_found;
    watching.driver.on_found = [&](const ProcessesFound& found, std::vector<Fd> fds) {
        if (found.id != WatchId{2}) return inner(found, std::move(fds));
        if (other.on_found(found, std::move(fds))) ++others;
    };
    watching.driver.subscribe(WatchProcesses{WatchId{2}, two, 2});
    ASSERT_TRUE(watching.until([&](const ProcessVerdict&) { return others >= 3 && watching.scans >= 3; }, 5s));
    EXPECT_EQ(other.verdict().running, 1U);
    EXPECT_EQ(watching.set.verdict().running, 0U);
    watching.driver.helper.unsubscribe(WatchId{2}, clock_now());
    const unsigned left = others;
    const unsigned seen = watching.scans;
    ASSERT_TRUE(watching.until_scans(seen + 5));
    EXPECT_EQ(others, left);
}

TEST(ParseStat, ReadsAfterTheLastParenthesis) {
    const std::string tail = " S 42 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11\n";
    for (const auto* name : {"(nginx)", "(a b)", "(x) R 1 (y)", "()", "())"})
        EXPECT_EQ(runner::parse_stat("100 " + std::string{name} + tail), (runner::Stat{'S', 42, 987654})) << name;
    for (const auto* broken :
         {"", "100", "100 (x)", "100 (x) S", "100 (x) S 1 2 3", "100 (x) S y 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 9"})
        EXPECT_FALSE(runner::parse_stat(broken)) << broken;
}

TEST(RunnerWatch, APartThatWasNotSentIsSentByTheNextScan) {
    runner::Watch watch{{WatchId{9}, "x", 1}};
    std::vector<runner::Match> matches;
    for (pid_t pid = 1; pid <= 150; ++pid) {
        matches.push_back({pid, pid == 1 ? 0 : 1, 5});
        watch.add(matches.back(), Fd{::dup(0)});
    }
    watch.settle(matches);
    const auto parts = watch.parts();
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_TRUE(parts[0].message.first && !parts[0].message.last && parts[2].message.last && !parts[2].message.first);
    EXPECT_TRUE(parts[0].message.processes[0].parent_of_match);
    EXPECT_TRUE(parts[1].message.processes[0].child_of_match);
    watch.announced(parts[0]);
    EXPECT_EQ(watch.parts().size(), 2U);
    watch.announced(parts[1]);
    watch.announced(parts[2]);
    ASSERT_EQ(watch.parts().size(), 1U);
    EXPECT_TRUE(watch.parts()[0].fds.empty());
    EXPECT_EQ(watch.parts()[0].message.processes.size(), 150U);
}

} // namespace
} // namespace holdfast::ipc
