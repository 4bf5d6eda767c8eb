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

/// What may stand inside `authentication:`, by whether its value may be shown.
constexpr std::array<std::string_view, 7> open_words{"type", "credential",  "file",       "active_key",
                                                     "mode", "anti_replay", "time_window"};
constexpr std::array<std::string_view, 3> secret_words{"password", "hex", "keys"};

template <typename Words>
bool has(const Words& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
}

/// A number that short is no key.
bool is_key_id(std::string_view text) {
    return text.size() <= 3 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

Secrecy inner_secrecy(Secrecy map, std::string_view key) {
    if (map == Secrecy::secret) return map;
    if (key == "authentication") return Secrecy::authentication;
    if (map == Secrecy::key_set) return is_key_id(key) ? Secrecy::authentication : Secrecy::secret;
    if (map == Secrecy::authentication && key == "keys") return Secrecy::key_set;
    if (map == Secrecy::authentication) return has(open_words, key) ? Secrecy::open : Secrecy::secret;
    return sounds_secret(key) ? Secrecy::secret : Secrecy::open;
}

bool is_secret_key(Secrecy map, std::string_view key) {
    if (map == Secrecy::open) return false;
    if (map == Secrecy::key_set) return !is_key_id(key);
    return !has(open_words, key) && !has(secret_words, key);
}

void hide_suspicious_lines(Sources& sources, Mark mark, bool all) {
    if (mark.line == 0) return;
    const auto line = sources.line(mark);
    const auto before = sources.line({mark.file, mark.line - 1, 1});
    const bool here = sounds_secret(line);
    if (!all && !here && !sounds_secret(before)) return;
    // A password behind its own key leaves the key readable; one on a line of its own hides the line.
    const auto colon = line.find(':');
    const bool behind_key = here && !all && colon != std::string_view::npos;
    const auto column = behind_key ? static_cast<unsigned>(colon) + 2 : 1;
    sources.hide({mark.file, mark.line, column}, {mark.file, mark.line + 1, 0});
}

} // namespace holdfast::config
