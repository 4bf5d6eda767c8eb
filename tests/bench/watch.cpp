// holdfast-watch: every address that comes and goes in this namespace, as the kernel tells it, a line each.
//
//   holdfast-watch              (until it is ended)
//   line: TIME_NS add|del ADDRESS        (CLOCK_MONOTONIC, read when the news is)

#include "wire.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <string>

namespace {

using namespace holdfast;
using namespace holdfast::bench;

/// The attributes behind a message's header, by hand: the macros of rtnetlink(3) don't compile without warnings.
std::string local_address(const ifaddrmsg& header, std::span<const std::uint8_t> rest) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    while (rest.size() >= sizeof(rtattr)) {
        rtattr attribute{};
        std::memcpy(&attribute, rest.data(), sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size()) break;
        if (attribute.rta_type == IFA_LOCAL || (attribute.rta_type == IFA_ADDRESS && text[0] == '\0'))
            ::inet_ntop(header.ifa_family, rest.data() + sizeof attribute, text.data(), text.size());
        rest = rest.subspan(std::min<std::size_t>(rest.size(), (attribute.rta_len + 3U) & ~3U));
    }
    return text.data();
}

void print(std::span<const std::uint8_t> bytes, std::int64_t when) {
    while (bytes.size() >= sizeof(nlmsghdr)) {
        nlmsghdr message{};
        std::memcpy(&message, bytes.data(), sizeof message);
        if (message.nlmsg_len < sizeof message || message.nlmsg_len > bytes.size()) return;
        const bool add = message.nlmsg_type == RTM_NEWADDR;
        if ((add || message.nlmsg_type == RTM_DELADDR) && message.nlmsg_len >= sizeof message + sizeof(ifaddrmsg)) {
            ifaddrmsg header{};
            std::memcpy(&header, bytes.data() + sizeof message, sizeof header);
            const auto rest =
                bytes.subspan(sizeof message + sizeof header, message.nlmsg_len - sizeof message - sizeof header);
            std::printf("%lld %s %s\n", static_cast<long long>(when), add ? "add" : "del",
                        local_address(header, rest).c_str());
        }
        bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), (message.nlmsg_len + 3U) & ~3U));
    }
}

} // namespace

int main() {
    const Fd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (!fd) die("socket");
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
    std::puts("ready");
    std::array<std::uint8_t, 1 << 16> buffer{};
    for (;;) {
        if (std::fflush(stdout) != 0) return 0; // the reader went away
        const auto size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
        if (size > 0) print(std::span{buffer}.first(static_cast<std::size_t>(size)), now_ns());
    }
}
