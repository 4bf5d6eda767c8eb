#include "kernel/filter.hpp"

#include "kernel/option.hpp"
#include "wire/proof.hpp"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <vector>

namespace holdfast::kernel {
namespace {

using Program = std::vector<sock_filter>;

bool attach(const Fd& fd, Program code) {
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return set(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

/// Received ARP whose sender announces itself: sender address equal to target address (RFC 5227 3).
const Program announced_arp{
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 5, 0, PACKET_OUTGOING},
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, 38},
    sock_filter{BPF_MISC | BPF_TAX, 0, 0, 0},
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, 28},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0},
};
/// Received neighbor advertisements: IPv6 next header ICMPv6, type 136.
const Program announced_na{
    sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 5, 0, PACKET_OUTGOING},
    sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, 20},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 3, IPPROTO_ICMPV6},
    sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, 54},
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 136},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0xffff},
    sock_filter{BPF_RET | BPF_K, 0, 0, 0},
};

constexpr sock_filter take{BPF_RET | BPF_K, 0, 0, 0xffff};
constexpr sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};

/// The accumulator has a VRID: take the packet when it is in the set. The set is eight words of 32 bits.
void put_vrid_test(Program& code, const VridSet& vrids) {
    code.push_back({BPF_MISC | BPF_TAX, 0, 0, 0});
    code.push_back({BPF_ALU | BPF_RSH | BPF_K, 0, 0, 5});
    for (std::uint32_t word = 0; word < 8; ++word) {
        std::uint32_t bits = 0;
        for (std::uint32_t bit = 0; bit < 32; ++bit)
            bits |= static_cast<std::uint32_t>(vrids[word * 32 + bit]) << bit;
        if (bits == 0) continue;
        code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 9, word});
        code.push_back({BPF_MISC | BPF_TXA, 0, 0, 0});
        code.push_back({BPF_ALU | BPF_AND | BPF_K, 0, 0, 31});
        code.push_back({BPF_MISC | BPF_TAX, 0, 0, 0});
        code.push_back({BPF_LD | BPF_IMM, 0, 0, bits});
        code.push_back({BPF_ALU | BPF_RSH | BPF_X, 0, 0, 0});
        code.push_back({BPF_ALU | BPF_AND | BPF_K, 0, 0, 1});
        code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0});
        code.push_back(take);
        code.push_back(drop);
    }
    code.push_back(drop);
}

} // namespace

bool filter_announcements(const Fd& fd, Family family) {
    return attach(fd, family == Family::ipv4 ? announced_arp : announced_na);
}

bool filter_adverts(const Fd& fd, Family family, const VridSet& vrids) {
    Program code;
    // IPv4 sockets see the IP header (raw(7)), IPv6 ones begin behind it.
    code.push_back(family == Family::ipv4 ? sock_filter{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0}
                                          : sock_filter{BPF_LDX | BPF_IMM, 0, 0, 0});
    code.push_back({BPF_LD | BPF_W | BPF_LEN, 0, 0, 0});
    code.push_back({BPF_ALU | BPF_SUB | BPF_X, 0, 0, 0});
    code.push_back({BPF_JMP | BPF_JGE | BPF_K, 1, 0, 2});
    code.push_back(take); // too short
    code.push_back({BPF_LD | BPF_B | BPF_IND, 0, 0, 1});
    put_vrid_test(code, vrids);
    return attach(fd, std::move(code));
}

bool filter_ah(const Fd& fd, const VridSet& vrids) {
    Program code;
    code.push_back({BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0}); // the length of the IPv4 header
    code.push_back({BPF_LD | BPF_B | BPF_IND, 0, 0, 0});
    code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, wire::protocol_vrrp});
    code.push_back(drop);
    code.push_back({BPF_LD | BPF_B | BPF_IND, 0, 0, wire::ah_size + 1});
    put_vrid_test(code, vrids);
    return attach(fd, std::move(code));
}

} // namespace holdfast::kernel
