// D-Bus and JSON carry UTF-8 and nothing else: a message with one wrong byte in it is never sent. Texts that quote
// something from outside (a file, a program) go through here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bus {

/// Each byte that is not part of a valid character becomes U+FFFD; so does NUL.
std::string utf8(std::string_view text);
std::vector<std::string> utf8(const std::vector<std::string>& texts);

} // namespace holdfast::bus
