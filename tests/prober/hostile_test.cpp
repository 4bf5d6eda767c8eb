// Servers that mean harm: each probe ends at its deadline or before, the prober's memory stays flat, and the other checks
// of the same prober stay on time.
#include "tls.hpp"

#include <fstream>

namespace holdfast::prober {
namespace {

using namespace testing;

constexpr std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const model::HttpCheck with_pattern{.requests = {{.body = model::BodyPattern{.regex = "never there"}}}};

Server::Answer flooding(std::string first, std::string then) {
    return [=](int fd, const std::stop_token& stop) {
        hear(fd);
        if (say(fd, first, stop)) flood(fd, then, stop);
    };
}
Server::Answer trickling(std::string first, std::string then) {
    return [=](int fd, const std::stop_token& stop) {
        hear(fd);
        if (say(fd, first, stop)) trickle(fd, then, stop);
    };
}

TEST(Hostile, EndlessHeadersAndLinesAreCutOff) {
    const Server headers{flooding("HTTP/1.1 200 OK\r\n", "X-Header: and another one\r\n")};
    expect_bad(check(model::HttpCheck{}, headers.port), "headers longer than 64 KiB");
    const Server interim{flooding("", "HTTP/1.1 100 Continue\r\n\r\n")};
    EXPECT_FALSE(verdict_of(check(model::HttpCheck{}, interim.port)).ok);
    const Server line{flooding("HTTP/1.1 200 OK\r\nX: ", std::string(10'000'000, 'x'))};
    expect_bad(check(model::HttpCheck{}, line.port), "headers longer than 64 KiB");
}

TEST(Hostile, OneByteAtATimeEndsAtTheDeadline) {
    const Server status{trickling("", "HTTP/1.1 200 OK\r\n")};
    expect_bad(check(model::HttpCheck{}, status.port, 300ms), "no complete answer within 300ms");
    const Server chunks{trickling(std::string{chunked}, "1\r\nx\r\n")};
    expect_bad(check(model::HttpCheck{}, chunks.port, 300ms), "no complete answer within 300ms");
    const Server silent{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    expect_bad(check(model::HttpCheck{}, silent.port, 300ms), "no complete answer within 300ms");
}

TEST(Hostile, EndlessBodiesAreCutOff) {
    const Server chunks{flooding(std::string{chunked}, "1\r\nx\r\n")};
    expect_good(check(model::HttpCheck{}, chunks.port), "status 200"); // which says nothing of the body
    expect_bad(check(with_pattern, chunks.port), "a body in too many small pieces");
    const Server body{flooding("HTTP/1.1 200 OK\r\n\r\n", "and on and on")};
    expect_bad(check(with_pattern, body.port), "the pattern is not in the first 1024 KiB of the body");
    const Server chunk{flooding(std::string{chunked}, "ffffffffffffffffff\r\n")};
    EXPECT_FALSE(verdict_of(check(model::HttpCheck{}, chunk.port)).ok);
}

TEST(Hostile, NothingIsUnpackedOrFollowed) {
    // 20 MB of zeros as gzip: a thousandth of it.
    const Server bomb{http("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")};
    auto what = with_pattern;
    what.requests[0].body->regex = "^\\x1f\\x8b\\x08$"; // as it came
    expect_good(check(what, bomb.port), "status 200");
}

TEST(Hostile, TlsStallsEndAtTheDeadline) {
    const model::HttpCheck tls{.tls = true};
    const Server silent{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    expect_bad(check(tls, silent.port, 300ms), "no complete answer within 300ms");
    const Server slow{[](int fd, const std::stop_token& stop) { // one record of 16 KiB, byte for byte
        trickle(fd, std::string_view{"\x16\x03\x03\x3f\xff\x02", 6}, stop);
    }};
    expect_bad(check(tls, slow.port, 300ms), "no complete answer within 300ms");
}

TEST(Hostile, AChainThatIsTooLongIsBad) {
    const auto ca = make_identity({.name = "ca.example"});
    const auto huge = make_identity({.padding = 200'000}, &ca);
    const auto context = tls_context(huge);
    const Server server{https(context.get())};
    const auto verdict = verdict_of(check(model::HttpCheck{.tls = true}, server.port));
    EXPECT_FALSE(verdict.ok);
    EXPECT_FALSE(verdict.unknown) << verdict.detail;
}

// ---- this host is late itself ---------------------------------------------------------------------------------------------

/// Stopped from before the answer until after the deadline: the answer has come in time.
TEST(Late, AnAnswerThatCameInTimeCountsThoughTheProberStoodStill) {
    std::atomic<int> asked{0};
    std::atomic<bool> stopped{false};
    const auto wait_for_stop = [&](const std::stop_token& stop) {
        while (!stopped && !stop.stop_requested())
            std::this_thread::sleep_for(1ms);
    };
    const Server web{[&](int fd, const std::stop_token& stop) {
        hear(fd);
        ++asked;
        wait_for_stop(stop);
        say(fd, page("x"), stop);
        stall(fd, stop);
    }};
    const Server mail{[&](int fd, const std::stop_token& stop) {
        say(fd, "220 x\r\n", stop);
        hear(fd, "\r\n");
        ++asked;
        wait_for_stop(stop);
        say(fd, "421 busy\r\n", stop);
        stall(fd, stop);
    }};
    Driver driver{ipc::testing::prober_options()};
    driver.subscribe(check(model::HttpCheck{}, web.port, 500ms));
    auto smtp = check(model::SmtpCheck{}, mail.port, 500ms);
    smtp.id = ipc::WatchId{2};
    driver.subscribe(smtp);
    for (int i = 0; i < 300 && asked < 2; ++i) // what is asked here wakes nobody
        driver.until([&] { return asked == 2; }, 10ms);
    ASSERT_EQ(asked, 2);
    ::kill(driver.helper.pid(), SIGSTOP);
    stopped = true;
    EXPECT_FALSE(driver.until([&] { return !driver.verdicts.empty(); }, 800ms));
    ::kill(driver.helper.pid(), SIGCONT);
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() == 2; }, 3s));
    EXPECT_EQ(driver.verdicts_of(1)[0].detail, "status 200");
    EXPECT_EQ(driver.verdicts_of(2)[0].detail, "the answer to HELO is 421");
}

// ---- all of them at once ------------------------------------------------------------------------------------------------

std::size_t resident(pid_t pid) {
    std::ifstream status{fmt::format("/proc/{}/statm", pid)};
    std::size_t pages = 0;
    std::size_t of_them = 0;
    status >> pages >> of_them;
    return of_them * 4096;
}

TEST(Hostile, MemoryStaysFlatAndTheOtherChecksOnTime) {
    const Server headers{flooding("HTTP/1.1 200 OK\r\n", "X-Header: and another one\r\n")};
    const Server chunks{flooding(std::string{chunked}, "1\r\nx\r\n")};
    const Server line{flooding("HTTP/1.1 200 OK\r\nX: ", std::string(100'000, 'x'))};
    const Server body{flooding("HTTP/1.1 200 OK\r\n\r\n", "and on and on")};
    const Server slow{trickling("HTTP/1.1 200 OK\r\n", "X: y\r\n")};
    const Server mail{[](int fd, const std::stop_token& stop) { flood(fd, "220-and more\r\n", stop); }};
    const Server silent{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    const Server good{http(page("hello"))};
    Driver driver{ipc::testing::prober_options()};
    std::uint64_t id = 100;
    const auto add = [&](model::CheckKind what, std::uint16_t port) {
        auto each = check(std::move(what), port, 200ms);
        each.id = ipc::WatchId{++id};
        each.interval = 500ms;
        driver.subscribe(each);
    };
    for (int i = 0; i < 3; ++i) {
        for (const auto* server : {&headers, &chunks, &line, &body, &slow, &silent})
            add(with_pattern, server->port);
        add(model::HttpCheck{.tls = true}, silent.port);
        add(model::SmtpCheck{}, mail.port);
        add(model::SmtpCheck{}, silent.port);
    }
    auto fine = check(model::HttpCheck{}, good.port, 200ms);
    fine.interval = 50ms;
    fine.tell = 65535;
    driver.subscribe(fine);
    const auto fine_seen = [&] { return driver.verdicts_of(1).size(); };
    ASSERT_TRUE(driver.until([&] { return fine_seen() >= 40; }, 20s));
    [[maybe_unused]] const auto before = resident(driver.helper.pid());
    ASSERT_TRUE(driver.until([&] { return fine_seen() >= 120; }, 20s));
#ifndef __SANITIZE_ADDRESS__ // which keeps freed memory for a while
    EXPECT_LT(resident(driver.helper.pid()), before + 4 * 1024 * 1024);
#endif
    auto verdicts = driver.verdicts_of(1);
    EXPECT_TRUE(std::ranges::all_of(verdicts, &ipc::Verdict::ok));
    EXPECT_LE(verdicts.back().skipped, 1U);
    std::ranges::sort(verdicts, {}, &ipc::Verdict::lateness);
    EXPECT_LT(verdicts[verdicts.size() * 9 / 10].lateness, 20ms);
    EXPECT_EQ(driver.starts.size(), 1U);
    for (const auto& verdict : driver.verdicts)
        if (verdict.id != ipc::WatchId{1}) {
            EXPECT_FALSE(verdict.ok) << verdict.detail;
            EXPECT_LT(verdict.latency, 600ms) << verdict.detail;
        }
}

} // namespace
} // namespace holdfast::prober
