// The real prober against small servers of this test, and against nginx where it is installed.
#include "ipc/pace.hpp"
#include "support.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <mutex>
#include <netinet/in.h>
#include <numeric>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>

namespace holdfast::ipc {
namespace {

using testing::Driver;
using testing::listen_on_loopback;

/// Answers each connection with `answer(fd)`, one at a time, in a thread.
class Server {
  public:
    explicit Server(std::function<void(int)> answer)
        : socket_{listen_on_loopback(SOCK_STREAM, port)},
          thread_{[this, answer = std::move(answer)](const std::stop_token& stop) { serve(stop, answer); }} {}
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        thread_.request_stop();
        thread_.join();
    }

    std::string url(std::string_view path = "/") const { return fmt::format("http://127.0.0.1:{}{}", port, path); }
    std::string requests() {
        const std::lock_guard lock{mutex_};
        return requests_;
    }

    std::uint16_t port{0};
    std::atomic<int> connections{0};

  private:
    void serve(const std::stop_token& stop, const std::function<void(int)>& answer) {
        while (!stop.stop_requested()) {
            if (!testing::readable(socket_.get(), 10ms)) continue;
            const Fd connection{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            ++connections;
            read_request(connection.get());
            answer(connection.get());
        }
    }
    void read_request(int fd) {
        std::array<char, 2048> buffer{};
        std::string request;
        while (!request.ends_with("\r\n\r\n") && testing::readable(fd, 1s)) {
            const ssize_t size = ::read(fd, buffer.data(), buffer.size());
            if (size <= 0) break;
            request.append(buffer.data(), static_cast<std::size_t>(size));
        }
        const std::lock_guard lock{mutex_};
        requests_ += request;
    }

    Fd socket_;
    std::mutex mutex_;
    std::string requests_;
    std::jthread thread_;
};

bool say(int fd, std::string_view text) {
    return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}
std::function<void(int)> saying(std::string text) {
    return [text = std::move(text)](int fd) { say(fd, text); };
}
/// Says nothing more until the client goes away.
void stall(int fd) {
    std::array<char, 64> ignored{};
    while (testing::readable(fd, 10s) && ::read(fd, ignored.data(), ignored.size()) > 0) {
    }
}

/// The first verdict about `url`.
Verdict verdict_of(const std::string& url, Duration timeout = 2s) {
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{1}, url, 10s, timeout});
    EXPECT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, timeout + 3s));
    return driver.verdicts.empty() ? Verdict{} : driver.verdicts.front();
}

TEST(Prober, ASuccessIsAnyStatusOf200To299) {
    Server good{saying("HTTP/1.1 204 No Content\r\n\r\n")};
    const Verdict verdict = verdict_of(good.url("/health?x=1"));
    EXPECT_TRUE(verdict.ok);
    EXPECT_EQ(verdict.detail, "status 204");
    EXPECT_GT(verdict.latency, 0ns);
    EXPECT_LT(verdict.latency, 1s);
    const std::string request = good.requests();
    EXPECT_TRUE(request.starts_with("GET /health?x=1 HTTP/1.1\r\n")) << request;
    EXPECT_NE(request.find("User-Agent: holdfast\r\n"), std::string::npos) << request;
    EXPECT_NE(request.find("Accept-Encoding: identity\r\n"), std::string::npos) << request;
}

TEST(Prober, OtherStatusesFail) {
    Server missing{saying("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")};
    EXPECT_EQ(verdict_of(missing.url()).detail, "status 404");
    EXPECT_FALSE(verdict_of(missing.url()).ok);
}

TEST(Prober, ARedirectIsNotFollowed) {
    Server target{saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")};
    Server redirect{saying("HTTP/1.1 302 Found\r\nLocation: " + target.url() + "\r\nContent-Length: 0\r\n\r\n")};
    const Verdict verdict = verdict_of(redirect.url());
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "status 302");
    EXPECT_EQ(target.connections, 0);
}

TEST(Prober, ARefusedConnectionFailsAtOnce) {
    std::uint16_t port{0};
    listen_on_loopback(SOCK_STREAM, port).reset();
    const Verdict verdict = verdict_of(fmt::format("http://127.0.0.1:{}/", port));
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "cannot connect: Connection refused");
    EXPECT_LT(verdict.latency, 1s);
}

TEST(Prober, AStalledServerFailsAtTheTimeout) {
    for (const auto* beginning :
         {"", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"}) {
        Server stalled{[beginning](int fd) {
            say(fd, beginning);
            stall(fd);
        }};
        const Verdict verdict = verdict_of(stalled.url(), 150ms);
        EXPECT_FALSE(verdict.ok);
        EXPECT_EQ(verdict.detail, "no complete answer within 150ms");
        EXPECT_GE(verdict.latency, 149ms);
        EXPECT_LT(verdict.latency, 300ms) << to_string(verdict.latency);
    }
}

TEST(Prober, EndlessHeadersAreCutOff) {
    Server endless{[](int fd) {
        say(fd, "HTTP/1.1 200 OK\r\n");
        while (say(fd, "X-Header: and another one, and another one, and another one\r\n")) {
        }
    }};
    const Verdict verdict = verdict_of(endless.url());
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "headers longer than 64 KiB");
}

TEST(Prober, AnEndlessBodyIsCutOffAndTheStatusCounts) {
    Server endless{[](int fd) {
        say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        const std::string body(65536, 'x');
        while (say(fd, body)) {
        }
    }};
    const Verdict verdict = verdict_of(endless.url());
    EXPECT_TRUE(verdict.ok) << verdict.detail;
}

TEST(Prober, GarbageIsAFailureWithPrintableWords) {
    Server garbage{saying(std::string{"\x00\xff\x1b[2J\r\n\r\n", 9})};
    EXPECT_FALSE(verdict_of(garbage.url()).ok);
    EXPECT_FALSE(verdict_of("http://[broken/").ok);
    EXPECT_EQ(verdict_of("file:///etc/passwd").ok, false);
}

TEST(Prober, KeepsItsPaceOnNewConnectionsUntilStopped) {
    Server server{saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")};
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{3}, server.url(), 50ms, 50ms});
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 3; }, 5s));
    const Time begin = clock_now();
    const auto before = driver.verdicts.size();
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= before + 10; }, 5s));
    const Duration took = clock_now() - begin;
    EXPECT_GE(took, 440ms);
    EXPECT_LT(took, 1s);
    EXPECT_GE(server.connections, static_cast<int>(before) + 10);
    driver.helper.unsubscribe(WatchId{3}, clock_now());
    const auto at_stop = driver.verdicts.size();
    EXPECT_FALSE(driver.until([&] { return driver.verdicts.size() > at_stop; }, 300ms));
}

// With the default timeout, which is the interval, a stalled server must not halve the number of observations.
TEST(Prober, AStalledServerIsProbedEveryIntervalAndNeverTwiceAtOnce) {
    Server stalled{stall};
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{1}, stalled.url(), 100ms, 100ms});
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 2; }, 5s));
    const Time begin = clock_now();
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 10; }, 5s));
    EXPECT_LT(clock_now() - begin, 1300ms);
    EXPECT_GE(clock_now() - begin, 700ms);
}

TEST(Prober, ReplacingAProbeEndsTheOldOne) {
    Server old{saying("HTTP/1.1 500 Old\r\n\r\n")};
    Server fresh{saying("HTTP/1.1 200 New\r\n\r\n")};
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{1}, old.url(), 20ms, 2s});
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 3; }, 5s));
    driver.subscribe(StartHttp{WatchId{1}, fresh.url(), 20ms, 2s});
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.back().ok; }, 5s));
    const auto since = driver.verdicts.size();
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= since + 5; }, 5s));
    EXPECT_TRUE(std::all_of(driver.verdicts.begin() + static_cast<std::ptrdiff_t>(since), driver.verdicts.end(),
                            [](const Verdict& v) { return v.detail == "status 200"; }));
}

TEST(Prober, ManyWatchesAreAllServed) {
    Server server{saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")};
    Driver driver{testing::prober_options()};
    constexpr std::uint64_t count = 200;
    for (std::uint64_t id = 0; id < count; ++id)
        driver.subscribe(StartHttp{WatchId{id}, server.url(), 500ms, 500ms});
    const auto each_has_two = [&] {
        std::vector<int> seen(count);
        for (const auto& verdict : driver.verdicts)
            ++seen[verdict.id.value];
        return std::ranges::all_of(seen, [](int n) { return n >= 2; });
    };
    EXPECT_TRUE(driver.until(each_has_two, 10s));
    EXPECT_EQ(driver.starts.size(), 1U);
}

TEST(Prober, ADaemonThatDoesNotReadCostsABoundedQueue) {
    Driver driver{testing::prober_options()};
    for (std::uint64_t id = 0; id < 50; ++id)
        driver.subscribe(StartHttp{WatchId{id}, "http://127.0.0.1:1/", 2ms, 2ms});
    ASSERT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, 5s));
    const Fd stuck{::dup(driver.helper.pidfd())};
    EXPECT_FALSE(testing::readable(stuck.get(), 1500ms)) << "it has died"; // the daemon does something else meanwhile
#ifndef __SANITIZE_ADDRESS__                                               // which keeps freed memory for a while
    std::ifstream status{fmt::format("/proc/{}/statm", driver.helper.pid())};
    long pages = 0;
    long resident = 0;
    status >> pages >> resident;
    EXPECT_LT(resident * 4, 40 * 1024) << "KiB";
#endif
    const auto before = driver.verdicts.size();
    EXPECT_TRUE(driver.until([&] { return driver.verdicts.size() > before + 3000; }, 10s));
    EXPECT_EQ(driver.starts.size(), 1U);
}

// A real nginx, stopped and started again.
TEST(Prober, SeesARealNginxComeAndGo) {
    if (::access("/usr/sbin/nginx", X_OK) != 0) GTEST_SKIP() << "nginx is not installed";
    std::string directory = "/tmp/holdfast-nginx-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    std::uint16_t port{0};
    listen_on_loopback(SOCK_STREAM, port).reset();
    std::ofstream{directory + "/nginx.conf"} << fmt::format(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; events {{}}\n"
        "http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; "
        "uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; server {{ listen 127.0.0.1:{1}; location / {{ return 200 hello; "
        "}} }} }}\n",
        directory, port);
    const auto start = [&] {
        const pid_t pid = ::fork();
        if (pid == 0) {
            const std::string config = directory + "/nginx.conf";
            ::execl("/usr/sbin/nginx", "nginx", "-p", directory.c_str(), "-c", config.c_str(), nullptr);
            ::_exit(127);
        }
        return pid;
    };
    const auto stop = [](pid_t pid) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    };
    Driver driver{testing::prober_options()};
    driver.subscribe(StartHttp{WatchId{1}, fmt::format("http://localhost:{}/", port), 20ms, 200ms});
    pid_t nginx = start();
    EXPECT_TRUE(driver.until([&] { return !driver.verdicts.empty() && driver.verdicts.back().ok; }, 10s));
    stop(nginx);
    EXPECT_TRUE(driver.until([&] { return !driver.verdicts.back().ok; }, 5s));
    nginx = start();
    EXPECT_TRUE(driver.until([&] { return driver.verdicts.back().ok; }, 10s));
    stop(nginx);
    std::filesystem::remove_all(directory);
}

TEST(Pace, StartsAtOnceThenKeepsAbsoluteDeadlines) {
    const Time start{1h};
    Pace pace{start, 1s, 5};
    EXPECT_EQ(pace.due(), start);
    pace.started();
    pace.ended(start + 1ms);
    const Time second = pace.due();
    EXPECT_GE(second, start + 500ms);
    EXPECT_LT(second, start + 1500ms);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pace.due(), second + i * Duration{1s});
        pace.started();
        pace.ended(pace.due() - 700ms); // late or early within the interval: the grid stays
    }
}

TEST(Pace, KeepsADeadlineThatHasJustPassedAndLeavesOutAnOlderOne) {
    Pace pace{Time{1h}, 1s, 0};
    pace.started();
    const Time due = pace.due();
    pace.ended(due + 1ms);
    EXPECT_EQ(pace.due(), due);
    pace.ended(due + 300ms);
    EXPECT_EQ(pace.due(), due + 1s);
    pace.ended(due + 5600ms);
    EXPECT_EQ(pace.due(), due + 6s);
}

TEST(Pace, SpreadsManyWatchesOverTheInterval) {
    std::vector<int> tenths(10);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        Pace pace{Time{0s}, 1s, i};
        pace.started();
        ++tenths[static_cast<std::size_t>((pace.due() - Time{500ms}) / 100ms)];
    }
    for (const int count : tenths)
        EXPECT_NEAR(count, 100, 5);
}

} // namespace
} // namespace holdfast::ipc
