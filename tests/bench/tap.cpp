// holdfast-tap: every VRRP packet that enters the switch at the named ports, with the kernel's own time stamp, a line
// each.
//
//   holdfast-tap [--every N] PORT...        (in the switch's namespace, until it is ended)
//   N, a power of two: of the ports behind it only the VRIDs that it divides. What the kernel clones for a tap is the
//   sender's time.
//   line: TIME_NS PORT VRID PRIORITY DEADLINE_NS     (CLOCK_MONOTONIC; DEADLINE_NS 0 unless it is the bare timer
//   loop's)
//
// Each port has a socket of its own that sees only what comes in there, so a packet is seen once.

#include "wire.hpp"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace holdfast;
using namespace holdfast::bench;

struct Port {
    const char* name;
    Fd fd;
};

/// Incoming IPv4 with protocol 112, of these VRIDs.
std::array<sock_filter, 11> incoming_vrrp(std::uint32_t every) {
    return {
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 8, 0, PACKET_OUTGOING},
        sock_filter{BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 6, ETH_P_IP},
        sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, ETH_HLEN + 9},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 4, protocol_vrrp},
        sock_filter{BPF_LDX | BPF_B | BPF_MSH, 0, 0, ETH_HLEN},
        sock_filter{BPF_LD | BPF_B | BPF_IND, 0, 0, ETH_HLEN + 1},
        sock_filter{BPF_JMP | BPF_JSET | BPF_K, 1, 0, every - 1},
        sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff},
        sock_filter{BPF_RET | BPF_K, 0, 0, 0},
    };
}

Port open_port(const char* name, std::uint32_t every) {
    Port port{name, Fd{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)}};
    if (!port.fd) die("socket");
    auto code = incoming_vrrp(every);
    option(port.fd.get(), SOL_SOCKET, SO_ATTACH_FILTER,
           sock_fprog{static_cast<unsigned short>(code.size()), code.data()});
    option(port.fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1);
    option(port.fd.get(), SOL_SOCKET, SO_RCVBUFFORCE,
           64 << 20); // the reader may starve under load: nothing may be lost
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL); // the bridge takes every frame before a socket for IP alone would see it
    address.sll_ifindex = static_cast<int>(::if_nametoindex(name));
    if (::bind(port.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die(name);
    return port;
}

/// Wall time to monotonic: read close together, so the stamp's own clock may be stepped between packets but not between
/// these.
std::int64_t wall_offset() {
    const auto before = now_ns();
    const auto wall = now_ns(CLOCK_REALTIME);
    return wall - (before + now_ns()) / 2;
}

void drain(const Port& port) {
    std::array<std::uint8_t, 256> frame{};
    alignas(cmsghdr) std::array<char, 128> control{};
    const auto offset = wall_offset();
    for (;;) {
        iovec part{frame.data(), frame.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto size = ::recvmsg(port.fd.get(), &message, MSG_DONTWAIT);
        if (size < 0) return;
        std::int64_t stamp = 0;
        for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
                timespec time{};
                std::memcpy(&time, CMSG_DATA(c), sizeof time);
                stamp = std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec - offset;
            }
        const std::size_t header = (frame[ETH_HLEN] & 0x0fU) * 4U;
        const auto bytes = std::span{frame}.subspan(ETH_HLEN + header);
        if (static_cast<std::size_t>(size) < ETH_HLEN + header + 4) continue;
        const std::size_t length = (std::size_t{frame[ETH_HLEN + 2]} << 8 | frame[ETH_HLEN + 3]) - header;
        std::int64_t deadline = 0;
        if (length == advert_with_deadline) std::memcpy(&deadline, bytes.data() + advert_size, sizeof deadline);
        std::printf("%lld %s %u %u %lld\n", static_cast<long long>(stamp), port.name, bytes[1], bytes[2],
                    static_cast<long long>(deadline));
    }
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Port> ports;
    std::uint32_t every = 1;
    for (int i = 1; i < argc; ++i)
        if (argv[i] == std::string_view{"--every"} && i + 1 < argc)
            every = static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 10));
        else
            ports.push_back(open_port(argv[i], every));
    std::puts("ready");
    for (;;) {
        if (std::fflush(stdout) != 0) return 0; // the reader went away
        // Nobody waits on the sockets: to wake a waiter at each packet would be work of the sender that is measured. The
        // kernel has stamped what lies there.
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
        for (const auto& port : ports)
            drain(port);
    }
}
