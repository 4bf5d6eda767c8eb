// What the tests of checks share: small servers of this test on loopback, good and hostile ones, and the first verdict
// about them. Invariant: nothing that a test starts outlives it.
#pragma once

#include "../ipc/support.hpp"

#include <array>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <sys/socket.h>
#include <thread>

namespace holdfast::prober::testing {

using ipc::testing::Driver;
using ipc::testing::listen_on_loopback;

inline const IpAddress loopback = IpAddress::v4(127, 0, 0, 1);

/// Nobody listens there.
inline std::uint16_t closed_port(int type) {
    std::uint16_t port{0};
    listen_on_loopback(type, port).reset();
    return port;
}

/// Each connection is given to `answer` in a thread of its own, which ends when the client goes away or the test does.
class Server {
  public:
    using Answer = std::function<void(int fd, const std::stop_token&)>;
    explicit Server(Answer answer) : answer_{std::move(answer)}, socket_{listen_on_loopback(SOCK_STREAM, port)} {
        thread_ = std::jthread{[this](const std::stop_token& stop) { serve(stop); }};
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Of the last connection.
    std::string peer() const {
        const std::lock_guard lock{mutex_};
        return peer_;
    }

    std::uint16_t port{0};
    std::atomic<int> connections{0};

  private:
    void serve(const std::stop_token& stop) {
        std::vector<std::jthread> threads;
        while (!stop.stop_requested()) {
            if (!ipc::testing::readable(socket_.get(), 10ms)) continue;
            sockaddr_in from{};
            socklen_t size = sizeof from;
            const int fd = ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC);
            if (fd < 0) continue;
            {
                const std::lock_guard lock{mutex_};
                peer_ = fmt::format("{}:{}", ::inet_ntoa(from.sin_addr), ntohs(from.sin_port));
            }
            ++connections;
            threads.emplace_back([this, fd](const std::stop_token& asked) {
                const Fd connection{fd};
                const timeval patience{.tv_sec = 0, .tv_usec = 50'000}; // so that it sees the end of the test
                ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
                answer_(fd, asked);
            });
        }
    }

    Answer answer_;
    mutable std::mutex mutex_;
    std::string peer_;
    Fd socket_;
    std::jthread thread_;
};

/// False: the client is gone, or the test is over.
inline bool say(int fd, std::string_view text, const std::stop_token& stop = {}) {
    while (!text.empty() && !stop.stop_requested()) {
        const ssize_t size = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (size < 0 && errno != EAGAIN) return false;
        if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
    }
    return text.empty();
}
/// All that comes until `end` or nothing does.
inline std::string hear(int fd, std::string_view end = "\r\n\r\n") {
    std::string heard;
    char c = 0;
    while (!heard.ends_with(end) && ipc::testing::readable(fd, 2s) && ::read(fd, &c, 1) == 1)
        heard += c;
    return heard;
}
/// Says nothing more until the client goes away.
inline void stall(int fd, const std::stop_token& stop) {
    std::array<char, 4096> ignored{};
    while (!stop.stop_requested())
        if (ipc::testing::readable(fd, 20ms) && ::read(fd, ignored.data(), ignored.size()) <= 0) return;
}
/// Says it again and again.
inline void flood(int fd, std::string_view part, const std::stop_token& stop) {
    std::string much;
    while (much.size() < 65536)
        much += part;
    while (say(fd, much, stop)) {
    }
}
/// One byte every 20 ms: far too slow for any timeout of these tests.
inline void trickle(int fd, std::string_view part, const std::stop_token& stop) {
    for (std::size_t i = 0; !stop.stop_requested(); ++i) {
        if (!say(fd, part.substr(i % part.size(), 1), stop)) return;
        char ignored = 0;
        if (ipc::testing::readable(fd, 20ms) && ::recv(fd, &ignored, 1, MSG_DONTWAIT) == 0) return;
    }
}
/// Answers an HTTP request with this.
inline Server::Answer http(std::string text) {
    return [text = std::move(text)](int fd, const std::stop_token& stop) {
        hear(fd);
        say(fd, text, stop);
    };
}
inline std::string page(std::string_view body, std::string_view status = "200 OK") {
    return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

inline ipc::StartCheck check(model::CheckKind what, std::uint16_t port, Duration timeout = 2s) {
    return {.id = ipc::WatchId{1},
            .what = std::move(what),
            .address = loopback,
            .port = port,
            .interval = 10s,
            .timeout = timeout};
}

/// The first verdict about it.
inline ipc::Verdict verdict_of(const ipc::StartCheck& what) {
    Driver driver{ipc::testing::prober_options()};
    driver.subscribe(what);
    EXPECT_TRUE(driver.until([&] { return !driver.verdicts.empty(); }, what.timeout + 3s));
    return driver.verdicts.empty() ? ipc::Verdict{} : driver.verdicts.front();
}

inline void expect_good(const ipc::StartCheck& what, std::string_view detail) {
    const auto verdict = verdict_of(what);
    EXPECT_TRUE(verdict.ok) << verdict.detail;
    EXPECT_EQ(verdict.detail, detail);
}
inline void expect_bad(const ipc::StartCheck& what, std::string_view detail) {
    const auto verdict = verdict_of(what);
    EXPECT_FALSE(verdict.ok);
    EXPECT_FALSE(verdict.unknown);
    EXPECT_EQ(verdict.detail, detail);
    EXPECT_LT(verdict.latency, what.timeout + 100ms);
}
inline void expect_unknown(const ipc::StartCheck& what, std::string_view detail) {
    const auto verdict = verdict_of(what);
    EXPECT_TRUE(verdict.unknown);
    EXPECT_EQ(verdict.detail, detail);
}

} // namespace holdfast::prober::testing
