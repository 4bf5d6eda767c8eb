#include "config/utf8.hpp"

namespace holdfast::config {
namespace {

constexpr std::size_t longest_quote = 48;

unsigned byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// Length of the valid character at `at`; 0: none.
std::size_t character(std::string_view text, std::size_t at) {
    const unsigned first = byte_at(text, at);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (!continues_character(text[at + i])) return 0;
    const unsigned second = byte_at(text, at + 1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

} // namespace

std::optional<std::size_t> invalid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto length = character(text, at);
        if (length == 0) return at;
        at += length;
    }
    return std::nullopt;
}

std::string printable(std::string_view text, bool keep_tabs) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const unsigned byte = byte_at(text, at);
        const bool tab = byte == '\t' && keep_tabs;
        const bool c1 = byte == 0xc2 && at + 1 < text.size() && byte_at(text, at + 1) < 0xa0;
        if (c1) ++at;
        if (c1 || byte == 0x7f || (byte < 0x20 && !tab))
            result += '?';
        else
            result += static_cast<char>(byte);
    }
    return result;
}

std::string in_quotes(std::string_view text) {
    std::string_view shown = text;
    if (text.size() > longest_quote) {
        std::size_t end = longest_quote - 3;
        while (end > 0 && continues_character(text[end]))
            --end;
        shown = text.substr(0, end);
    }
    return "'" + printable(shown) + (shown.size() < text.size() ? "...'" : "'");
}

} // namespace holdfast::config
