#include "model/check_limits.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

namespace holdfast::model {

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
    return value.empty() ? Result<void>{} : required_text(what, value, max_check_file);
}

bool is_hex(const std::string& value, std::size_t size) {
    return value.size() == size &&
           std::ranges::all_of(value, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<void> limits_of(const HttpRequest& request) {
    if (auto path = required_text("path", request.path, max_check_text); !path) return path;
    if (!request.path.starts_with('/') || !is_word(request.path) || request.path.find('#') != std::string::npos)
        return bad("the path is none of a request: it begins with /, and has no space, no # and printable bytes only");
    if (request.status.empty() || request.status.size() > max_ranges)
        return bad(fmt::format("no status, or more than {} ranges of them", max_ranges));
    for (const auto& [first, last] : request.status)
        if (first < 100 || last > 999 || first > last) return bad("a status range is not within 100 to 999");
    if (request.digest) {
        if (request.digest->kind > DigestKind::sha256) return bad("unknown kind of digest");
        if (!is_hex(request.digest->hex, request.digest->kind == DigestKind::md5 ? 32 : 64))
            return bad("the digest is not as many lower-case hex digits as its kind has");
    }
    if (!request.body) return {};
    if (auto regex = required_text("pattern", request.body->regex, max_check_text); !regex) return regex;
    if (request.body->max_offset && *request.body->max_offset < request.body->min_offset)
        return bad("the greatest offset is below the least");
    return {};
}

Result<void> header(const std::string& line) {
    if (auto fine = required_text("header", line, max_check_text); !fine) return fine;
    const auto colon = line.find(':');
    if (colon == std::string::npos || !is_token(std::string_view{line}.substr(0, colon)) || !is_line(line))
        return bad("a header is not 'Name: value'");
    return {};
}

std::size_t texts_of(const HttpCheck& http) {
    std::size_t bytes = http.host.size() + http.server_name.size() + http.ca_file.size() +
                        http.certificate_file.size() + http.key_file.size();
    for (const auto& line : http.headers)
        bytes += line.size();
    for (const auto& request : http.requests)
        bytes += request.path.size() + (request.body ? request.body->regex.size() : 0);
    return bytes;
}

Result<void> limits_of(const HttpCheck& http) {
    if (http.requests.empty() || http.requests.size() > max_requests)
        return bad(fmt::format("no request, or more than {}", max_requests));
    for (const auto& request : http.requests)
        if (auto fine = limits_of(request); !fine) return fine;
    if (http.version > HttpVersion::v2) return bad("unknown version of HTTP");
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

Result<void> limits_of(const SmtpCheck& smtp) {
    if (auto helo = required_text("name to say", smtp.helo, max_name); !helo) return helo;
    return is_word(smtp.helo) ? Result<void>{} : bad("the name to say is no word");
}

Result<void> limits_of(const DnsCheck& dns) {
    using enum DnsType;
    if (auto name = required_text("name to ask for", dns.name, max_name); !name) return name;
    if (!is_word(dns.name)) return bad("the name to ask for is no word");
    const auto is_asked = [&](DnsType each) { return each == dns.type; };
    return std::ranges::any_of(std::array{a, ns, cname, soa, mx, txt, aaaa}, is_asked) ? Result<void>{}
                                                                                       : bad("unknown type of record");
}

Result<void> limits_of(const UdpCheck& udp) {
    if (udp.payload.size() > max_datagram || udp.reply.size() > max_datagram)
        return bad(fmt::format("a datagram of more than {} bytes", max_datagram));
    if (udp.mask.size() != udp.reply.size()) return bad("the mask is not as long as the reply");
    return udp.min_length <= udp.max_length ? Result<void>{} : bad("the greatest length is below the least");
}

/// Nothing of them is sent.
template <typename Kind>
Result<void> limits_of(const Kind&) {
    return {};
}

} // namespace

Result<void> limits_of(const CheckKind& kind) {
    return std::visit([](const auto& each) { return limits_of(each); }, kind);
}

} // namespace holdfast::model
