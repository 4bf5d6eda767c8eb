// The table of the guard (engine/guard.cpp): three kinds of rules. Frames of a director are learnt by; a learnt one's are left
// alone; what else comes to a guarded service is marked. Only frames of an Ethernet link count: what comes out of a tunnel, a
// director has sent.

#include "base/text.hpp"
#include "kernel/nft.hpp"

#include <array>
#include <fmt/format.h>
#include <tuple>

namespace holdfast::kernel {
namespace {

constexpr int remembered = 3600; ///< seconds since its last frame

std::string rule(std::initializer_list<std::string> statements) {
    return fmt::format(
        R"({{"add":{{"rule":{{"family":"inet","table":"holdfast-guard","chain":"mark","expr":[{}]}}}}}})",
        join(std::vector<std::string>{statements}, ","));
}

std::string match(std::string_view op, std::string_view left, std::string_view right) {
    return fmt::format(R"({{"match":{{"op":"{}","left":{},"right":{}}}}})", op, left, right);
}

std::string payload(std::string_view protocol, std::string_view field) {
    return fmt::format(R"({{"payload":{{"protocol":"{}","field":"{}"}}}})", protocol, field);
}

std::string set_of(const std::vector<std::string>& elements) {
    return fmt::format(R"({{"set":[{}]}})", join(elements, ","));
}

std::string_view protocol_of(Family family) {
    return family == Family::ipv4 ? "ip" : "ip6";
}

const std::string learn =
    R"({"set":{"op":"update","elem":{"payload":{"protocol":"ether","field":"saddr"}},"set":"@directors"}})";
const std::string accept = R"({"accept":null})";

void add_learning(const engine::Guard& guard, std::vector<std::string>& commands) {
    std::vector<std::string> vrids;
    for (const auto vrid : guard.vrids)
        vrids.push_back(std::to_string(vrid.value));
    // RFC 9568 5.2: the second byte behind the IP header, which an advert has without options. By the network header, because
    // nft 1.0 can't list what goes by the transport header of a protocol that it does not know.
    constexpr std::array headers{std::tuple{"ip", "protocol", 20 * 8}, std::tuple{"ip6", "nexthdr", 40 * 8}};
    for (const auto& [protocol, next, length] : headers)
        commands.push_back(
            rule({match("==", payload(protocol, next), "112"),
                  match("==", fmt::format(R"({{"payload":{{"base":"nh","offset":{},"len":8}}}})", length + 8),
                        set_of(vrids)),
                  learn}));
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        std::vector<std::string> peers;
        for (const auto& peer : guard.peers)
            if (peer.family == family) peers.push_back(fmt::format(R"("{}")", to_string(peer)));
        if (!peers.empty())
            commands.push_back(rule({match("==", payload(protocol_of(family), "saddr"), set_of(peers)), learn}));
    }
}

std::string mark_rule(const engine::GuardedService& service) {
    const auto address = match("==", payload(protocol_of(service.address.family), "daddr"),
                               fmt::format(R"("{}")", to_string(service.address)));
    const auto protocol = model::name(service.protocol);
    const auto where = service.port != 0
                           ? match("==", payload(protocol, "dport"), std::to_string(service.port))
                           : match("==", R"({"meta":{"key":"l4proto"}})", fmt::format(R"("{}")", protocol));
    return rule({address, where,
                 fmt::format(R"({{"mangle":{{"key":{{"meta":{{"key":"mark"}}}},"value":{}}}}})", service.mark)});
}

void add_rules(const engine::Guard& guard, std::vector<std::string>& commands) {
    commands.emplace_back(R"({"flush":{"chain":{"family":"inet","table":"holdfast-guard","name":"mark"}}})");
    commands.push_back(rule({match("!=", R"({"meta":{"key":"iiftype"}})", R"("ether")"), accept}));
    add_learning(guard, commands);
    commands.push_back(rule({match("==", payload("ether", "saddr"), R"("@directors")"), accept}));
    for (const auto& service : guard.services)
        commands.push_back(mark_rule(service));
}

} // namespace

std::string guard_table(const engine::Guard& guard, bool is_there) {
    constexpr std::string_view table = R"({"table":{"family":"inet","name":"holdfast-guard"}})";
    std::vector<std::string> commands;
    const auto say = [&](std::string_view verb) { commands.push_back(fmt::format(R"({{"{}":{}}})", verb, table)); };
    const bool anew = !is_there || guard.vrids.empty();
    if (anew) { // deleting what may not be there is an error, so it is added first
        say("add");
        say("delete");
    }
    if (anew && !guard.vrids.empty()) {
        say("add");
        commands.push_back(fmt::format(
            R"({{"add":{{"set":{{"family":"inet","table":"holdfast-guard","name":"directors","type":"ether_addr","flags":["timeout"],"timeout":{},"size":1024}}}}}})",
            remembered));
        commands.emplace_back(
            R"({"add":{"chain":{"family":"inet","table":"holdfast-guard","name":"mark","type":"filter","hook":"prerouting","prio":-150,"policy":"accept"}}})");
    }
    if (!guard.vrids.empty()) add_rules(guard, commands);
    return fmt::format(R"({{"nftables":[{}]}})", join(commands, ","));
}

} // namespace holdfast::kernel
