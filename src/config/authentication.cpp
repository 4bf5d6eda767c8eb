// The password of VRRPv2. Invariant: no message of this file has the password in it.
#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

bool type_is_fine(Context& context, const Node& map) {
    const auto* const type = map.find("type");
    if (!type) {
        context.problems.error(map.mark, "authentication does not say its type", "write type: pass");
        return false;
    }
    if (type->value.is_scalar() && type->value.text == "pass") return true;
    const bool pass = type->value.is_scalar() && type->value.text == "PASS";
    const bool ah = type->value.is_scalar() && (type->value.text == "ah" || type->value.text == "AH");
    complain(context, "the type of authentication", type->value,
             must_be("pass", type->value,
                     pass ? "write it in lower case"
                     : ah ? "ah comes with a later version"
                          : ""));
    return false;
}

std::optional<model::PassAuthentication> to_key(Context& context, Mark mark, std::string_view what,
                                                std::string_view text) {
    model::PassAuthentication result;
    const auto error = [&](std::string message, std::string hint) {
        context.problems.error(mark, fmt::format("{} {}", what, message), std::move(hint));
        return std::nullopt;
    };
    if (text.empty()) return error("is empty", "give 1 to 8 bytes, the same on every host");
    if (text.size() > result.key.size())
        return error(
            fmt::format("has more than {} bytes, which is all that a VRRPv2 packet has room for", result.key.size()),
            "keepalived silently cuts it: use the first 8 bytes on both sides");
    if (invalid_utf8(text) ||
        std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return error("contains a character that is no text", "use letters, digits and punctuation");
    std::ranges::transform(text, result.key.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    return result;
}

std::optional<model::PassAuthentication> from_credential(Context& context, const Node& node) {
    const auto name = check_object_name(node);
    if (!name) {
        complain(context, "credential", node, name.error());
        return std::nullopt;
    }
    auto text = context.credential ? context.credential(*name) : std::nullopt;
    if (!text) {
        context.problems.error(node.mark, fmt::format("there is no credential {}", quoted(*name)),
                               fmt::format("give it to the service: LoadCredential={}:/path/of/the/file", *name));
        return std::nullopt;
    }
    if (text->ends_with('\n')) text->pop_back(); // what an editor or echo puts there
    return to_key(context, node.mark, fmt::format("the credential '{}'", *name), *text);
}

std::optional<model::PassAuthentication> read_secret(Context& context, const Node& map) {
    const auto* const password = map.find("password");
    const auto* const credential = map.find("credential");
    if (password && credential) {
        context.problems.error(credential->mark, "authentication has both a password and a credential",
                               "keep one of them");
        return std::nullopt;
    }
    if (credential) return from_credential(context, credential->value);
    if (!password) {
        context.problems.error(map.mark, "authentication has no password", "add credential: NAME, or password: TEXT");
        return std::nullopt;
    }
    if (!password->value.is_scalar()) {
        context.problems.error(password->mark, "the password must be a text", "put it in quotes");
        return std::nullopt;
    }
    return to_key(context, password->value.mark, "the password", password->value.text);
}

} // namespace

std::optional<model::PassAuthentication> read_authentication(Context& context, const Node& node) {
    if (!node.is_map()) {
        context.problems.error(node.mark, "authentication must be a map", "write {type: pass, credential: NAME}");
        return std::nullopt;
    }
    const std::array<std::string, 3> known{"type", "password", "credential"};
    bool fine = type_is_fine(context, node);
    for (const auto& entry : node.entries) {
        if (std::ranges::find(known, entry.key) != known.end()) continue;
        // Not quoted: somebody may have written the password in the place of a key.
        const auto slip = nearest(entry.key, known);
        context.problems.error(entry.mark, "this is not a directive of authentication",
                               slip ? fmt::format("did you mean '{}'?", *slip)
                                    : fmt::format("there is {}", some(known)));
        fine = false;
    }
    const bool misspelt = !fine && !node.find("password") && !node.find("credential");
    auto result = misspelt ? std::nullopt : read_secret(context, node);
    return fine ? result : std::nullopt;
}

std::string write_authentication(const model::PassAuthentication& authentication, Secrets secrets) {
    const auto end = std::ranges::find(authentication.key, std::uint8_t{0});
    const std::string text{authentication.key.begin(), end};
    return fmt::format("{{type: pass, password: {}}}", secrets == Secrets::hide ? "\"********\"" : yaml_text(text));
}

} // namespace holdfast::config
