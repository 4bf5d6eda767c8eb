// Unicast: who else has the router. Invariant: as list.hpp says.
#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::size_t most_peers = 255; // as many hosts as a priority can tell apart
constexpr std::array words{std::string_view{"peers"}, std::string_view{"ttl"}, std::string_view{"check_source"}};
constexpr std::array peer_words{std::string_view{"address"}, std::string_view{"min_ttl"}, std::string_view{"max_ttl"}};
const Number<std::uint8_t> ttl_type{1, 255};

std::optional<IpAddress> peer_address(Context& context, const Node& node) {
    const auto address = HostAddress{}.parse(node);
    if (!address) {
        complain(context, "a peer", node, address.error());
        return std::nullopt;
    }
    return *address;
}

bool read_ttl(Context& context, std::string_view word, const Node& node, std::uint8_t& ttl) {
    const auto value = ttl_type.parse(node);
    if (value)
        ttl = *value;
    else
        complain(context, word, node, value.error());
    return value.has_value();
}

std::optional<model::UnicastPeer> read_peer(Context& context, const Node& node) {
    model::UnicastPeer peer;
    if (!node.is_map()) {
        const auto address = peer_address(context, node);
        if (!address) return std::nullopt;
        peer.address = *address;
        return peer;
    }
    bool fine = true;
    for (const auto& entry : node.entries) {
        if (entry.key == "address") {
            const auto address = peer_address(context, entry.value);
            fine = fine && address;
            peer.address = address.value_or(peer.address);
        } else if (entry.key == "min_ttl") {
            fine = read_ttl(context, "min_ttl", entry.value, peer.min_ttl) && fine;
        } else if (entry.key == "max_ttl") {
            fine = read_ttl(context, "max_ttl", entry.value, peer.max_ttl) && fine;
        } else {
            unknown_key(context, entry, peer_words, {}, "a peer");
            fine = false;
        }
    }
    if (!node.find("address")) {
        context.problems.error(node.mark, "a peer has no address", "write {address: 10.0.0.12, min_ttl: 254}");
        fine = false;
    }
    if (fine && peer.min_ttl > peer.max_ttl) {
        context.problems.error(
            node.mark,
            fmt::format("min_ttl {} is above max_ttl {}: nothing could be accepted", peer.min_ttl, peer.max_ttl),
            "exchange them");
        fine = false;
    }
    return fine ? std::optional{peer} : std::nullopt;
}

bool read_peers(Context& context, const Node& node, std::vector<model::UnicastPeer>& peers) {
    if (!node.is_list()) {
        complain(context, "peers", node, must_be("a list of addresses", node));
        return false;
    }
    bool fine = true;
    for (const auto& item : node.items) {
        auto peer = read_peer(context, item);
        fine = fine && peer;
        if (!peer) continue;
        if (std::ranges::find(peers, peer->address, &model::UnicastPeer::address) != peers.end()) {
            context.problems.error(item.mark, fmt::format("peer {} is named twice", to_string(peer->address)),
                                   "keep one of them");
            fine = false;
        }
        peers.push_back(*peer);
    }
    if (fine && (peers.empty() || peers.size() > most_peers)) {
        context.problems.error(node.mark, fmt::format("unicast needs 1 to {} peers, not {}", most_peers, peers.size()),
                               "name the addresses of all hosts; this host's own is ignored");
        fine = false;
    }
    return fine;
}

} // namespace

std::optional<model::Unicast> read_unicast(Context& context, const Node& node) {
    if (!node.is_map()) {
        complain(context, "unicast", node, must_be("a map", node, "write {peers: [10.0.0.11, 10.0.0.12]}"));
        return std::nullopt;
    }
    bool fine = true;
    model::Unicast unicast;
    for (const auto& entry : node.entries) {
        if (entry.key == "peers") {
            fine = read_peers(context, entry.value, unicast.peers) && fine;
        } else if (entry.key == "ttl") {
            fine = read_ttl(context, "ttl", entry.value, unicast.ttl) && fine;
        } else if (entry.key == "check_source") {
            const auto flag = Flag{}.parse(entry.value);
            if (!flag) complain(context, "check_source", entry.value, flag.error());
            fine = fine && flag;
            unicast.check_source = flag.value_or(true);
        } else {
            unknown_key(context, entry, words, {}, "unicast");
            fine = false;
        }
    }
    if (!node.find("peers")) {
        context.problems.error(node.mark, "unicast names no peers",
                               "write {peers: [10.0.0.11, 10.0.0.12]}; this host's own address is ignored");
        fine = false;
    }
    return fine ? std::optional{std::move(unicast)} : std::nullopt;
}

std::string write_unicast(const model::Unicast& unicast) {
    const model::UnicastPeer usual;
    std::vector<std::string> peers;
    for (const auto& peer : unicast.peers) {
        const auto address = yaml_text(to_string(peer.address));
        const bool plain = peer.min_ttl == usual.min_ttl && peer.max_ttl == usual.max_ttl;
        peers.push_back(
            plain ? address
                  : fmt::format("{{address: {}, min_ttl: {}, max_ttl: {}}}", address, peer.min_ttl, peer.max_ttl));
    }
    return fmt::format("{{peers: [{}], ttl: {}, check_source: {}}}", join(peers, ", "), unicast.ttl,
                       Flag{}.print(unicast.check_source));
}

} // namespace holdfast::config
