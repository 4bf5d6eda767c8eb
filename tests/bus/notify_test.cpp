// What the service manager reads, datagram by datagram, and what people read on stderr.

#include "bus/journal.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <set>
#include <sys/stat.h>
#include <time.h>

namespace holdfast::bus::test {
namespace {

std::uint64_t monotonic_now_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

struct Notify : testing::Test {
    PrivateBus bus;
    NotifySocket manager;
    Daemon daemon;
};

TEST_F(Notify, IsReadyWhenTheNameIsOwned) {
    daemon.publish(snapshot({master("web")}));
    daemon.post(Ready{});
    EXPECT_EQ(manager.next("READY=1"), "READY=1");
    EXPECT_EQ(Client{}.instance("web", "State"), "s master") << "at that moment, not some time later";
}

TEST_F(Notify, SaysWhoIsWhat) {
    auto leaving = master("shop");
    leaving.reason_code = "leaving";
    daemon.publish(snapshot({backup("inside"), leaving, master("web")}));
    EXPECT_EQ(manager.next("STATUS="),
              "STATUS=inside is backup of 10.0.0.12; shop is master and leaving, 1 address; web is master, 1 address");
    auto broken = backup("d");
    broken.state = "fault";
    broken.reason = "eth0 has no carrier";
    daemon.publish(snapshot({master("a"), master("b"), backup("c"), broken}));
    EXPECT_EQ(manager.next("STATUS="), "STATUS=4 instances: 2 master, 1 fault: d (eth0 has no carrier)");
    broken.reason = std::string(1000, 'x') + "\nREADY=1";
    daemon.publish(snapshot({broken}));
    const auto line = manager.next("xxx");
    EXPECT_LE(line.size(), 310U) << "bounded";
    EXPECT_EQ(line.find('\n'), std::string::npos) << "one line, whatever is in it";
}

TEST_F(Notify, TellsAReloadFromAnOlderOne) {
    daemon.publish(snapshot({master("web")}));
    daemon.post(Ready{});
    ASSERT_EQ(manager.next("READY=1"), "READY=1");
    const auto before = monotonic_now_usec();
    daemon.post(ReloadBegan{});
    const auto datagram = manager.next("RELOADING=1");
    ASSERT_TRUE(datagram.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << datagram;
    const auto told = std::stoull(datagram.substr(datagram.rfind('=') + 1));
    EXPECT_GE(told, before);
    EXPECT_LE(told, monotonic_now_usec());
    daemon.post(ReloadEnded{});
    EXPECT_EQ(manager.next("READY=1"), "READY=1");
}

TEST_F(Notify, StopsOnce) {
    auto last = snapshot({master("web")});
    last->stopping = true;
    daemon.publish(last);
    EXPECT_EQ(manager.next("STOPPING=1"), "STOPPING=1");
    daemon.post(Heartbeat{});
    daemon.stop();
    EXPECT_EQ(manager.next("=1"), "WATCHDOG=1") << "and does not say it again";
}

TEST_F(Notify, StopsWhenTheThreadEnds) {
    daemon.publish(snapshot({master("web")}));
    daemon.stop();
    EXPECT_EQ(manager.next("STOPPING=1"), "STOPPING=1");
}

TEST(Watchdog, WantsASignOfLifeTwiceInItsTime) {
    ::setenv("WATCHDOG_USEC", "10000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(Thread::heartbeat_interval(), Duration{5s});
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(Thread::heartbeat_interval(), Duration::zero()) << "meant for another process";
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
    EXPECT_EQ(Thread::heartbeat_interval(), Duration::zero());
}

// ---- the journal
// --------------------------------------------------------------------------------------------------------

engine::Note note(engine::Severity severity, const std::string& text) {
    return {severity, engine::NoteKind::state_change, "web", text, "backup", "master", "master_silent"};
}

TEST(Journal, IsPlainLinesWhenStderrIsNotTheJournal) {
    testing::internal::CaptureStderr();
    Journal journal;
    journal.write(note(engine::Severity::notice, "web: backup -> master: the master fell silent"), "lb1");
    journal.write(note(engine::Severity::error, "one\ntwo\n"), "lb1");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "<5>web: backup -> master: the master fell silent\n<3>one two\n");
    EXPECT_EQ(journal.missing(), "stderr is not the journal, so messages are plain lines there, without fields");
}

TEST(Journal, IsPlainLinesWhenJournaldIsNotThere) {
    if (::access("/run/systemd/journal/socket", F_OK) == 0) GTEST_SKIP() << "journald runs here";
    testing::internal::CaptureStderr();
    struct stat info{};
    ASSERT_EQ(::fstat(STDERR_FILENO, &info), 0);
    ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", info.st_dev, info.st_ino).c_str(), 1);
    Journal journal;
    ::unsetenv("JOURNAL_STREAM");
    journal.write(note(engine::Severity::warning, "text"), "lb1");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "<4>text\n");
    EXPECT_EQ(journal.missing(), "no journald at /run/systemd/journal/socket: messages are plain lines on stderr");
}

TEST(Journal, IsAskedForWhereStderrIsAContainersPipe) {
    ::setenv("HOLDFAST_JOURNAL", "1", 1);
    const Journal journal;
    ::unsetenv("HOLDFAST_JOURNAL");
    const bool there = ::access("/run/systemd/journal/socket", W_OK) == 0;
    EXPECT_EQ(journal.missing().value_or(""),
              there ? "" : "no journald at /run/systemd/journal/socket: messages are plain lines on stderr");
}

TEST(Journal, NeverWaitsForAReader) {
    int pipe[2] = {-1, -1};
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const int real = ::dup(STDERR_FILENO);
    ::dup2(pipe[1], STDERR_FILENO);
    Journal journal;
    const std::string text(1000, 'x');
    for (int i = 0; i < 1000; ++i)
        journal.write(note(engine::Severity::notice, text), "lb1"); // a pipe takes 64 KiB
    std::string read(1 << 20, '\0');
    ASSERT_GT(::read(pipe[0], read.data(), read.size()), 0);
    journal.write(note(engine::Severity::notice, "after"), "lb1");
    read.assign(1 << 20, '\0');
    const auto size = ::read(pipe[0], read.data(), read.size());
    ::dup2(real, STDERR_FILENO);
    for (const int fd : {real, pipe[0], pipe[1]})
        ::close(fd);
    read.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    EXPECT_TRUE(read.starts_with("<4>dropped ") && read.ends_with(" lines: nobody read stderr\n<5>after\n")) << read;
}

TEST(Journal, HasAnIdForEachKind) {
    std::set<std::string_view> ids;
    constexpr auto last = static_cast<int>(engine::NoteKind::missing_service);
    for (int kind = 0; kind <= last; ++kind) {
        const auto id = message_id(static_cast<engine::NoteKind>(kind));
        EXPECT_EQ(id.size(), 32U);
        EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string_view::npos);
        EXPECT_TRUE(ids.insert(id).second) << id;
    }
}

} // namespace
} // namespace holdfast::bus::test
