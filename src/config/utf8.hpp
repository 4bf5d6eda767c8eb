// UTF-8 as far as a diagnostic needs it: is the text valid, where does a character begin.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::config {

/// A byte inside a character, not its first one.
constexpr bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

/// Offset of the first byte that is not part of a valid character (RFC 3629: no overlong form, no surrogate).
std::optional<std::size_t> invalid_utf8(std::string_view text);

/// The text for a terminal or a journal: control characters (C0, DEL, C1) become '?', so that a file cannot move the
/// cursor. A tab stays when `keep_tabs`. The text must be valid UTF-8; the number of characters stays the same.
std::string printable(std::string_view text, bool keep_tabs = false);

/// Printable, and no longer than a reader wants: 'text'. (Not "quoted": std::quoted would be the better match for a std::string.)
std::string in_quotes(std::string_view text);

} // namespace holdfast::config
