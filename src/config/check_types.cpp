#include "config/check_types.hpp"

#include "config/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::size_t longest_text = 1024;
constexpr std::size_t most_bytes = 1024; ///< of a payload or a reply

std::optional<unsigned> digit(char c) {
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(&c, &c + 1, value, 16);
    if (error != std::errc{} || rest != &c + 1) return std::nullopt;
    return value;
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return digit(c).has_value(); });
}

bool is_printable_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Parsed<std::string> text_where(const Node& node, std::string_view wanted, bool fine) {
    if (!node.is_scalar() || node.text.empty() || node.text.size() > longest_text || !fine)
        return std::unexpected{must_be(wanted, node)};
    return node.text;
}

} // namespace

Parsed<model::BodyDigest> DigestText::parse(const Node& node) const {
    const std::string_view text = node.text;
    const auto colon = text.find(':');
    const auto kind = text.substr(0, colon);
    auto hex = std::string{colon == text.npos ? "" : text.substr(colon + 1)};
    std::ranges::transform(hex, hex.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    const bool md5 = kind == "md5" && hex.size() == 32, sha = kind == "sha256" && hex.size() == 64;
    if (!node.is_scalar() || (!md5 && !sha) || !is_hex(hex))
        return std::unexpected{
            must_be("md5: and 32, or sha256: and 64 hexadecimal digits", node, "holdfastctl digest URL prints it")};
    return model::BodyDigest{md5 ? model::DigestKind::md5 : model::DigestKind::sha256, hex};
}

std::string DigestText::print(const model::BodyDigest& digest) const {
    return yaml_text((digest.kind == model::DigestKind::md5 ? "md5:" : "sha256:") + digest.hex);
}

Parsed<model::StatusRange> parse_status(const Node& node) {
    const std::string_view text = node.text;
    const auto dash = std::min(text.find('-'), text.size());
    const auto number = [](std::string_view digits) -> std::uint16_t {
        std::uint16_t value = 0;
        const auto* const end = digits.data() + digits.size();
        return std::from_chars(digits.data(), end, value).ptr == end ? value : std::uint16_t{0};
    };
    const auto first = number(text.substr(0, dash));
    const auto last = dash == text.size() ? first : number(text.substr(dash + 1));
    if (!node.is_scalar() || first < 100 || last > 999 || last < first)
        return std::unexpected{must_be("a status from 100 to 999 or a range, like 200-299", node)};
    return model::StatusRange{first, last};
}

std::string print(const model::StatusRange& range) {
    return range.first == range.second ? fmt::format("{}", range.first)
                                       : fmt::format("{}-{}", range.first, range.second);
}

Parsed<HexBytes> parse_hex(const Node& node, bool wild) {
    const auto wanted =
        wild ? "bytes in hexadecimal, XX for one that may be anything: 01ffXX" : "bytes in hexadecimal: 01ff";
    const std::string_view text = node.text;
    if (!node.is_scalar() || text.empty() || text.size() % 2 != 0 || text.size() > 2 * most_bytes)
        return std::unexpected{must_be(wanted, node)};
    HexBytes result;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const bool any = wild && (text.substr(i, 2) == "XX" || text.substr(i, 2) == "xx");
        const auto high = digit(text[i]), low = digit(text[i + 1]);
        if (!any && (!high || !low)) return std::unexpected{must_be(wanted, node)};
        result.bytes.push_back(any ? std::uint8_t{0} : static_cast<std::uint8_t>(*high * 16 + *low));
        result.mask.push_back(any ? 0x00 : 0xff);
    }
    return result;
}

std::string print_hex(const Bytes& bytes, const Bytes& mask) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        out += i < mask.size() && mask[i] == 0 ? "XX" : fmt::format("{:02x}", bytes[i]);
    return yaml_text(out);
}

Parsed<std::string> check_http_path(const Node& node) {
    const bool fine =
        node.text.starts_with('/') && is_printable_ascii(node.text) && node.text.find('#') == std::string::npos;
    return text_where(node, "a path that begins with '/', without spaces and '#'", fine);
}

Parsed<std::string> check_dns_name(const Node& node) {
    const auto legal = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
               c == '.';
    };
    return text_where(node, "a domain name", node.text.size() <= 253 && std::ranges::all_of(node.text, legal));
}

Parsed<std::string> check_host(const Node& node) {
    const auto legal = [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != '@' && c != '?' && c != '#'; };
    return text_where(node, "the name of a host", std::ranges::all_of(node.text, legal));
}

Parsed<std::string> check_http_method(const Node& node) {
    const auto legal = [](char c) { return c >= 'A' && c <= 'Z'; };
    return text_where(node, "an HTTP method like GET or HEAD",
                      node.text.size() <= 16 && std::ranges::all_of(node.text, legal));
}

Parsed<std::string> check_plain_text(const Node& node) {
    const auto legal = [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; };
    return text_where(node, "a text of one line", std::ranges::all_of(node.text, legal));
}

} // namespace holdfast::config
