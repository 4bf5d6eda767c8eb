#include "model/server.hpp"

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

std::string_view name(Forwarding::Method method) {
    switch (method) {
    case Forwarding::Method::nat: return "nat";
    case Forwarding::Method::tunnel: return "tunnel";
    case Forwarding::Method::dr: return "dr";
    }
    return "?";
}

std::string to_string(const ServiceKey& key) {
    if (key.mark != 0) return fmt::format("mark {} {}", key.mark, to_string(key.family));
    const auto* const form = key.family == Family::ipv6 ? "{} [{}]:{}" : "{} {}:{}";
    return fmt::format(fmt::runtime(form), name(key.protocol), to_string(key.address), key.port);
}

} // namespace holdfast::model
