// One host whose instance `web` holds one address on eth0: what the tests of masters and their tables share.
#pragma once

#include "servers_node.hpp"

namespace holdfast::engine::testing {

inline constexpr LinkIndex eth0{2};
inline const Prefix vip = *parse_prefix("192.0.2.10/24");

inline model::Instance& add_web(Node& node) {
    auto& web = node.config_.instances.emplace_back();
    web.name = "web";
    web.interface = "eth0";
    web.vrid = Vrid{51};
    web.addresses = {vip};
    return web;
}

/// `web`, and a virtual server that follows it; lb1_is: the real server that is this host itself, if any.
inline Node follower(const std::string& lb1_is) {
    Node node;
    add_web(node);
    auto here = real("s1", 1, false), there = real("s2", 1, false);
    here.host = lb1_is;
    here.forwarding.method = there.forwarding.method = model::Forwarding::Method::dr;
    auto& server = node.add("http", {here, there});
    server.while_master = "web";
    return node;
}

/// eth0 with an address of its own, and beside it the virtual one where an earlier process left it.
inline KernelListed kernel_of_web(bool has_address = false) {
    KernelListed listed{.links = {{.index = eth0, .name = "eth0", .up = true, .mac = {{2, 0, 0, 0, 0, 1}}}},
                        .addresses = {{.link = eth0, .prefix = *parse_prefix("192.0.2.201/24")}}};
    if (has_address) listed.addresses.push_back({.link = eth0, .prefix = vip, .ours = true});
    return listed;
}

/// What a start hears: the kernel as it is, then the sockets are open.
inline void start_on(Node& node, bool has_address = false) {
    node.deliver(kernel_of_web(has_address));
    node.deliver(ListenDone{eth0, Family::ipv4, 0});
}

} // namespace holdfast::engine::testing
