#include "prober/socket.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>

namespace holdfast::prober {

namespace {

/// Of marks and of ports below 1024.
constexpr const char* lacks_right =
    "; the prober has no right to that: /usr/share/holdfast/probe-rights.conf gives it, or holdfastd --probe-rights";

Result<void> refused(const std::string& what, const char* cure) {
    const int error = errno;
    return unexpected{fmt::format("cannot {}: {}{}", what, std::strerror(error), cure)};
}

template <typename Value>
bool set(int fd, int level, int option, const Value& value) {
    return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<void> bind_source(int fd, int family, const model::ProbeSocket& how) {
    const auto any = IpAddress{.family = family == AF_INET ? Family::ipv4 : Family::ipv6};
    const Endpoint source{how.source.value_or(any), how.source_port};
    if (how.source_port == 0)
        set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1); // one port may serve many destinations
    else {
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        set(fd, SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0}); // the next probe wants the port back
    }
    const auto address = socket_address(source, how.interface);
    if (::bind(fd, address.get(), address.size) == 0) return {};
    const char* const cure = errno == EACCES          ? lacks_right
                             : errno == EADDRNOTAVAIL ? "; it is no address of this host"
                                                      : "";
    return refused(fmt::format("use the source {} port {}", to_string(source.address), source.port), cure);
}

} // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto address = parse_ip(host);
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (!address || parsed.ptr != end || parsed.ec != std::errc{}) return std::nullopt;
    return Endpoint{*address, port};
}

int family_of(const IpAddress& address) {
    return address.family == Family::ipv4 ? AF_INET : AF_INET6;
}

SocketAddress socket_address(const Endpoint& end, const std::string& interface) {
    SocketAddress result;
    if (end.address.family == Family::ipv4) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(end.port);
        std::memcpy(&in.sin_addr, end.address.bytes.data(), sizeof in.sin_addr);
        std::memcpy(&result.storage, &in, result.size = sizeof in);
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(end.port);
        std::memcpy(&in.sin6_addr, end.address.bytes.data(), sizeof in.sin6_addr);
        if (end.address.is_link_local()) in.sin6_scope_id = ::if_nametoindex(interface.c_str());
        std::memcpy(&result.storage, &in, result.size = sizeof in);
    }
    return result;
}

Result<void> dress(int fd, int family, const model::ProbeSocket& how) {
    if (!how.interface.empty() && ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, how.interface.data(),
                                               static_cast<socklen_t>(how.interface.size())) != 0)
        return refused("use the interface " + how.interface, "");
    if (how.mark != 0 && !set(fd, SOL_SOCKET, SO_MARK, how.mark))
        return refused(fmt::format("set the mark {}", how.mark), lacks_right);
    return how.source || how.source_port != 0 ? bind_source(fd, family, how) : Result<void>{};
}

Result<Fd> open_socket(int family, int type, int protocol, const model::ProbeSocket& how) {
    Fd fd{::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
    if (!fd) {
        const int error = errno;
        const bool ping = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
        const char* const cure = ping && (error == EACCES || error == EPERM)
                                     ? "; the sysctl net.ipv4.ping_group_range has to include the prober's group: \"0 "
                                       "2147483647\" is everybody"
                                 : lacks_resources(error) ? "; raise LimitNOFILE or memory"
                                                          : "";
        return unexpected{fmt::format("cannot open a socket: {}{}", std::strerror(error), cure)};
    }
    if (auto done = dress(fd.get(), family, how); !done) return unexpected{done.error()};
    return fd;
}

bool lacks_resources(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

Outcome our_fault(std::string why) {
    return {.detail = std::move(why), .our_fault = true};
}

/// EADDRNOTAVAIL: no free port, or no address of that family to send from.
Outcome failure(std::string_view what, int error) {
    return {.detail = fmt::format("{}: {}", what, std::strerror(error)),
            .our_fault = lacks_resources(error) || error == EADDRNOTAVAIL || error == EADDRINUSE};
}

} // namespace holdfast::prober
