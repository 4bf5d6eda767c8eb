#include "config/secret_text.hpp"

#include "config/utf8.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using Found = std::optional<SecretText>;

Found written_out(Context& context, const Entry& entry, std::string what, bool is_hex) {
    if (entry.value.is_scalar()) return SecretText{entry.value.text, is_hex, entry.value.mark, std::move(what)};
    context.problems.error(entry.mark, fmt::format("{} must be a text", what), "put it in quotes");
    return std::nullopt;
}

std::string without_newline(std::string text) {
    if (text.ends_with('\n')) text.pop_back(); // what an editor or echo puts there
    return text;
}

Found from_credential(Context& context, const Node& node) {
    const auto name = check_object_name(node);
    if (!name) {
        complain(context, "credential", node, name.error());
        return std::nullopt;
    }
    auto text = context.credential ? context.credential(*name) : std::nullopt;
    if (text)
        return SecretText{without_newline(std::move(*text)), false, node.mark,
                          fmt::format("the credential '{}'", *name)};
    context.problems.error(node.mark, fmt::format("there is no credential {}", in_quotes(*name)),
                           fmt::format("give it to the service: LoadCredential={}:/path/of/the/file", *name));
    return std::nullopt;
}

Found from_file(Context& context, const Node& node) {
    constexpr std::size_t longest_path = 4095;
    if (!node.is_scalar() || !node.text.starts_with('/') || node.text.size() > longest_path) {
        complain(context, "file", node, must_be("the path of a file, from the root on", node));
        return std::nullopt;
    }
    auto text = context.key_file ? context.key_file(node.text) : std::unexpected{Complaint{"can't be read here", ""}};
    if (text)
        return SecretText{without_newline(std::move(*text)), false, node.mark,
                          fmt::format("the file {}", in_quotes(node.text))};
    context.problems.error(node.mark, fmt::format("the file {} {}", in_quotes(node.text), text.error().text),
                           text.error().hint);
    return std::nullopt;
}

} // namespace

std::optional<SecretText> read_secret_text(Context& context, const Node& map, std::string_view owner, bool may_be_hex) {
    const Entry* given = nullptr;
    for (const auto word : secret_words) {
        const auto* const entry = map.find(word);
        if (!entry || (word == "hex" && !may_be_hex)) continue;
        if (given) {
            context.problems.error(entry->mark, fmt::format("{} has both a {} and a {}", owner, given->key, word),
                                   "keep one of them");
            return std::nullopt;
        }
        given = entry;
    }
    if (!given) {
        context.problems.error(map.mark, fmt::format("{} has no {}", owner, may_be_hex ? "secret" : "password"),
                               may_be_hex ? "add credential: NAME, or file: PATH"
                                          : "add credential: NAME, file: PATH, or password: TEXT");
        return std::nullopt;
    }
    if (given->key == "credential") return from_credential(context, given->value);
    if (given->key == "file") return from_file(context, given->value);
    const bool hex = given->key == "hex";
    return written_out(context, *given, hex ? "the hex key" : "the password", hex);
}

} // namespace holdfast::config
