#include "metrics/server.hpp"

#include "metrics/request.hpp"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <list>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace holdfast::metrics {
namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
    Fd fd;
    Clock::time_point deadline;
    Request request;
    std::string answer; ///< empty: the request is being read
    std::size_t sent{0};
    bool over{false};
};

const char* reason_of(int status) {
    switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Bad Request";
    }
}

std::string as_http(const Answer& answer) {
    return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n{}"
                       "Connection: close\r\n\r\n{}",
                       answer.status, reason_of(answer.status), answer.type, answer.body.size(),
                       answer.status == 405 ? "Allow: GET\r\n" : "", answer.body);
}

Answer plain(int status) {
    return {status, "text/plain; charset=utf-8", fmt::format("{}: there is GET /metrics here\n", reason_of(status))};
}

class Server {
  public:
    Server(Fd listener, const Limits& limits, const std::function<Answer(bool)>& scrape)
        : listener_{std::move(listener)}, limits_{limits}, scrape_{scrape} {}

    void run() {
        auto last = Clock::now();
        for (;;) {
            if (!connections_.empty()) last = Clock::now();
            if (Clock::now() - last >= limits_.idle) return;
            wait();
            const auto now = Clock::now();
            std::erase_if(connections_, [&](const auto& each) { return each.over || each.deadline <= now; });
        }
    }

  private:
    void wait() {
        std::vector<pollfd> polled;
        for (const auto& each : connections_)
            polled.push_back({each.fd.get(), static_cast<short>(each.answer.empty() ? POLLIN : POLLOUT), 0});
        const bool room = connections_.size() < limits_.connections; // more wait in the socket's own queue
        polled.push_back({room ? listener_.get() : -1, POLLIN, 0});
        constexpr int look = 500; // milliseconds: how late a deadline may be noticed
        if (::poll(polled.data(), polled.size(), look) <= 0) return;
        std::size_t index = 0;
        for (auto& each : connections_)
            if (polled[index++].revents != 0) move(each);
        if (polled.back().revents != 0) accept();
    }

    void accept() {
        Fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (fd) connections_.push_back({std::move(fd), Clock::now() + limits_.request, {}, {}, 0, false});
    }

    void move(Connection& connection) {
        if (connection.answer.empty()) read(connection);
        if (!connection.answer.empty() && !connection.over) write(connection);
    }

    void read(Connection& connection) {
        std::array<char, 4096> bytes{};
        const auto size = ::recv(connection.fd.get(), bytes.data(), bytes.size(), 0);
        if (size <= 0) {
            connection.over = size == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        auto& request = connection.request;
        request.feed({bytes.data(), static_cast<std::size_t>(size)});
        if (request.status() == 0) return;
        const bool known = request.status() == 200 && request.path() == "/metrics";
        connection.answer = as_http(known                     ? scrape_(request.open_metrics())
                                    : request.status() == 200 ? plain(404)
                                                              : plain(request.status()));
        connection.deadline = Clock::now() + limits_.answer;
    }

    void write(Connection& connection) {
        const std::string_view rest = std::string_view{connection.answer}.substr(connection.sent);
        const auto size = ::send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (size > 0) connection.sent += static_cast<std::size_t>(size);
        const bool failed = size < 0 && errno != EAGAIN && errno != EINTR;
        connection.over = failed || connection.sent == connection.answer.size();
        if (connection.over && !failed) ::shutdown(connection.fd.get(), SHUT_WR);
    }

    Fd listener_;
    Limits limits_;
    const std::function<Answer(bool)>& scrape_;
    std::list<Connection> connections_;
};

} // namespace

void serve(Fd listener, const Limits& limits, const std::function<Answer(bool)>& scrape) {
    Server{std::move(listener), limits, scrape}.run();
}

} // namespace holdfast::metrics
