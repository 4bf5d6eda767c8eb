// holdfast-bare: the least that a program can do with the daemon's kind of sockets, to stand beside the daemons.
//
//   holdfast-bare timer LINK INTERVAL_US             real-time loop on an absolute grid, an advert at each deadline
//   holdfast-bare send LINK COUNT INTERVAL_US        COUNT adverts at each deadline, in one sendmmsg
//   holdfast-bare receive LINK                       recvmmsg, every 0.2 ms while there is something, until it is ended
//   holdfast-bare exec COMMAND...                    prints CLOCK_MONOTONIC in ns, then becomes COMMAND
//
// All ask for the real-time priority that holdfastd has.

#include "wire.hpp"

#include <poll.h>
#include <sched.h>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

using namespace holdfast;
using namespace holdfast::bench;

constexpr int real_time_priority = 10; // as daemon/process.cpp
constexpr std::uint8_t vrid_of_timer = 255;

void become_real_time() {
    const sched_param parameters{real_time_priority};
    if (::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) != 0) die("sched_setscheduler");
}

void timer(const char* link, std::int64_t interval) {
    const auto fd = open_vrrp(link);
    // Not the routers' group: nobody on the link is to be woken by it.
    auto group = vrrp_group();
    ::inet_pton(AF_INET, "224.0.0.19", &group.sin_addr);
    auto message = advert(vrid_of_timer, 1);
    for (auto deadline = now_ns() + interval;; deadline += interval) {
        sleep_until(deadline);
        std::memcpy(message.data() + advert_size, &deadline, sizeof deadline);
        ::sendto(fd.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&group), sizeof group);
    }
}

void send(const char* link, std::size_t count, std::int64_t interval) {
    const auto fd = open_vrrp(link);
    auto group = vrrp_group();
    std::vector<std::array<std::uint8_t, advert_with_deadline>> adverts;
    std::vector<iovec> parts(count);
    std::vector<mmsghdr> messages(count);
    for (std::size_t i = 0; i < count; ++i)
        adverts.push_back(advert(static_cast<std::uint8_t>(i + 1), 1));
    for (std::size_t i = 0; i < count; ++i) {
        parts[i] = {adverts[i].data(), advert_size};
        messages[i].msg_hdr.msg_name = &group;
        messages[i].msg_hdr.msg_namelen = sizeof group;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (auto deadline = now_ns() + interval;; deadline += interval) {
        sleep_until(deadline);
        for (std::size_t done = 0; done < count;) {
            const int sent = ::sendmmsg(fd.get(), messages.data() + done, static_cast<unsigned>(count - done), 0);
            if (sent <= 0) die("sendmmsg");
            done += static_cast<std::size_t>(sent);
        }
    }
}

void receive(const char* link) {
    constexpr std::size_t batch = 32;      // as kernel/packet.cpp
    constexpr std::int64_t rest = 200'000; // as daemon/loop.cpp
    const auto fd = open_vrrp(link);
    std::array<std::array<std::uint8_t, 256>, batch> buffers{};
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};
    for (std::size_t i = 0; i < batch; ++i) {
        parts[i] = {buffers[i].data(), buffers[i].size()};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    pollfd wait{fd.get(), POLLIN, 0};
    for (;;) {
        ::poll(&wait, 1, -1);
        while (::recvmmsg(fd.get(), messages.data(), batch, MSG_DONTWAIT, nullptr) > 0)
            sleep_until(now_ns() + rest);
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view verb = argc > 2 ? argv[1] : "";
    if (verb == "exec") {
        std::printf("%lld\n", static_cast<long long>(now_ns()));
        std::fflush(stdout);
        ::execv(argv[2], argv + 2);
        die(argv[2]);
    }
    become_real_time();
    if (verb == "timer" && argc == 4) timer(argv[2], std::atoll(argv[3]) * 1000);
    if (verb == "send" && argc == 5)
        send(argv[2], static_cast<std::size_t>(std::atoi(argv[3])), std::atoll(argv[4]) * 1000);
    if (verb == "receive" && argc == 3) receive(argv[2]);
    std::fputs("usage: holdfast-bare timer|send|receive|exec ... (see bare.cpp)\n", stderr);
    return 2;
}
