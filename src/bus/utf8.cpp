#include "bus/utf8.hpp"

#include <cstdint>

namespace holdfast::bus {
namespace {

/// Length of the character that `text` begins with, 0 if it is none (RFC 3629: no overlong forms, no surrogates).
std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto first = byte(0);
    if (first < 0x80) return first == 0 ? 0 : 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0U) != 0x80) return 0;
    const auto second = byte(1);
    const bool outside = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                         (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return outside ? 0 : length;
}

} // namespace

std::string utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const auto length = character_length(text);
        if (length == 0)
            result += "\uFFFD";
        else
            result += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return result;
}

std::vector<std::string> utf8(const std::vector<std::string>& texts) {
    std::vector<std::string> result;
    result.reserve(texts.size());
    for (const auto& text : texts)
        result.push_back(utf8(text));
    return result;
}

} // namespace holdfast::bus
