#include "model/server.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::model {

std::string_view name(Protocol protocol) {
    switch (protocol) {
    case Protocol::tcp: return "tcp";
    case Protocol::udp: return "udp";
    case Protocol::sctp: return "sctp";
    }
    return "?";
}

std::string_view name(Origin origin) {
    switch (origin) {
    case Origin::file: return "file";
    case Origin::runtime: return "runtime";
    case Origin::persistent: return "persistent";
    }
    return "?";
}

std::string_view name(Forwarding::Method method) {
    switch (method) {
    case Forwarding::Method::nat: return "nat";
    case Forwarding::Method::tunnel: return "tunnel";
    case Forwarding::Method::dr: return "dr";
    }
    return "?";
}

ServiceKey kernel_key(const ServiceKey& key) {
    return key.mark == 0 ? key : ServiceKey{.family = key.family, .mark = key.mark, .address = {}};
}

bool is_directed_by(const VirtualServer& server, const std::string& node) {
    return server.directors.empty() || std::ranges::find(server.directors, node) != server.directors.end();
}

bool keeps_destination(const RealServer& real) {
    return real.forwarding.method != Forwarding::Method::nat;
}

bool is_on(const RealServer& real, const std::string& node) {
    return real.host == node && !real.host.empty() && keeps_destination(real);
}

bool is_served_on(const VirtualServer& server, const std::string& node) {
    return std::ranges::any_of(server.real_servers, [&](const RealServer& real) { return is_on(real, node); });
}

std::string to_string(const ServiceKey& key) {
    if (key.mark != 0) return fmt::format("mark {} {}", key.mark, to_string(key.family));
    const auto* const form = key.family == Family::ipv6 ? "{} [{}]:{}" : "{} {}:{}";
    return fmt::format(fmt::runtime(form), name(key.protocol), to_string(key.address), key.port);
}

} // namespace holdfast::model
