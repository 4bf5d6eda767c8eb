#include "prober/tcp.hpp"

#include <fmt/format.h>

namespace holdfast::prober {

namespace {

struct TcpTalk : Talk {
    TcpTalk() { wants = EPOLLOUT; }
    std::optional<Outcome> on_ready(int) override { return Outcome{.ok = true, .detail = "connected"}; }
    Outcome at_deadline(Duration timeout) const override {
        return {.detail = fmt::format("no connection within {}", to_string(timeout))};
    }
};

} // namespace

Conversation tcp_probe() {
    return {.talk = std::make_unique<TcpTalk>()};
}

} // namespace holdfast::prober
