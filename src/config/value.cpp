#include "config/value.hpp"

#include "base/text.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr Duration v3_step = 10ms;
constexpr Duration v3_longest = 40'950ms; // 12 bits of centiseconds (RFC 9568 5.2.7)
constexpr Duration v2_longest = 255s;     // 8 bits of seconds (RFC 3768 5.3.7)

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// "1", "0.5": a number that lacks its unit.
bool is_bare_number(std::string_view text) {
    const auto dot = text.find('.');
    if (dot == std::string_view::npos) return is_digits(text);
    return is_digits(text.substr(0, dot)) && is_digits(text.substr(dot + 1));
}

/// What YAML or a person could take for something else than a text.
bool means_something(std::string_view text) {
    static constexpr std::array words{"null", "true", "false", "on", "off", "yes", "no", "y", "n"};
    const auto word = lower(std::string{text});
    return std::ranges::any_of(words, [&](const char* w) { return word == w; });
}

} // namespace

Complaint must_be(std::string_view wanted, const Node& node, std::string hint) {
    const auto what = [&]() -> std::string {
        switch (node.kind) {
        case Node::Kind::nothing: return "empty";
        case Node::Kind::list: return "a list";
        case Node::Kind::map: return "a map";
        case Node::Kind::scalar: break;
        }
        return node.text.empty() ? "empty" : in_quotes(node.text);
    };
    return {fmt::format("must be {}, not {}", wanted, what()), std::move(hint)};
}

Parsed<long> parse_integer(const Node& node, long low, long high, std::string_view wanted) {
    if (!node.is_scalar()) return std::unexpected{must_be(wanted, node)};
    const std::string_view text = node.text;
    const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
    if (!is_digits(digits)) return std::unexpected{must_be(wanted, node)};
    if (node.quoted) return std::unexpected{must_be(wanted, node, "remove the quotes")};
    if (digits.size() > 1 && digits[0] == '0')
        return std::unexpected{must_be(wanted, node, "write it without the leading zero")};
    long value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || rest != text.data() + text.size() || value < low || value > high)
        return std::unexpected{must_be(wanted, node)};
    return value;
}

Parsed<Duration> parse_span(const Node& node, std::string_view wanted) {
    if (!node.is_scalar()) return std::unexpected{must_be(wanted, node)};
    if (is_bare_number(node.text))
        return std::unexpected{
            Complaint{fmt::format("needs a unit: {} of what?", in_quotes(node.text)),
                      fmt::format("write {0}s for seconds or {0}ms for milliseconds", printable(node.text))}};
    const auto value = parse_duration(node.text);
    if (!value)
        return std::unexpected{
            must_be(wanted, node, "a duration is a number and its unit (us, ms, s, min, h, d), like 1s or 250ms")};
    return *value;
}

std::string yaml_text(std::string_view text) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '-' || c == '/' || c == '@';
    };
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    if (!text.empty() && letter(text[0]) && std::ranges::all_of(text, plain) && !means_something(text))
        return std::string{text};
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            result += {'\\', c};
        else if (byte < 0x20 || byte == 0x7f)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += c;
    }
    return result + '"';
}

std::string Span::values() const {
    return fmt::format("{}{} to {}", or_zero ? "0s or " : "", to_string(low), to_string(high));
}

Parsed<Duration> Span::parse(const Node& node) const {
    const auto wanted = "a duration from " + values();
    auto value = parse_span(node, wanted);
    if (!value) return value;
    if (or_zero && *value == Duration::zero()) return value;
    if (*value < low || *value > high) return std::unexpected{must_be(values(), node)};
    return value;
}

std::string AdvertInterval::values() const {
    return "version 3: 10ms to 40.95s in steps of 10ms; version 2: whole seconds from 1s to 255s";
}

Parsed<Duration> AdvertInterval::parse(const Node& node) const {
    auto value = parse_span(node, "a duration (" + values() + ")");
    if (!value) return value;
    const bool v3 = *value >= v3_step && *value <= v3_longest && *value % v3_step == Duration::zero();
    const bool v2 = *value >= 1s && *value <= v2_longest && *value % 1s == Duration::zero();
    if (!v3 && !v2) return std::unexpected{Complaint{"cannot be " + in_quotes(node.text), values()}};
    return value;
}

Parsed<bool> Flag::parse(const Node& node) const {
    const auto word = node.is_scalar() && !node.quoted ? lower(node.text) : "";
    if (word == "true" || word == "on" || word == "yes") return true;
    if (word == "false" || word == "off" || word == "no") return false;
    return std::unexpected{
        must_be(values(), node, node.quoted && means_something(node.text) ? "remove the quotes" : "")};
}

Parsed<model::OtherLinks> OtherLinksSchedule::parse(const Node& node) const {
    constexpr std::string_view all = "all ";
    const bool has_all = node.is_scalar() && node.text.starts_with(all);
    Node bare = node;
    if (has_all) bare.text = node.text.substr(std::min(node.text.find_first_not_of(' ', all.size()), node.text.size()));
    const Span span{1s, 24h, true};
    if (bare.is_scalar() && (has_all || bare.text == "all") && (bare.text.empty() || bare.text == "all"))
        return std::unexpected{must_be("a duration behind `all`", node, "write all 1min")};
    const auto every = span.parse(bare);
    if (!every) return std::unexpected{every.error()};
    return model::OtherLinks{*every, has_all};
}

Parsed<model::Lease> LeaseMode::parse(const Node& node) const {
    if (node.is_scalar() && node.text == "auto") return model::Lease{.on = true};
    if (node.is_scalar() && node.text == "off") return model::Lease{.on = false};
    return std::unexpected{must_be(values(), node)};
}

Parsed<IpAddress> HostAddress::parse(const Node& node) const {
    const auto address = node.is_scalar() ? parse_ip(node.text) : std::nullopt;
    if (!address)
        return std::unexpected{
            must_be("an IP address", node,
                    node.is_scalar() && parse_prefix(node.text) ? "write it without the prefix length" : "")};
    if (address->is_multicast() || address->is_unspecified())
        return std::unexpected{must_be("an address that a host has", node)};
    return *address;
}

std::string MulticastGroup::values() const {
    return family == Family::ipv4 ? "an IPv4 multicast address (224.0.0.0/4)"
                                  : "an IPv6 multicast address of the link (ff02::/16)";
}

Parsed<IpAddress> MulticastGroup::parse(const Node& node) const {
    const auto address = node.is_scalar() ? parse_ip(node.text) : std::nullopt;
    const bool good = address && address->family == family && address->is_multicast() &&
                      (family == Family::ipv4 || (address->bytes[1] & 0x0f) == 2); // of the link: RFC 4291 2.7
    if (!good) return std::unexpected{must_be(values(), node)};
    return *address;
}

Parsed<model::Checksum> ChecksumStyle::parse(const Node& node) const {
    if (node.is_scalar() && node.text == "pseudo_header") return model::Checksum::pseudo_header;
    if (node.is_scalar() && node.text == "message") return model::Checksum::message;
    return std::unexpected{must_be(values(), node)};
}

Parsed<model::Version> VersionNumber::parse(const Node& node) const {
    const auto number = parse_integer(node, 2, 3, values());
    if (!number) return std::unexpected{number.error()};
    return *number == 2 ? model::Version::v2 : model::Version::v3;
}

Parsed<model::Match> MatchWord::parse(const Node& node) const {
    for (const auto match : {model::Match::exact, model::Match::initial, model::Match::partial})
        if (node.is_scalar() && node.text == print(match)) return match;
    return std::unexpected{must_be(values(), node)};
}

std::string MatchWord::print(model::Match match) const {
    return match == model::Match::exact ? "exact" : match == model::Match::initial ? "initial" : "partial";
}

} // namespace holdfast::config
