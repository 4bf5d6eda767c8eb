// holdfast-flood: mutated adverts at a steady rate: each is a good one of a lower router with one to four bytes
// changed, and in every second one the checksum put right again, so that the mutation reaches the deeper checks.
//
//   holdfast-flood LINK SOURCE VRID COUNT SECONDS SEED
//
// The packets are made before the first is sent. Prints how many left and in how many seconds.

#include "wire.hpp"

#include <random>
#include <vector>

namespace {

using namespace holdfast;
using namespace holdfast::bench;

constexpr std::size_t per_call = 50;

std::uint16_t checksum(const std::array<std::uint8_t, advert_size>& message, std::uint32_t source) {
    std::array<std::uint8_t, advert_size + 12> all{};
    const auto group = vrrp_group();
    std::memcpy(all.data(), &source, 4);
    std::memcpy(all.data() + 4, &group.sin_addr, 4);
    all[9] = protocol_vrrp;
    all[11] = advert_size;
    std::memcpy(all.data() + 12, message.data(), advert_size);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < all.size(); i += 2)
        sum += static_cast<std::uint32_t>(all[i] << 8 | all[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

void put_checksum(std::array<std::uint8_t, advert_size>& message, std::uint32_t source) {
    message[6] = message[7] = 0;
    const auto sum = checksum(message, source);
    message[6] = static_cast<std::uint8_t>(sum >> 8);
    message[7] = static_cast<std::uint8_t>(sum);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fputs("usage: holdfast-flood LINK SOURCE VRID COUNT SECONDS SEED\n", stderr);
        return 2;
    }
    const auto fd = open_vrrp(argv[1]);
    sockaddr_in source{};
    source.sin_family = AF_INET;
    ::inet_pton(AF_INET, argv[2], &source.sin_addr);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) die("bind");
    const auto vrid = static_cast<std::uint8_t>(std::atoi(argv[3]));
    const auto count = static_cast<std::size_t>(std::atoi(argv[4]));
    const auto span = static_cast<std::int64_t>(std::atof(argv[5]) * 1e9);
    std::mt19937 random{static_cast<std::uint32_t>(std::atoi(argv[6]))};

    std::vector<std::array<std::uint8_t, advert_size>> packets(count);
    for (std::size_t i = 0; i < count; ++i) {
        // The priority is below every router of the bench: what is accepted must not move the address.
        std::array<std::uint8_t, advert_size> message{0x31, vrid, 1, 1, 0, 10, 0, 0, 10, 77, 0, 100};
        put_checksum(message, source.sin_addr.s_addr);
        for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
            const auto at = random() % advert_size;
            if (at == 2) // the priority stays low: not an attack on the election, a broken sender
                message[at] = static_cast<std::uint8_t>(random() % 50);
            else
                message[at] = static_cast<std::uint8_t>(random());
        }
        if (i % 2 == 0) put_checksum(message, source.sin_addr.s_addr);
        packets[i] = message;
    }
    auto group = vrrp_group();
    std::array<iovec, per_call> parts{};
    std::array<mmsghdr, per_call> messages{};
    const auto began = now_ns();
    std::size_t sent = 0;
    for (std::size_t next = 0; next < count; next += per_call) {
        sleep_until(began + span * static_cast<std::int64_t>(next) / static_cast<std::int64_t>(count));
        const auto part = std::min(per_call, count - next);
        for (std::size_t i = 0; i < part; ++i) {
            parts[i] = {packets[next + i].data(), advert_size};
            messages[i] = {};
            messages[i].msg_hdr.msg_name = &group;
            messages[i].msg_hdr.msg_namelen = sizeof group;
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        const int done = ::sendmmsg(fd.get(), messages.data(), static_cast<unsigned>(part), 0);
        if (done > 0) sent += static_cast<std::size_t>(done);
    }
    std::printf("%zu %.3f\n", sent, static_cast<double>(now_ns() - began) / 1e9);
    return 0;
}
