#include "upstream/render.hpp"

#include <fmt/format.h>

namespace holdfast::upstream {
namespace {

/// What nginx does by itself has no word.
std::string method(model::Upstream::Balance balance) {
    return balance == model::Upstream::Balance::round_robin ? std::string{} : fmt::format("    {};\n", name(balance));
}

std::string line(const model::UpstreamPeer& peer) {
    const auto host = to_string(peer.address);
    auto out = peer.address.family == Family::ipv6 ? fmt::format("    server [{}]:{}", host, peer.port)
                                                   : fmt::format("    server {}:{}", host, peer.port);
    if (peer.weight > 1) out += fmt::format(" weight={}", peer.weight);
    if (peer.most_connections != 0) out += fmt::format(" max_conns={}", peer.most_connections);
    if (peer.weight == 0) out += " down";
    if (peer.backup) out += " backup";
    return out + fmt::format("; # {}\n", peer.name);
}

} // namespace

std::string render(std::string_view name, const model::Upstream& upstream, std::span<const model::UpstreamPeer> peers) {
    auto out = fmt::format(
        "# holdfast writes this file anew whenever the health of '{}' changes: what you write here is lost.\n"
        "upstream {} {{\n{}",
        name, name, method(upstream.balance));
    for (const auto& peer : peers)
        out += line(peer);
    if (upstream.keepalive != 0) out += fmt::format("    keepalive {};\n", upstream.keepalive);
    return out + "}\n";
}

} // namespace holdfast::upstream
