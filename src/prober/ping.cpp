#include "prober/ping.hpp"

#include <array>
#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

namespace holdfast::prober {

namespace {

constexpr std::size_t header_size = 8;   // RFC 792
constexpr std::size_t payload_size = 56; // as ping(8) sends

class PingTalk : public Talk {
  public:
    PingTalk(Family family, std::uint64_t number) : is_ipv4_{family == Family::ipv4} {
        put8(request_, is_ipv4_ ? unsigned{ICMP_ECHO} : unsigned{ICMP6_ECHO_REQUEST});
        put8(request_, 0);
        put32(request_, 0); // checksum and identifier are the kernel's
        put16(request_, static_cast<unsigned>(number & 0xffffU));
        put32(request_, static_cast<std::uint32_t>(number >> 32));
        put32(request_, static_cast<std::uint32_t>(number & 0xffffffffU));
        request_.resize(header_size + payload_size, 0x68);
    }

    std::optional<Outcome> begin(int fd) override {
        if (::send(fd, request_.data(), request_.size(), MSG_NOSIGNAL) >= 0) return std::nullopt;
        return failure("cannot send", errno);
    }
    std::optional<Outcome> on_ready(int fd) override {
        std::array<std::uint8_t, header_size + payload_size> buffer; // NOLINT: filled by recv
        for (int i = 0; i < 8; ++i) {
            const auto datagram = receive(fd, buffer);
            if (!datagram) return failure("unreachable", datagram.error());
            if (!*datagram) return std::nullopt;
            if (is_reply((*datagram)->bytes)) return Outcome{.ok = true, .detail = "echo reply"};
        }
        return std::nullopt;
    }
    Outcome at_deadline(Duration timeout) const override {
        return {.detail = fmt::format("no echo reply within {}", to_string(timeout))};
    }

  private:
    bool is_reply(ByteView bytes) const {
        constexpr std::size_t after_identifier = 6;
        const auto wanted = ByteView{request_}.subspan(after_identifier);
        return bytes.size() == request_.size() &&
               bytes[0] == (is_ipv4_ ? unsigned{ICMP_ECHOREPLY} : unsigned{ICMP6_ECHO_REPLY}) &&
               std::ranges::equal(bytes.subspan(after_identifier), wanted);
    }

    bool is_ipv4_;
    Bytes request_;
};

} // namespace

Conversation ping_probe(Family family, std::uint64_t number) {
    return {.type = SOCK_DGRAM,
            .protocol = family == Family::ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6},
            .talk = std::make_unique<PingTalk>(family, number)};
}

} // namespace holdfast::prober
