// How adverts are authenticated. Invariant: no message of this file has a password or key in it.
#include "base/result.hpp"
#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/key_set.hpp"
#include "config/list.hpp"
#include "config/secret_text.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::array types{std::string_view{"pass"}, std::string_view{"ah"}, std::string_view{"hmac"}};

/// "pass", "ah" or "hmac"; nothing after a complaint.
std::optional<std::string_view> read_type(Context& context, const Node& map) {
    const auto* const type = map.find("type");
    if (!type) {
        context.problems.error(map.mark, "authentication does not say its type",
                               map.find("keys") ? "write type: hmac" : "write type: pass");
        return std::nullopt;
    }
    const auto& node = type->value;
    const auto found = std::ranges::find(types, std::string_view{node.text});
    if (node.is_scalar() && found != types.end()) return *found;
    const bool capitals = node.is_scalar() && (node.text == "PASS" || node.text == "AH" || node.text == "HMAC");
    complain(context, "the type of authentication", node,
             must_be("pass, ah or hmac", node, capitals ? "write it in lower case" : ""));
    return std::nullopt;
}

using Key = std::array<std::uint8_t, 8>;

std::optional<Key> to_key(Context& context, const SecretText& given) {
    Key result{};
    const std::string_view text = given.text;
    const auto error = [&](std::string message, std::string hint) {
        context.problems.error(given.mark, fmt::format("{} {}", given.what, message), std::move(hint));
        return std::nullopt;
    };
    if (text.empty()) return error("is empty", "give 1 to 8 bytes, the same on every host");
    if (text.size() > result.size())
        return error(
            fmt::format("has more than {} bytes, which is all that a VRRPv2 packet has room for", result.size()),
            "keepalived silently cuts it: use the first 8 bytes on both sides");
    if (invalid_utf8(text) ||
        std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return error("contains a character that is no text", "use letters, digits and punctuation");
    std::ranges::transform(text, result.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    return result;
}

/// Of `pass` and `ah`, which have one short password each.
std::optional<Key> read_password(Context& context, const Node& map) {
    const std::array<std::string, 4> known{"type", "password", "credential", "file"};
    bool fine = true, given = false;
    for (const auto& entry : map.entries) {
        if (std::ranges::find(known, entry.key) != known.end()) {
            given = given || entry.key != "type";
            continue;
        }
        // Not quoted: somebody may have written the password in the place of a key.
        const auto slip = nearest(entry.key, known);
        context.problems.error(entry.mark, "this is not a directive of authentication",
                               slip ? fmt::format("did you mean '{}'?", *slip)
                                    : fmt::format("there is {}", some(known)));
        fine = false;
    }
    if (!fine && !given) return std::nullopt; // misspelt: no second message for the same mistake
    const auto text = read_secret_text(context, map, "authentication", false);
    const auto key = text ? to_key(context, *text) : std::nullopt;
    return fine ? key : std::nullopt;
}

std::string write_password(std::string_view type, const Key& key, Secrets secrets) {
    const std::string text{key.begin(), std::ranges::find(key, std::uint8_t{0})};
    return fmt::format("{{type: {}, password: {}}}", type, secrets == Secrets::hide ? "\"********\"" : yaml_text(text));
}

} // namespace

std::optional<model::Authentication> read_authentication(Context& context, const Node& node) {
    if (!node.is_map()) {
        context.problems.error(node.mark, "authentication must be a map",
                               "write {type: hmac, keys: {1: {credential: NAME}}}, or {type: pass, credential: NAME}");
        return std::nullopt;
    }
    const auto type = read_type(context, node);
    if (type == "hmac" || (!type && node.find("keys"))) {
        auto set = read_key_set(context, node);
        if (!set || !type) return std::nullopt;
        return model::Authentication{std::move(*set)};
    }
    const auto key = read_password(context, node);
    if (!key || !type) return std::nullopt;
    if (type == "ah") return model::AhAuthentication{*key};
    return model::PassAuthentication{*key};
}

std::string_view type_name(const model::Authentication& authentication) {
    return types[authentication.index()];
}

std::string write_authentication(const model::Authentication& authentication, Secrets secrets) {
    return std::visit(
        Overloaded{[&](const model::PassAuthentication& pass) { return write_password("pass", pass.key, secrets); },
                   [&](const model::AhAuthentication& ah) { return write_password("ah", ah.key, secrets); },
                   [&](const model::HmacAuthentication& hmac) { return write_key_set(hmac, secrets); }},
        authentication);
}

} // namespace holdfast::config
