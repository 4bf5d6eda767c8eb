// holdfast-poller: a client that starts an independent HTTP GET every few milliseconds and prints a line for each one that
// ended, so that an outage is measured as a user would feel it. No request waits for another.
//
//   holdfast-poller URL-HOST PORT INTERVAL_US TIMEOUT_US        (until it is ended)
//   line: START_US DURATION_US ok|lost ANSWER      (microseconds of CLOCK_MONOTONIC; ANSWER is the body's first word)

#include "base/fd.hpp"
#include "base/ip.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unordered_map>

namespace {

using holdfast::Fd;

std::int64_t now_us() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

struct Target {
    sockaddr_storage address{};
    socklen_t length{};
};

Target parse_target(const char* host, const char* port) {
    const auto ip = holdfast::parse_ip(host);
    if (!ip) {
        std::fprintf(stderr, "holdfast-poller: '%s' is not an IP address\n", host);
        std::exit(2);
    }
    Target target;
    const auto number = htons(static_cast<std::uint16_t>(std::atoi(port)));
    if (ip->family == holdfast::Family::ipv4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&target.address);
        v4->sin_family = AF_INET;
        v4->sin_port = number;
        std::memcpy(&v4->sin_addr, ip->bytes.data(), 4);
        target.length = sizeof *v4;
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.address);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = number;
        std::memcpy(&v6->sin6_addr, ip->bytes.data(), 16);
        target.length = sizeof *v6;
    }
    return target;
}

/// One GET, from connect to the end of the answer.
struct Request {
    Fd fd;
    std::int64_t start{};
    bool sent{false};
    std::string answer;
};

class Poller {
  public:
    Poller(const Target& target, std::int64_t interval, std::int64_t timeout)
        : target_{target}, interval_{interval}, timeout_{timeout}, epoll_{::epoll_create1(EPOLL_CLOEXEC)},
          timer_{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)} {
        itimerspec every{};
        every.it_interval.tv_sec = every.it_value.tv_sec = interval / 1'000'000;
        every.it_interval.tv_nsec = every.it_value.tv_nsec = interval % 1'000'000 * 1000;
        ::timerfd_settime(timer_.get(), 0, &every, nullptr);
        watch(timer_.get(), EPOLLIN);
    }

    void run() {
        std::array<epoll_event, 64> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == timer_.get())
                    tick();
                else if (const auto at = requests_.find(fd); at != requests_.end())
                    advance(at->second);
            }
            expire();
            if (std::fflush(stdout) != 0) return; // the reader went away
        }
    }

  private:
    void watch(int fd, std::uint32_t what) const {
        epoll_event event{};
        event.events = what;
        event.data.fd = fd;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }

    void tick() {
        std::uint64_t missed = 0;
        [[maybe_unused]] const auto got = ::read(timer_.get(), &missed, sizeof missed);
        begin(); // late ticks are not made up for: the gap is the poller's own, not the server's
    }

    void begin() {
        Request request{Fd{::socket(target_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)},
                        now_us(),
                        false,
                        {}};
        if (!request.fd) return;
        const int fd = request.fd.get();
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        // Closing with RST leaves no TIME_WAIT behind: at 1,000 requests a second the ports would run out.
        const linger reset{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&target_.address), target_.length);
        if (result != 0 && errno != EINPROGRESS) return finish(request, false);
        watch(fd, EPOLLIN | EPOLLOUT | EPOLLET);
        by_start_.emplace_back(request.start, fd);
        requests_.insert_or_assign(fd, std::move(request));
    }

    void advance(Request& request) {
        if (!request.sent) {
            static constexpr std::string_view get = "GET / HTTP/1.0\r\n\r\n";
            const auto size = ::send(request.fd.get(), get.data(), get.size(), MSG_NOSIGNAL);
            if (size < 0 && errno == EAGAIN) return;
            if (size < 0) return finish(request, false);
            request.sent = true;
        }
        std::array<char, 2048> part{};
        for (;;) {
            const auto size = ::recv(request.fd.get(), part.data(), part.size(), 0);
            if (size < 0 && errno == EAGAIN) return;
            if (size < 0) return finish(request, false);
            if (size == 0) return finish(request, request.answer.starts_with("HTTP/1.1 200"));
            request.answer.append(part.data(), static_cast<std::size_t>(size));
        }
    }

    void finish(Request& request, bool ok) {
        std::string_view word = "-";
        if (const auto body = request.answer.find("\r\n\r\n"); ok && body != std::string::npos) {
            word = std::string_view{request.answer}.substr(body + 4);
            word = word.substr(0, word.find_first_of("\r\n "));
        }
        std::printf("%lld %lld %s %.*s\n", static_cast<long long>(request.start),
                    static_cast<long long>(now_us() - request.start), ok ? "ok" : "lost", static_cast<int>(word.size()),
                    word.data());
        requests_.erase(request.fd.get());
    }

    void expire() {
        const auto limit = now_us() - timeout_;
        while (!by_start_.empty() && by_start_.front().first <= limit) {
            const auto [start, fd] = by_start_.front();
            by_start_.pop_front();
            const auto at = requests_.find(fd);
            if (at != requests_.end() && at->second.start == start) finish(at->second, false);
        }
    }

    Target target_;
    std::int64_t interval_, timeout_;
    Fd epoll_, timer_;
    std::unordered_map<int, Request> requests_;
    std::deque<std::pair<std::int64_t, int>> by_start_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fputs("usage: holdfast-poller ADDRESS PORT INTERVAL_US TIMEOUT_US\n", stderr);
        return 2;
    }
    Poller{parse_target(argv[1], argv[2]), std::atoll(argv[3]), std::atoll(argv[4])}.run();
    return 0;
}
