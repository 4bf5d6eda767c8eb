#include "ipc/limits.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::ipc {

namespace {

constexpr std::size_t max_name = 255; // RFC 1035 2.3.4, also of a host

Result<void> bad(std::string text) {
    return unexpected{std::move(text)};
}

/// Printable ASCII and no space: what stands in a line between spaces.
bool is_word(const std::string& value) {
    return std::ranges::all_of(value, [](char c) { return c > ' ' && c <= '~'; });
}
bool is_line(const std::string& value) {
    return std::ranges::all_of(value, [](char c) { return c == '\t' || (c >= ' ' && c != '\x7f') || c < 0; });
}
/// RFC 9110 5.6.2.
bool is_token(std::string_view value) {
    constexpr std::string_view also = "!#$%&'*+-.^_`|~";
    return !value.empty() && std::ranges::all_of(value, [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               also.find(c) != std::string_view::npos;
    });
}
/// Of a URL: nothing that ends this part of it. May be empty.
Result<void> host_of(std::string_view what, const std::string& value) {
    if (value.size() > max_name) return bad(fmt::format("the {} is longer than {} bytes", what, max_name));
    if (!is_word(value) || value.find_first_of("/?#@\\\"<>^`{|}%") != std::string::npos)
        return bad(fmt::format("the {} is no host name", what));
    return {};
}
/// May be empty.
Result<void> file_of(std::string_view what, const std::string& value) {
    return value.empty() ? Result<void>{} : text(what, value, max_path);
}

bool is_hex(const std::string& value, std::size_t size) {
    return value.size() == size &&
           std::ranges::all_of(value, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<void> limits_of(const model::HttpRequest& request) {
    if (auto path = text("path", request.path, max_check_text); !path) return path;
    if (!request.path.starts_with('/') || !is_word(request.path) || request.path.find('#') != std::string::npos)
        return bad("the path is none of a request: it begins with /, and has no space, no # and printable bytes only");
    if (request.status.empty() || request.status.size() > max_ranges)
        return bad(fmt::format("no status, or more than {} ranges of them", max_ranges));
    for (const auto& [first, last] : request.status)
        if (first < 100 || last > 999 || first > last) return bad("a status range is not within 100 to 999");
    if (request.digest) {
        if (request.digest->kind > model::DigestKind::sha256) return bad("unknown kind of digest");
        if (!is_hex(request.digest->hex, request.digest->kind == model::DigestKind::md5 ? 32 : 64))
            return bad("the digest is not as many lower-case hex digits as its kind has");
    }
    if (!request.body) return {};
    if (auto regex = text("pattern", request.body->regex, max_check_text); !regex) return regex;
    if (request.body->max_offset && *request.body->max_offset < request.body->min_offset)
        return bad("the greatest offset is below the least");
    return {};
}

Result<void> header(const std::string& line) {
    if (auto fine = text("header", line, max_check_text); !fine) return fine;
    const auto colon = line.find(':');
    if (colon == std::string::npos || !is_token(std::string_view{line}.substr(0, colon)) || !is_line(line))
        return bad("a header is not 'Name: value'");
    return {};
}

std::size_t texts_of(const model::HttpCheck& http) {
    std::size_t bytes = http.host.size() + http.server_name.size() + http.ca_file.size() +
                        http.certificate_file.size() + http.key_file.size();
    for (const auto& line : http.headers)
        bytes += line.size();
    for (const auto& request : http.requests)
        bytes += request.path.size() + (request.body ? request.body->regex.size() : 0);
    return bytes;
}

Result<void> limits_of(const model::HttpCheck& http) {
    if (http.requests.empty() || http.requests.size() > max_requests)
        return bad(fmt::format("no request, or more than {}", max_requests));
    for (const auto& request : http.requests)
        if (auto fine = limits_of(request); !fine) return fine;
    if (http.version > model::HttpVersion::v2) return bad("unknown version of HTTP");
    if (!is_token(http.method) || http.method.size() > 32) return bad("the method is none of HTTP");
    if (auto fine = host_of("host", http.host); !fine) return fine;
    if (auto fine = host_of("name of the server", http.server_name); !fine) return fine;
    if (http.headers.size() > max_headers_sent) return bad(fmt::format("more than {} headers", max_headers_sent));
    for (const auto& line : http.headers)
        if (auto fine = header(line); !fine) return fine;
    for (const auto& [what, file] : {std::pair{"CA file", &http.ca_file}, std::pair{"key file", &http.key_file},
                                     std::pair{"certificate file", &http.certificate_file}})
        if (auto fine = file_of(what, *file); !fine) return fine;
    if (texts_of(http) > max_check) return bad(fmt::format("a check of more than {} bytes", max_check));
    return {};
}

Result<void> limits_of(const model::SmtpCheck& smtp) {
    if (auto helo = text("name to say", smtp.helo, max_name); !helo) return helo;
    return is_word(smtp.helo) ? Result<void>{} : bad("the name to say is no word");
}

Result<void> limits_of(const model::DnsCheck& dns) {
    using enum model::DnsType;
    if (auto name = text("name to ask for", dns.name, max_name); !name) return name;
    if (!is_word(dns.name)) return bad("the name to ask for is no word");
    const auto is_asked = [&](model::DnsType each) { return each == dns.type; };
    return std::ranges::any_of(std::array{a, ns, cname, soa, mx, txt, aaaa}, is_asked) ? Result<void>{}
                                                                                       : bad("unknown type of record");
}

Result<void> limits_of(const model::UdpCheck& udp) {
    if (udp.payload.size() > max_datagram || udp.reply.size() > max_datagram)
        return bad(fmt::format("a datagram of more than {} bytes", max_datagram));
    if (udp.mask.size() != udp.reply.size()) return bad("the mask is not as long as the reply");
    return udp.min_length <= udp.max_length ? Result<void>{} : bad("the greatest length is below the least");
}

Result<void> limits_of(const model::TcpCheck&) {
    return {};
}
Result<void> limits_of(const model::PingCheck&) {
    return {};
}
Result<void> limits_of(const model::TrackerCheck&) {
    return bad("a tracker is none of the prober's checks");
}
Result<void> limits_of(const model::ScriptCheck&) {
    return bad("a script is none of the prober's checks");
}

Result<void> limits_of(const model::ProbeSocket& socket, const IpAddress& address) {
    if (socket.address || socket.port != 0) return bad("the socket has an address to connect to of its own");
    if (socket.source && socket.source->family != address.family)
        return bad("source and address are of different families");
    constexpr std::size_t longest_link = 15; // IFNAMSIZ - 1
    if (!socket.interface.empty())
        if (auto link = text("interface", socket.interface, longest_link); !link) return link;
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

Result<void> text(std::string_view what, const std::string& value, std::size_t longest) {
    if (value.empty()) return unexpected{fmt::format("the {} is empty", what)};
    if (value.size() > longest) return unexpected{fmt::format("the {} is longer than {} bytes", what, longest)};
    if (value.find('\0') != std::string::npos) return unexpected{fmt::format("the {} contains a zero byte", what)};
    return {};
}

Result<void> limits_of(const StartCheck& m) {
    if (auto what = std::visit([](const auto& each) { return limits_of(each); }, m.what); !what) return what;
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
