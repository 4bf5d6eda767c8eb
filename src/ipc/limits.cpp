#include "ipc/limits.hpp"

#include <fmt/format.h>

namespace holdfast::ipc {

namespace {

Result<void> bad(std::string text) {
    return unexpected{std::move(text)};
}

Result<void> limits_of(const model::ProbeSocket& socket, const IpAddress& address) {
    if (socket.address || socket.port != 0) return bad("the socket has an address to connect to of its own");
    if (socket.source && socket.source->family != address.family)
        return bad("source and address are of different families");
    constexpr std::size_t longest_link = 15; // IFNAMSIZ - 1
    if (!socket.interface.empty())
        if (auto link = required_text("interface", socket.interface, longest_link); !link) return link;
    return {};
}

Result<void> within(std::string_view what, Duration value) {
    if (value >= Duration{0} && value <= longest_probe) return {};
    return bad(fmt::format("{} {} is not within 0 to {}", what, to_string(value), to_string(longest_probe)));
}

} // namespace

Result<void> probe_time(std::string_view what, Duration value) {
    if (value >= shortest_probe && value <= longest_probe) return {};
    return unexpected{fmt::format("{} {} is not within {} to {}", what, to_string(value), to_string(shortest_probe),
                                  to_string(longest_probe))};
}

Result<void> limits_of(const StartCheck& m) {
    if (!model::is_network_probe(m.what)) return bad("a tracker or a script is none of the prober's checks");
    if (auto what = model::limits_of(m.what); !what) return what;
    if (m.port == 0 && !std::holds_alternative<model::PingCheck>(m.what)) return bad("a check without a port");
    if (auto socket = limits_of(m.socket, m.address); !socket) return socket;
    if (auto interval = probe_time("interval", m.interval); !interval) return interval;
    if (auto timeout = probe_time("timeout", m.timeout); !timeout) return timeout;
    if (m.retry > max_retry) return bad(fmt::format("retry {} is not within 0 to {}", m.retry, max_retry));
    if (auto delay = within("retry delay", m.retry_delay); !delay) return delay;
    if (auto warmup = within("warm-up", m.warmup); !warmup) return warmup;
    return m.tell >= 1 ? Result<void>{} : bad("verdicts that are never told");
}

} // namespace holdfast::ipc
