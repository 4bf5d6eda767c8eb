// What the bench's tools share: the clock of every measurement, a socket as the daemons have it, and one advert's
// bytes.
#pragma once

#include "base/fd.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <span>
#include <sys/socket.h>
#include <time.h>

namespace holdfast::bench {

inline constexpr int protocol_vrrp = 112;

[[noreturn]] inline void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

inline std::int64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline void sleep_until(std::int64_t moment) {
    const timespec until{moment / 1'000'000'000, moment % 1'000'000'000};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
    }
}

template <typename T>
void option(int fd, int level, int name, const T& value) {
    if (::setsockopt(fd, level, name, &value, sizeof value) != 0) die("setsockopt");
}

/// The raw socket of kernel/packet.cpp, bound to the link and member of the group.
inline Fd open_vrrp(const char* link) {
    Fd fd{::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol_vrrp)};
    if (!fd) die("socket");
    const int index = static_cast<int>(::if_nametoindex(link));
    ip_mreqn group{};
    ::inet_pton(AF_INET, "224.0.0.18", &group.imr_multiaddr);
    group.imr_ifindex = index;
    option(fd.get(), SOL_SOCKET, SO_BINDTOIFINDEX, index);
    option(fd.get(), SOL_SOCKET, SO_PRIORITY, 6);
    option(fd.get(), IPPROTO_IP, IP_TOS, 0xc0);
    option(fd.get(), IPPROTO_IP, IP_MULTICAST_TTL, 255);
    option(fd.get(), IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    option(fd.get(), IPPROTO_IP, IP_MULTICAST_ALL, 0);
    option(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, group);
    option(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, group);
    return fd;
}

inline sockaddr_in vrrp_group() {
    sockaddr_in group{};
    group.sin_family = AF_INET;
    ::inet_pton(AF_INET, "224.0.0.18", &group.sin_addr);
    return group;
}

/// The size of an advert with one address. Behind it the bare timer loop writes the deadline that it answers, so that
/// whoever reads the wire knows how late it was. It goes to another group, so no router hears it.
inline constexpr std::size_t advert_size = 12;
inline constexpr std::size_t advert_with_deadline = advert_size + sizeof(std::int64_t);

inline std::array<std::uint8_t, advert_with_deadline> advert(std::uint8_t vrid, std::uint8_t priority) {
    return {0x31, vrid, priority, 1, 0, 1, 0, 0, 10, 77, 1, vrid};
}

} // namespace holdfast::bench
