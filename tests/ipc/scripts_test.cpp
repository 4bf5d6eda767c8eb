// The real runner and real scripts, files and FIFOs.
#include "runner/files.hpp"
#include "runner/proc.hpp"
#include "support.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>

namespace holdfast::ipc {
namespace {

using testing::Driver;
namespace fs = std::filesystem;

struct Running : ::testing::Test {
    Running() {
        std::string name = (fs::temp_directory_path() / "holdfast-XXXXXX").string();
        directory = ::mkdtemp(name.data());
        fs::permissions(directory, fs::perms::all);
    }
    ~Running() override { fs::remove_all(directory); }

    static StartScript shell(std::string text, Duration interval = 10s, Duration timeout = 5s) {
        return {WatchId{1}, {"/bin/sh", "-c", std::move(text)}, "", interval, timeout};
    }
    Verdict first(const StartScript& script) {
        driver.subscribe(script);
        EXPECT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, 10s));
        return driver.verdicts.empty() ? Verdict{} : driver.verdicts.front();
    }
    void write(const std::string& text) const { std::ofstream{path()} << text; }
    std::string path() const { return (directory / "file").string(); }
    std::string read(const fs::path& file) const {
        std::ifstream in{file};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    fs::path directory;
    Driver driver{testing::runner_options()};
};

struct Outcome {
    std::string text;
    bool ok;
    std::string detail;
    std::int32_t status;
};

TEST_F(Running, AScriptsStatusIsTheVerdictAndItsLastLineTheDetail) {
    const std::string sh = "/bin/sh";
    const Outcome outcomes[] = {
        {"exit 0", true, "exit status 0", 0},
        {"echo one; echo two; echo; exit 0", true, "two", 0},
        {"echo why >&2; exit 3", false, "exit status 3: why", 3},
        {"exit 127", false, "exit status 127", 127},
        {"kill -KILL $$", false, "signal SIGKILL", -1},
        {"printf 'caf\\303\\251\\001'", true, "caf???", 0},
        {"head -c 100000 /dev/zero | tr '\\0' x; echo; echo end", true, "end", 0},
        {"head -c 5000 /dev/zero | tr '\\0' x", true, std::string(max_detail, 'x'), 0},
    };
    std::uint64_t id = 0;
    for (const auto& each : outcomes) {
        auto script = shell(each.text);
        script.id = WatchId{++id};
        driver.subscribe(script);
    }
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= std::size(outcomes); }, 10s));
    id = 0;
    for (const auto& each : outcomes) {
        const auto seen = driver.verdicts_of(++id);
        ASSERT_EQ(seen.size(), 1U) << each.text;
        EXPECT_EQ(seen[0].ok, each.ok) << each.text;
        EXPECT_EQ(seen[0].detail, each.detail) << each.text;
        EXPECT_EQ(seen[0].value, each.status) << each.text;
    }
}

TEST_F(Running, WhatCannotBeExecutedIsANamedFailureAndNeverASuccess) {
    auto missing = shell("");
    missing.argv = {"/no/such/program"};
    const auto verdict = first(missing);
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "cannot run /no/such/program: No such file or directory");
    write("no program");
    auto plain = shell("");
    plain.id = WatchId{2};
    plain.argv = {path()};
    driver.subscribe(plain);
    ASSERT_TRUE(driver.until([&] { return !driver.verdicts_of(2).empty(); }, 5s));
    EXPECT_FALSE(driver.verdicts_of(2)[0].ok);
    EXPECT_EQ(driver.verdicts_of(2)[0].detail, "cannot run " + path() + ": Permission denied");
}

TEST_F(Running, AUserThatDoesNotExistIsANamedFailure) {
    auto script = shell("exit 0");
    script.user = "no-such-user";
    const auto verdict = first(script);
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "cannot run /bin/sh: there is no user 'no-such-user'");
}

TEST_F(Running, AScriptBecomesItsUserAndHasNoCapability) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root becomes somebody else";
    auto script = shell("echo $(id -un) $(grep CapEff /proc/self/status | cut -f2)");
    script.user = "nobody";
    EXPECT_EQ(first(script).detail, "nobody 0000000000000000");
    auto own = shell("echo $(id -un) $(grep CapEff /proc/self/status | cut -f2)");
    own.id = WatchId{2};
    driver.subscribe(own);
    ASSERT_TRUE(driver.until([&] { return !driver.verdicts_of(2).empty(); }, 5s));
    EXPECT_EQ(driver.verdicts_of(2)[0].detail, "root 0000000000000000");
}

TEST_F(Running, AScriptHasNoDescriptorOfOursAndItsOwnGroup) {
    EXPECT_EQ(first(shell("echo $(ls /proc/self/fd | wc -l) $(cut -d' ' -f5 /proc/$$/stat | grep -cx $$)")).detail,
              "4 1")
        << "0, 1, 2 and the directory that ls reads";
}

TEST_F(Running, AnOverlongRunIsEndedWithItsWholeGroupAndIsAFailure) {
    const auto verdict = first(shell("sleep 100 & echo $! > " + path() + "; wait; exit 0", 10s, 200ms));
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "no end within 200ms, then signal SIGTERM");
    EXPECT_LT(verdict.latency, 1500ms);
    const auto child = std::stoi(read(path()));
    EXPECT_TRUE(driver.until(
        [&] {
            return ::kill(child, 0) != 0 || read(fmt::format("/proc/{}/stat", child)).find(") Z") != std::string::npos;
        },
        3s));
}

TEST_F(Running, WhatIgnoresSigtermGetsSigkillAndTheRunsItMissedAreCounted) {
    driver.subscribe(shell("trap '' TERM; while :; do sleep 0.1; done", 500ms, 500ms));
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 2; }, 15s));
    EXPECT_EQ(driver.verdicts[0].detail, "no end within 500ms, then signal SIGKILL");
    EXPECT_GE(driver.verdicts[0].latency, 2500ms);
    EXPECT_GE(driver.verdicts[0].skipped, 3U);
    EXPECT_GT(driver.verdicts[1].skipped, driver.verdicts[0].skipped);
}

TEST_F(Running, AScriptRunsEveryIntervalAndStops) {
    driver.subscribe(shell("echo x >> " + path(), 100ms, 100ms));
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 5; }, 5s));
    driver.helper.unsubscribe(WatchId{1}, clock_now());
    const auto before = driver.verdicts.size();
    driver.until([] { return false; }, 400ms);
    EXPECT_LE(driver.verdicts.size(), before + 1);
}

TEST_F(Running, AProcessThatIsStoppedWithItsTrackerGoes) {
    driver.subscribe(shell("echo $$ > " + path() + "; sleep 100", 10s, 10s));
    ASSERT_TRUE(driver.until([&] { return read(path()).ends_with('\n'); }, 5s));
    const auto pid = std::stoi(read(path()));
    driver.helper.unsubscribe(WatchId{1}, clock_now());
    EXPECT_TRUE(driver.until([&] { return ::kill(pid, 0) != 0; }, 5s));
    EXPECT_TRUE(driver.verdicts.empty());
}

TEST_F(Running, WhatRunsOnceIsToldOnceWithItsEnvironment) {
    driver.subscribe(RunScript{
        WatchId{9}, {"/bin/sh", "-c", "echo $HOLDFAST_STATE $1", "x", "arg"}, "", 5s, {"HOLDFAST_STATE=MASTER"}});
    ASSERT_TRUE(driver.until([&] { return !driver.ends.empty(); }, 5s));
    EXPECT_EQ(driver.ends[0].id, WatchId{9});
    EXPECT_TRUE(driver.ends[0].ok);
    EXPECT_EQ(driver.ends[0].detail, "MASTER arg");
    driver.until([] { return false; }, 300ms);
    EXPECT_EQ(driver.ends.size(), 1U);
}

TEST_F(Running, ANewRunnerRunsAgainWhatTheOldOneDidNotFinish) {
    driver.subscribe(
        RunScript{WatchId{9},
                  {"/bin/sh", "-c", "echo x >> " + path() + "; [ $(wc -l < " + path() + ") -gt 1 ] || sleep 100"},
                  "",
                  60s,
                  {}});
    ASSERT_TRUE(driver.until([&] { return read(path()).ends_with('\n'); }, 5s));
    ::kill(driver.helper.pid(), SIGKILL);
    ASSERT_TRUE(driver.until([&] { return !driver.ends.empty(); }, 10s));
    EXPECT_TRUE(driver.ends[0].ok);
    EXPECT_EQ(read(path()), "x\nx\n");
}

TEST_F(Running, AFileSaysItsNumberAtOnceAndWithEachChange) {
    driver.subscribe(WatchFile{WatchId{1}, path()});
    const auto expect = [&](bool there, bool legible, std::int64_t value, const std::string& detail) {
        const auto count = driver.files.size();
        ASSERT_TRUE(driver.until([&] { return driver.files.size() > 0 && driver.files.back().detail == detail; }, 5s))
            << detail << ", not " << (count > 0 ? driver.files.back().detail : "");
        EXPECT_EQ(driver.files.back().there, there);
        EXPECT_EQ(driver.files.back().legible, legible);
        EXPECT_EQ(driver.files.back().value, value);
    };
    expect(false, true, 0, path() + " does not exist");
    write("3\n");
    expect(true, true, 3, "3 in " + path());
    std::ofstream{directory / "new"} << " -12 \n";
    const Time moved = clock_now();
    fs::rename(directory / "new", path());
    expect(true, true, -12, "-12 in " + path());
    EXPECT_LT(clock_now() - moved, 500ms) << "heard, not found by looking";
    write("off\n");
    expect(true, false, 0, path() + " holds no number: 'off'");
    write(std::string(100, '1'));
    expect(true, false, 0, path() + " is longer than 64 bytes");
    write("");
    expect(true, true, 0, path() + " is empty: 0");
    fs::remove(path());
    expect(false, true, 0, path() + " does not exist");
}

TEST_F(Running, AFileInADirectoryThatAppearsLaterIsFound) {
    const auto late = directory / "late" / "file";
    driver.subscribe(WatchFile{WatchId{1}, late.string()});
    ASSERT_TRUE(driver.until([&] { return !driver.files.empty(); }, 5s));
    fs::create_directory(directory / "late");
    std::ofstream{late} << "7";
    ASSERT_TRUE(driver.until([&] { return driver.files.back().value == 7; }, 5s));
}

TEST_F(Running, AFileThatIsNoneIsNamedAndHoldsNobodyUp) {
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    driver.subscribe(WatchFile{WatchId{1}, path()});
    ASSERT_TRUE(driver.until([&] { return !driver.files.empty(); }, 5s));
    EXPECT_FALSE(driver.files[0].legible);
    EXPECT_EQ(driver.files[0].detail, path() + " is no regular file");
}

TEST_F(Running, LinesOfAFifoWaitForTheirReaderInOrder) {
    for (std::uint64_t i = 1; i <= 3; ++i)
        driver.subscribe(WriteLine{WatchId{i}, path(), fmt::format("line {}\n", i)});
    ASSERT_TRUE(driver.until([&] { return fs::is_fifo(path()); }, 5s));
    EXPECT_TRUE(driver.ends.empty());
    Fd reader{::open(path().c_str(), O_RDONLY | O_NONBLOCK)};
    std::string text;
    const auto take = [&] {
        char buffer[256];
        const auto size = ::read(reader.get(), buffer, sizeof buffer);
        if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
    };
    ASSERT_TRUE(driver.until([&] { return driver.ends.size() == 3; }, 5s));
    take();
    EXPECT_EQ(text, "line 1\nline 2\nline 3\n");
    reader.reset(); // and another reader later
    driver.subscribe(WriteLine{WatchId{4}, path(), "line 4\n"});
    driver.until([] { return false; }, 100ms);
    EXPECT_EQ(driver.ends.size(), 3U);
    reader.reset(::open(path().c_str(), O_RDONLY | O_NONBLOCK));
    ASSERT_TRUE(driver.until([&] { return driver.ends.size() == 4; }, 5s));
    text.clear();
    take();
    EXPECT_EQ(text, "line 4\n");
}

TEST_F(Running, AFifoThatIsNoneIsNamed) {
    write("x");
    driver.subscribe(WriteLine{WatchId{1}, path(), "line\n"});
    ASSERT_TRUE(driver.until([&] { return !driver.ends.empty(); }, 5s));
    EXPECT_FALSE(driver.ends[0].ok);
    EXPECT_EQ(driver.ends[0].detail, "cannot write to " + path() + ": it is there, and no FIFO");
}

TEST(Match, ComparesWordsExactlyInitiallyOrPartially) {
    using model::Match;
    using model::Words;
    const Words words{"-c", "/etc/a.conf", "-v"};
    EXPECT_TRUE(runner::fits(words, Words{}, Match::exact));
    EXPECT_TRUE(runner::fits(words, Words{"-c", "/etc/a.conf", "-v"}, Match::exact));
    EXPECT_FALSE(runner::fits(words, Words{"-c", "/etc/a.conf"}, Match::exact));
    EXPECT_TRUE(runner::fits(words, Words{"-c", "/etc/a.conf"}, Match::initial));
    EXPECT_FALSE(runner::fits(words, Words{"-c", "/etc/a"}, Match::initial));
    EXPECT_TRUE(runner::fits(words, Words{"-c", "/etc/a"}, Match::partial));
    EXPECT_FALSE(runner::fits(words, Words{"-c", "/etc/b"}, Match::partial));
    EXPECT_FALSE(runner::fits(words, Words{"-c", "/etc/a.conf", "-v", "x"}, Match::partial));
}

} // namespace
} // namespace holdfast::ipc
