// Lists of words: a program with its arguments, a process's command line. Invariant: what comes back can be given to
// execve(2) as it is: bounded, without zero bytes, and a program by its absolute path.
#include "config/list.hpp"
#include "config/utf8.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::size_t most_words = 64;
constexpr std::size_t longest_word = 4096;
constexpr std::size_t most_bytes = 32768;

/// "/bin/x -a b" as somebody used to a shell writes it, as a list.
std::string as_list(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        if (end > at) out += (out.empty() ? "" : ", ") + yaml_text(std::string_view{text}.substr(at, end - at));
        at = end + 1;
    }
    return "write [" + out + "]: no shell reads it";
}

} // namespace

std::optional<model::Words> read_words(Context& context, std::string_view word, const Node& node, WordsAre what) {
    const auto wanted =
        what == WordsAre::program ? "a list: a program with its whole path, then its arguments" : "a list of words";
    if (!node.is_list() || node.items.empty()) {
        complain(context, word, node,
                 must_be(wanted, node, node.is_scalar() && !node.text.empty() ? as_list(node.text) : ""));
        return std::nullopt;
    }
    std::size_t bytes = 0;
    for (const auto& item : node.items) {
        if (!item.is_scalar() && item.kind != Node::Kind::nothing) {
            complain(context, fmt::format("a word of {}", word), item, must_be("a text", item));
            return std::nullopt;
        }
        bytes += item.text.size() + 1;
        if (item.text.size() <= longest_word && item.text.find('\0') == std::string::npos) continue;
        complain(context, fmt::format("a word of {}", word), item,
                 {fmt::format("must have at most {} bytes, none of them zero", longest_word), ""});
        return std::nullopt;
    }
    if (node.items.size() > most_words || bytes > most_bytes) {
        complain(
            context, word, node,
            {fmt::format("must have at most {} words and {} bytes", most_words, most_bytes), "put them into a script"});
        return std::nullopt;
    }
    const auto& first = node.items.front();
    if (what == WordsAre::program && (!first.text.starts_with('/') || first.text.ends_with('/'))) {
        complain(context, fmt::format("the program of {}", word), first,
                 must_be("a path that begins with '/'", first, "no search path is looked through"));
        return std::nullopt;
    }
    model::Words result;
    std::ranges::transform(node.items, std::back_inserter(result), &Node::text);
    return result;
}

std::string write_words(const model::Words& words) {
    std::vector<std::string> out;
    std::ranges::transform(words, std::back_inserter(out), [](const std::string& word) { return yaml_text(word); });
    return "[" + join(out, ", ") + "]";
}

} // namespace holdfast::config
