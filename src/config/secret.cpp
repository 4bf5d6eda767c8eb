#include "config/secret.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace holdfast::config {
namespace {

bool sounds_secret(std::string_view text) {
    std::string lower{text};
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    static constexpr std::array words{"pass", "pasw", "secret", "auth"};
    return std::ranges::any_of(words, [&](const char* word) { return lower.find(word) != std::string::npos; });
}

} // namespace

Secrecy inner_secrecy(Secrecy map, std::string_view key) {
    if (map == Secrecy::secret) return map;
    if (key == "authentication") return Secrecy::authentication;
    if (map == Secrecy::authentication) return key == "type" || key == "credential" ? Secrecy::open : Secrecy::secret;
    return sounds_secret(key) ? Secrecy::secret : Secrecy::open;
}

bool is_secret_key(Secrecy map, std::string_view key) {
    return map != Secrecy::open && key != "type" && key != "password" && key != "credential";
}

void hide_suspicious_lines(Sources& sources, Mark mark, bool all) {
    if (mark.line == 0) return;
    const Mark end{mark.file, mark.line + 1, 0};
    const auto line = sources.line(mark);
    const auto before = sources.line({mark.file, mark.line - 1, 1});
    const auto colon = line.find(':');
    if (all || (mark.line > 1 && sounds_secret(before) && !sounds_secret(line)))
        sources.hide({mark.file, mark.line, 1}, end);
    else if (sounds_secret(line) && colon != std::string_view::npos)
        sources.hide({mark.file, mark.line, static_cast<unsigned>(colon) + 2}, end);
    else if (sounds_secret(line))
        sources.hide({mark.file, mark.line, 1}, end);
}

} // namespace holdfast::config
