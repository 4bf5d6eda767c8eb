// The texts that name something on the host: links, processes, units, local URLs. Each rule is the kernel's or
// systemd's own, so that a name which can never match is an error here and not a silence later.
#include "base/ip.hpp"
#include "base/text.hpp"
#include "config/utf8.hpp"
#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::size_t longest_link = 15; // IFNAMSIZ - 1
constexpr std::size_t longest_comm = 15; // TASK_COMM_LEN - 1
constexpr std::size_t longest_unit = 255;
constexpr std::size_t longest_url = 2048;
constexpr std::size_t longest_path = 4000; // with room for the rest of PATH_MAX
constexpr std::size_t longest_user = 32;   // useradd(8)

std::unexpected<Complaint> complain(std::string text, std::string hint = {}) {
    return std::unexpected{Complaint{std::move(text), std::move(hint)}};
}

bool has_control_or_space(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_loopback(const IpAddress& address) {
    if (address.family == Family::ipv4) return address.bytes[0] == 127;
    return address == parse_ip("::1");
}

constexpr std::array unit_types{".service", ".socket", ".target", ".mount", ".automount", ".timer",
                                ".path",    ".slice",  ".scope",  ".swap",  ".device"};

struct Authority {
    std::string_view host;
    std::string_view port; ///< empty: 80
    bool bracketed{false};
};

/// "host", "host:port", "[v6]", "[v6]:port".
std::optional<Authority> split_authority(std::string_view text) {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const auto rest = text.substr(end + 1);
        if (!rest.empty() && (rest[0] != ':' || rest.size() == 1)) return std::nullopt;
        return Authority{text.substr(1, end - 1), rest.empty() ? rest : rest.substr(1), true};
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return Authority{text, {}, false};
    if (colon + 1 == text.size()) return std::nullopt;
    return Authority{text.substr(0, colon), text.substr(colon + 1), false};
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    return error == std::errc{} && rest == end && port >= 1 && port <= 65535;
}

bool is_local_host(const Authority& authority) {
    if (!authority.bracketed && authority.host == "localhost") return true;
    const auto address = parse_ip(authority.host);
    return address && is_loopback(*address) && (address->family == Family::ipv6) == authority.bracketed;
}

} // namespace

Parsed<std::string> check_link(const Node& node) {
    const std::string_view wanted = "the name of a network interface";
    if (!node.is_scalar() || node.text.empty()) return std::unexpected{must_be(wanted, node)};
    const auto& text = node.text;
    if (text.size() > longest_link)
        return complain(
            fmt::format("must be {}, and {} has more than {} bytes", wanted, in_quotes(text), longest_link));
    if (has_control_or_space(text) || text.find_first_of("/:") != std::string::npos || text == "." || text == "..")
        return std::unexpected{must_be(wanted, node)};
    return text;
}

Parsed<std::string> check_group(const Node& node) {
    if (node.is_scalar() && is_name(node.text)) return node.text;
    return std::unexpected{must_be("the name of a sync group", node)};
}

Parsed<std::string> check_vrrp_link(const Node& node) {
    auto link = check_link(node);
    if (link && *link == "lo")
        return complain("cannot be the loopback 'lo': no other host hears what is sent there",
                        "name the interface that the other hosts share with this one");
    return link;
}

Parsed<std::string> check_process(const Node& node) {
    if (!node.is_scalar() || node.text.empty()) return std::unexpected{must_be("the name of a process", node)};
    const auto& text = node.text;
    if (text.starts_with('/')) {
        const auto base = text.substr(text.rfind('/') + 1);
        return complain(fmt::format("must be the name of a process, not the path {}", in_quotes(text)),
                        base.empty() ? "" : fmt::format("write {}", printable(base)));
    }
    if (text.size() > longest_comm)
        return complain(
            fmt::format("can never match {}: the kernel keeps {} bytes of a process name", in_quotes(text),
                        longest_comm),
            invalid_utf8(text.substr(0, longest_comm))
                ? "see /proc/PID/comm for the name the kernel keeps"
                : fmt::format("write {}, which is what /proc/PID/comm says", printable(text.substr(0, longest_comm))));
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return std::unexpected{must_be("the name of a process", node)};
    return text;
}

Parsed<std::string> check_unit(const Node& node) {
    const std::string_view wanted = "the name of a systemd unit";
    if (!node.is_scalar() || node.text.empty()) return std::unexpected{must_be(wanted, node)};
    const auto& text = node.text;
    const bool legal = std::ranges::all_of(
        text, [](char c) { return is_name(std::string_view{&c, 1}) || c == ':' || c == '\\' || c == '@'; });
    if (!legal || text.size() > longest_unit || text.starts_with('@')) return std::unexpected{must_be(wanted, node)};
    const auto* const type = std::ranges::find_if(unit_types, [&](std::string_view t) { return text.ends_with(t); });
    if (type == unit_types.end())
        return complain(fmt::format("must be {} with its type, not {}", wanted, in_quotes(text)),
                        fmt::format("write {}.service", printable(text)));
    const auto stem = std::string_view{text}.substr(0, text.size() - std::string_view{*type}.size());
    if (stem.empty()) return std::unexpected{must_be(wanted, node)};
    if (stem.ends_with('@'))
        return complain(fmt::format("must be a unit that can run, and {} is a template", in_quotes(text)),
                        fmt::format("name an instance of it, like {}1{}", printable(stem), *type));
    return text;
}

Parsed<std::string> check_local_url(const Node& node) {
    const std::string_view wanted = "a URL like http://127.0.0.1/health";
    constexpr std::string_view scheme = "http://";
    if (!node.is_scalar() || node.text.empty()) return std::unexpected{must_be(wanted, node)};
    const std::string_view url = node.text;
    if (url.starts_with("https://"))
        return complain("cannot be https: a tracker asks this host's own service, in plain HTTP", "write http://");
    if (!url.starts_with(scheme) || url.size() > longest_url || has_control_or_space(url) || url.find('#') != url.npos)
        return std::unexpected{must_be(wanted, node)};
    const auto rest = url.substr(scheme.size());
    const auto authority_text = rest.substr(0, rest.find_first_of("/?"));
    const auto authority = split_authority(authority_text);
    if (!authority || authority->host.empty() || authority_text.find('@') != authority_text.npos)
        return std::unexpected{must_be(wanted, node)};
    if (!authority->port.empty() && !is_port(authority->port))
        return complain(fmt::format("has a port that is not 1 to 65535: {}", in_quotes(authority->port)));
    if (!is_local_host(*authority))
        return complain(fmt::format("must ask this host itself, and {} is not loopback", in_quotes(authority->host)),
                        "a tracker watches the local service: write 127.0.0.1, [::1] or localhost");
    return std::string{url};
}

Parsed<std::string> check_host_port(const Node& node) {
    const std::string_view wanted = "an address with a port, like 192.0.2.1:80 or [2001:db8::1]:80";
    if (!node.is_scalar()) return std::unexpected{must_be(wanted, node)};
    const auto authority = split_authority(node.text);
    if (!authority || authority->host.empty() || authority->port.empty()) return std::unexpected{must_be(wanted, node)};
    if (!is_port(authority->port))
        return complain(fmt::format("has a port that is not 1 to 65535: {}", in_quotes(authority->port)));
    const auto address = parse_ip(authority->host);
    if (!address)
        return complain(fmt::format("must name an address, not the host {}", in_quotes(authority->host)),
                        authority->host == "localhost" ? "write 127.0.0.1 or [::1]"
                                                       : "a tracker must not fail because a name server does");
    if ((address->family == Family::ipv6) != authority->bracketed) return std::unexpected{must_be(wanted, node)};
    return node.text;
}

Parsed<std::string> check_mail_server(const Node& node) {
    const std::string_view wanted = "a server like smtp://mail.example.org or smtps://mail.example.org:465";
    if (!node.is_scalar() || node.text.size() > longest_url) return std::unexpected{must_be(wanted, node)};
    const std::string_view url = node.text;
    const auto start = url.find("://");
    if (start == url.npos) {
        const bool bare = !url.empty() && !has_control_or_space(url) && url.find('/') == url.npos;
        return std::unexpected{must_be(wanted, node, bare ? fmt::format("write smtp://{}", printable(url)) : "")};
    }
    const auto scheme = url.substr(0, start);
    const auto authority = split_authority(url.substr(start + 3));
    const auto legal = [](char c) { return is_name(std::string_view{&c, 1}) || c == ':'; };
    if ((scheme != "smtp" && scheme != "smtps") || !authority || authority->host.empty() ||
        !std::ranges::all_of(authority->host, legal))
        return std::unexpected{must_be(wanted, node)};
    if (!authority->port.empty() && !is_port(authority->port))
        return complain(fmt::format("has a port that is not 1 to 65535: {}", in_quotes(authority->port)));
    return std::string{url};
}

Parsed<std::string> check_path(const Node& node) {
    const std::string_view wanted = "the path of a file, from '/' on";
    const bool fine = node.is_scalar() && node.text.starts_with('/') && !node.text.ends_with('/') &&
                      node.text.size() <= longest_path && std::ranges::none_of(node.text, is_control);
    if (!fine) return std::unexpected{must_be(wanted, node)};
    return node.text;
}

Parsed<std::string> check_user(const Node& node) {
    const auto legal = [](char c) { return is_name(std::string_view{&c, 1}); };
    if (!node.is_scalar() || node.text.empty() || node.text.size() > longest_user || node.text.starts_with('-') ||
        !std::ranges::all_of(node.text, legal))
        return std::unexpected{must_be("the name of a user", node)};
    return node.text;
}

Parsed<std::string> check_object_name(const Node& node) {
    if (!node.is_scalar() || !is_name(node.text))
        return std::unexpected{must_be("a name of 1 to 64 letters, digits, '_', '.' or '-'", node)};
    return node.text;
}

} // namespace holdfast::config
