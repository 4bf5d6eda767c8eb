// What the tests of real helpers share: a loop that drives a Helper as the daemon does, with deadlines instead of
// sleeps. Invariant: nothing a test starts outlives it.
#pragma once

#include "ipc/helper.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <functional>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace holdfast::ipc::testing {

/// Polls one descriptor for reading. False: `patience` passed.
inline bool readable(int fd, Duration patience) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(patience).count())) == 1;
}

/// A port of its own for this test; a stream socket listens.
inline Fd listen_on_loopback(int type, std::uint16_t& port) {
    Fd fd{::socket(AF_INET, type | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd.get(), generic, size), 0);
    EXPECT_TRUE(type != SOCK_STREAM || ::listen(fd.get(), 1024) == 0);
    ::getsockname(fd.get(), generic, &size);
    port = ntohs(address.sin_port);
    return fd;
}

/// A helper and all that it has said.
class Driver {
  public:
    explicit Driver(Helper::Options options) : helper{std::move(options)} { keep(helper.start(clock_now())); }

    Helper helper;
    std::vector<HelperStarted> starts;
    std::vector<HelperDied> deaths;
    unsigned served{0}; ///< how often it served again after a death
    std::vector<Verdict> verdicts;
    std::vector<FileFound> files;
    std::vector<Ended> ends;
    /// Takes the runner's reports; by default they are dropped.
    std::function<void(const ProcessesFound&, std::vector<Fd>)> on_found;

    /// Turns the loop until `done` or `patience` has passed; whether it is done.
    bool until(const std::function<bool()>& done, Duration patience, int also_fd = -1,
               const std::function<void()>& on_also = {}) {
        const Time end = clock_now() + patience;
        while (!done()) {
            const Time now = clock_now();
            if (now >= end) return false;
            turn(std::min(end, helper.next_deadline()) - now, also_fd, on_also);
        }
        return true;
    }

    void subscribe(const Request& request) {
        const auto result = helper.subscribe(request, clock_now());
        EXPECT_TRUE(result.has_value()) << result.error();
    }

    std::vector<Verdict> verdicts_of(std::uint64_t id) const {
        std::vector<Verdict> out;
        std::ranges::copy_if(verdicts, std::back_inserter(out), [id](const Verdict& v) { return v.id.value == id; });
        return out;
    }

  private:
    void turn(Duration patience, int also_fd, const std::function<void()>& on_also) {
        pollfd entries[2] = {{helper.fd(), POLLIN, 0}, {also_fd, POLLIN, 0}};
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(patience, Duration{0}));
        ::poll(entries, 2, static_cast<int>(wait.count()));
        if (entries[0].revents != 0) keep(helper.on_readable(clock_now()));
        if (also_fd >= 0 && entries[1].revents != 0 && on_also) on_also();
        if (clock_now() >= helper.next_deadline()) keep(helper.on_deadline(clock_now()));
    }

    void keep(std::vector<HelperEvent> events) {
        for (auto& event : events)
            std::visit(Overloaded{[this](Reported& reported) { keep(reported); },
                                  [this](HelperStarted& started) { starts.push_back(started); },
                                  [this](HelperDied& died) { deaths.push_back(died); },
                                  [this](HelperServes&) { ++served; }},
                       event);
    }
    void keep(Reported& reported) {
        if (const auto* verdict = std::get_if<Verdict>(&reported.report))
            verdicts.push_back(*verdict);
        else if (const auto* file = std::get_if<FileFound>(&reported.report))
            files.push_back(*file);
        else if (const auto* ended = std::get_if<Ended>(&reported.report))
            ends.push_back(*ended);
        else if (on_found)
            on_found(std::get<ProcessesFound>(reported.report), std::move(reported.fds));
    }
};

inline Helper::Options prober_options() {
    return {.name = "holdfast-prober", .command = {PROBER_PATH}};
}
inline Helper::Options runner_options() {
    return {.name = "holdfast-runner", .command = {RUNNER_PATH}};
}

} // namespace holdfast::ipc::testing
