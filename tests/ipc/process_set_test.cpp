// The daemon's view of the watched processes, from made-up reports and real pidfds of children of this test.
#include "ipc/pidfd.hpp"
#include "ipc/process_set.hpp"
#include "support.hpp"

#include <csignal>
#include <sys/wait.h>

namespace holdfast::ipc {
namespace {

/// A child that does nothing until it is killed.
class Sleeper {
  public:
    Sleeper() : pid_{::fork()} {
        if (pid_ == 0) {
            ::pause();
            ::_exit(0);
        }
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    ~Sleeper() { kill(); }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
};

ProcessInfo plain(pid_t pid, std::uint64_t start = 1) {
    return {pid, start, false, false, true};
}
ProcessInfo master(pid_t pid) {
    return {pid, 1, false, true, true};
}
ProcessInfo worker(pid_t pid) {
    return {pid, 1, true, false, true};
}

bool scan(ProcessSet& set, std::vector<ProcessInfo> list, bool first = true, bool last = true) {
    std::vector<Fd> fds;
    for (auto& info : list) {
        if (!info.has_fd) continue;
        Fd fd = open_pidfd(info.pid);
        info.has_fd = static_cast<bool>(fd);
        if (fd) fds.push_back(std::move(fd));
    }
    return set.on_found({WatchId{1}, first, last, std::move(list)}, std::move(fds));
}

TEST(ProcessSet, IsUnknownUntilAScanIsComplete) {
    ProcessSet set{"nginx", 1};
    EXPECT_FALSE(set.verdict().known);
    EXPECT_FALSE(scan(set, {}, true, false));
    EXPECT_FALSE(set.verdict().known);
    EXPECT_TRUE(scan(set, {}, false, true));
    EXPECT_TRUE(set.verdict().known);
    EXPECT_FALSE(set.verdict().up);
    EXPECT_EQ(set.verdict().text, "0 processes 'nginx', 1 needed");
}

TEST(ProcessSet, SeesAnEndByThePidfdAlone) {
    Sleeper one;
    Sleeper two;
    ProcessSet set{"nginx", 2};
    ASSERT_TRUE(scan(set, {plain(one.pid()), plain(two.pid())}));
    EXPECT_TRUE(set.verdict().up);
    EXPECT_FALSE(testing::readable(set.fd(), 0ms));
    one.kill();
    ASSERT_TRUE(testing::readable(set.fd(), 1s));
    EXPECT_TRUE(set.on_readable());
    EXPECT_FALSE(set.verdict().up);
    EXPECT_EQ(set.verdict().running, 1U);
    EXPECT_FALSE(testing::readable(set.fd(), 0ms)); // said once
}

TEST(ProcessSet, AScanTakenBeforeAnEndDoesNotBringTheProcessBack) {
    Sleeper one;
    const pid_t pid = one.pid();
    ProcessSet set{"nginx", 1};
    scan(set, {plain(pid)});
    one.kill();
    set.on_readable();
    scan(set, {{pid, 1, false, false, false}});
    EXPECT_FALSE(set.verdict().up);
    scan(set, {});
    Sleeper again; // the pid of another start time is another process
    scan(set, {plain(again.pid(), 2)});
    EXPECT_TRUE(set.verdict().up);
}

TEST(ProcessSet, ARecycledPidIsANewProcess) {
    Sleeper one;
    ProcessSet set{"nginx", 1};
    scan(set, {{one.pid(), 1, false, false, false}});
    set.on_exit(one.pid());
    EXPECT_EQ(set.verdict().running, 0U);
    scan(set, {plain(one.pid(), 2)});
    EXPECT_EQ(set.verdict().running, 1U);
    one.kill();
    EXPECT_TRUE(set.on_readable());
    EXPECT_EQ(set.verdict().running, 0U);
}

TEST(ProcessSet, AWorkerWithoutItsMasterIsDegraded) {
    Sleeper m;
    Sleeper w;
    ProcessSet set{"nginx", 1};
    scan(set, {master(m.pid()), worker(w.pid())});
    EXPECT_FALSE(set.verdict().degraded);
    m.kill();
    set.on_readable();
    EXPECT_TRUE(set.verdict().degraded);
    EXPECT_TRUE(set.verdict().up);
    EXPECT_EQ(set.verdict().text, "degraded: 1 worker 'nginx' without a master");
    scan(set, {{w.pid(), 1, false, false, true}}); // a runner that was restarted sees an orphan
    EXPECT_TRUE(set.verdict().degraded);
}

TEST(ProcessSet, AMasterThatAnotherMasterStartedIsNoWorker) {
    ProcessSet set{"nginx", 1};
    set.on_found({WatchId{1}, true, true, {{100, 1, false, true, false}, {101, 1, true, false, false}}}, {});
    set.on_found({WatchId{1},
                  true,
                  true,
                  {{100, 1, false, true, false}, {101, 1, true, true, false}, {102, 1, true, false, false}}},
                 {});
    set.on_found({WatchId{1}, true, true, {{101, 1, true, true, false}, {102, 1, true, false, false}}}, {});
    EXPECT_FALSE(set.verdict().degraded);
}

TEST(ProcessSet, AnInterruptedScanForgetsNobody) {
    ProcessSet set{"nginx", 1};
    const ProcessInfo info{100, 1, false, false, false};
    set.on_found({WatchId{1}, true, true, {info}}, {});
    EXPECT_FALSE(set.on_found({WatchId{1}, true, false, {}}, {}));
    EXPECT_EQ(set.verdict().running, 1U);
    EXPECT_TRUE(set.on_found({WatchId{1}, true, true, {info}}, {})); // the runner was restarted meanwhile
    EXPECT_EQ(set.verdict().running, 1U);
    ProcessSet late{"nginx", 1};
    EXPECT_FALSE(late.on_found({WatchId{1}, false, true, {info}}, {})) << "its beginning is missing";
}

} // namespace
} // namespace holdfast::ipc
