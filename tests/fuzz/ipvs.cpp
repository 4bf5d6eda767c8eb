// Any bytes as what the kernel's load balancer answers: no crash, nothing read beyond the end, and what is accepted is within
// the bounds that its readers count on.

#include "kernel/ipvs_reply.hpp"
#include "kernel/rtnl.hpp"

#include <cstdlib>

using namespace holdfast;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

constexpr std::size_t longest_name = 16;

void check(const engine::IpvsService& service) {
    const auto& key = service.key;
    must(key.mark == 0 || key == model::ServiceKey{.family = key.family, .mark = key.mark});
    must(key.mark != 0 || key.address.family == key.family);
    must((service.flags & ~engine::ipvs_service_flags) == 0);
    must(service.prefix_length <= full_prefix(key.family));
    must(service.scheduler.size() <= longest_name && service.engine.size() <= longest_name);
}

void check(const engine::IpvsDestination& destination) {
    const auto& [method, tunnel] = destination.forwarding;
    must(model::name(method) != "?");
    must(method == model::Forwarding::Method::tunnel || tunnel == model::Tunnel{});
    must(tunnel.kind <= model::TunnelKind::gre && tunnel.checksum <= model::TunnelChecksum::remote);
}

void check(const engine::IpvsSync& sync) {
    must(sync.role == engine::IpvsSync::Role::master || sync.role == engine::IpvsSync::Role::backup);
    must(sync.interface.size() <= longest_name);
}

void try_message(const kernel::GenericMessage& message) {
    if (const auto family = kernel::decode_family(message)) must(*family != 0);
    if (const auto listed = kernel::decode_service(message)) check(listed->service);
    for (const auto family : {Family::ipv4, Family::ipv6})
        if (const auto listed = kernel::decode_destination(message, family)) check(listed->destination);
    if (const auto sync = kernel::decode_sync(message)) check(*sync);
    if (const auto timeouts = kernel::decode_timeouts(message)) must(*timeouts == *timeouts);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes datagram{data, data + size}; // where malloc put it, headers can be read in place
    kernel::for_each_message(datagram, [](const nlmsghdr& message) {
        if (const auto generic = kernel::generic_message(message)) try_message(*generic);
    });
    // Without headers as well, so that the fuzzer need not find them first.
    if (size > 0) try_message({data[0], ByteView{data, size}.subspan(1)});
    return 0;
}
