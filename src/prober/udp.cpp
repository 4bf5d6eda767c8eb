#include "prober/udp.hpp"

#include "model/check_limits.hpp"

#include <array>
#include <fmt/format.h>

namespace holdfast::prober {

namespace {

class UdpTalk : public Talk {
  public:
    explicit UdpTalk(const model::UdpCheck& check) : check_{check} {}

    std::optional<Outcome> begin(int fd) override {
        if (::send(fd, check_.payload.data(), check_.payload.size(), MSG_NOSIGNAL) >= 0) return std::nullopt;
        return failure("cannot send", errno);
    }
    std::optional<Outcome> on_ready(int fd) override {
        std::array<std::uint8_t, model::max_datagram> buffer; // NOLINT: filled by recv
        const auto datagram = receive(fd, buffer);
        if (!datagram) return failure("unreachable", datagram.error());
        if (!*datagram) return std::nullopt;
        return udp_reply(check_, (*datagram)->bytes, (*datagram)->size);
    }
    Outcome at_deadline(Duration timeout) const override {
        if (check_.require_reply) return {.detail = fmt::format("no reply within {}", to_string(timeout))};
        return {.ok = true, .detail = "not refused"};
    }

  private:
    const model::UdpCheck& check_;
};

} // namespace

Outcome udp_reply(const model::UdpCheck& check, ByteView bytes, std::size_t size) {
    const auto said = fmt::format("a reply of {} bytes", size);
    if (!check.require_reply) return {.ok = true, .detail = said};
    if (size < check.min_length || size > check.max_length)
        return {.detail = fmt::format("{}, not {} to {}", said, check.min_length, check.max_length)};
    if (bytes.size() < check.reply.size()) return {.detail = said + ", shorter than the expected one"};
    for (std::size_t i = 0; i < check.reply.size(); ++i)
        if (((bytes[i] ^ check.reply[i]) & check.mask[i]) != 0)
            return {.detail = fmt::format("{}, other than expected at byte {}", said, i)};
    return {.ok = true, .detail = said};
}

Conversation udp_probe(const model::UdpCheck& check) {
    return {.type = SOCK_DGRAM, .talk = std::make_unique<UdpTalk>(check)};
}

} // namespace holdfast::prober
