#include "config/key_set.hpp"

#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/secret_text.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::AntiReplay;
using model::HmacAuthentication;
using model::HmacKey;
using model::HmacMode;

constexpr std::size_t shortest_key = 32, longest_key = 64;
constexpr std::string_view how_to_make_one =
    "make one: openssl rand -hex 32, and write hex: in front of it in the file";
const Span windows{1s, 300s};

constexpr std::array mode_names{std::pair{std::string_view{"enforce"}, HmacMode::enforce},
                                std::pair{std::string_view{"permissive"}, HmacMode::permissive},
                                std::pair{std::string_view{"receive-only"}, HmacMode::receive_only}};
constexpr std::array replay_names{std::pair{std::string_view{"time"}, AntiReplay::time},
                                  std::pair{std::string_view{"monotonic"}, AntiReplay::monotonic}};

// ---- one secret -----------------------------------------------------------------------------------------------------------

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

std::optional<Bytes> from_hex(std::string_view text) {
    Bytes result;
    if (text.size() % 2 != 0) return std::nullopt;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const auto high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (!high || !low) return std::nullopt;
        put8(result, *high << 4 | *low);
    }
    return result;
}

std::optional<Bytes> to_secret(Context& context, const SecretText& given) {
    const auto error = [&](std::string message, std::string_view hint) {
        context.problems.error(given.mark, fmt::format("{} {}", given.what, message), std::string{hint});
        return std::nullopt;
    };
    constexpr std::string_view prefix = "hex:"; // as keepalived marks it
    std::string_view text = given.text;
    const bool prefixed = text.starts_with(prefix);
    if (prefixed) text.remove_prefix(prefix.size());
    Bytes bytes;
    if (prefixed || given.is_hex) {
        auto decoded = from_hex(text);
        if (!decoded)
            return error("is not hexadecimal: two digits for each byte, nothing between them", how_to_make_one);
        bytes = std::move(*decoded);
    } else {
        if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
            return error("contains a character that is no text", how_to_make_one);
        bytes.assign(text.begin(), text.end());
    }
    if (bytes.size() < shortest_key || bytes.size() > longest_key)
        return error(fmt::format("has {} bytes; a key has {} to {}", bytes.size(), shortest_key, longest_key),
                     how_to_make_one);
    return bytes;
}

// ---- the keys -------------------------------------------------------------------------------------------------------------

bool knows_only(Context& context, const Node& map, std::string_view owner, std::span<const std::string> known) {
    bool fine = true;
    for (const auto& entry : map.entries) {
        if (std::ranges::find(known, entry.key) != known.end()) continue;
        const auto slip =
            nearest(entry.key, known); // not quoted: somebody may have written a secret in the place of a key
        context.problems.error(entry.mark, fmt::format("this is not a directive of {}", owner),
                               slip ? fmt::format("did you mean '{}'?", *slip)
                                    : fmt::format("there is {}", some(known)));
        fine = false;
    }
    return fine;
}

std::optional<HmacKey> read_key(Context& context, const Entry& entry) {
    const Node id_node{.kind = Node::Kind::scalar, .mark = entry.mark, .text = entry.key, .items = {}, .entries = {}};
    const auto id = parse_integer(id_node, 1, 255, "");
    if (!id) {
        context.problems.error(entry.mark, "this is not a key id",
                               "an id is a number from 1 to 255: keys: {1: {credential: NAME}}");
        return std::nullopt;
    }
    const auto owner = fmt::format("key {}", *id);
    if (!entry.value.is_map()) {
        context.problems.error(entry.value.mark, fmt::format("{} must be a map", owner),
                               "write {credential: NAME} or {file: PATH}");
        return std::nullopt;
    }
    static const std::vector<std::string> known{secret_words.begin(), secret_words.end()};
    if (!knows_only(context, entry.value, owner, known)) return std::nullopt;
    const auto text = read_secret_text(context, entry.value, owner, true);
    if (!text) return std::nullopt;
    auto secret = to_secret(context, *text);
    if (!secret) return std::nullopt;
    return HmacKey{static_cast<std::uint8_t>(*id), std::move(*secret)};
}

bool read_keys(Context& context, const Node& map, HmacAuthentication& result) {
    const auto* const keys = map.find("keys");
    if (!keys) {
        context.problems.error(map.mark, "authentication has no keys",
                               "add keys: {1: {credential: NAME}}, the same on every host");
        return false;
    }
    if (!keys->value.is_map() || keys->value.entries.empty()) {
        context.problems.error(keys->mark, "keys must be a map from key id to secret",
                               "write keys: {1: {credential: NAME}}");
        return false;
    }
    bool fine = true;
    for (const auto& entry : keys->value.entries) {
        auto key = read_key(context, entry);
        fine = fine && key;
        if (key) result.keys.push_back(std::move(*key));
    }
    std::ranges::sort(result.keys, {}, &HmacKey::id);
    return fine;
}

std::string ids(const HmacAuthentication& set) {
    std::vector<std::string> result;
    for (const auto& key : set.keys)
        result.push_back(std::to_string(key.id));
    return some(result);
}

bool read_active_key(Context& context, const Node& map, HmacAuthentication& result) {
    const auto* const active = map.find("active_key");
    if (!active) {
        result.active_key = result.keys.front().id;
        if (result.keys.size() == 1) return true;
        context.problems.error(
            map.mark,
            fmt::format("authentication has {} keys and does not say which of them signs", result.keys.size()),
            fmt::format("add active_key: {}", result.active_key));
        return false;
    }
    const Number<std::uint8_t> type{1, 255};
    const auto id = type.parse(active->value);
    if (!id) {
        complain(context, "active_key", active->value, id.error());
        return false;
    }
    result.active_key = *id;
    if (result.find(*id)) return true;
    context.problems.error(
        active->value.mark, fmt::format("active_key {} is not among the keys", *id),
        fmt::format("there is {}: nothing is ever sent unsigned because a key is missing", ids(result)));
    return false;
}

// ---- the rest -------------------------------------------------------------------------------------------------------------

template <typename Names, typename Value>
bool read_choice(Context& context, const Node& map, std::string_view word, const Names& names, Value& value) {
    const auto* const entry = map.find(word);
    if (!entry) return true;
    std::vector<std::string> known;
    for (const auto& [name, meaning] : names) {
        known.emplace_back(name);
        if (!entry->value.is_scalar() || entry->value.text != name) continue;
        value = meaning;
        return true;
    }
    const auto slip = entry->value.is_scalar() ? nearest(entry->value.text, known) : std::nullopt;
    complain(context, word, entry->value,
             must_be(join(known, " or "), entry->value, slip ? fmt::format("did you mean '{}'?", *slip) : ""));
    return false;
}

bool read_window(Context& context, const Node& map, HmacAuthentication& result) {
    const auto* const entry = map.find("time_window");
    if (!entry) return true;
    const auto window = windows.parse(entry->value);
    if (!window) {
        complain(context, "time_window", entry->value, window.error());
        return false;
    }
    if (result.anti_replay == AntiReplay::monotonic) {
        context.problems.error(entry->mark, "time_window goes with anti_replay: time, not with monotonic", "remove it");
        return false;
    }
    result.time_window = *window;
    return true;
}

template <typename Names, typename Value>
std::string_view name_of(const Names& names, Value value) {
    return std::ranges::find(names, value, [](const auto& pair) { return pair.second; })->first;
}

} // namespace

std::span<const std::string> key_set_words() {
    static const std::vector<std::string> words{"type", "keys", "active_key", "mode", "anti_replay", "time_window"};
    return words;
}

std::optional<HmacAuthentication> read_key_set(Context& context, const Node& map) {
    HmacAuthentication result;
    bool fine = knows_only(context, map, "authentication", key_set_words());
    const bool keys = read_keys(context, map, result);
    fine = keys && read_active_key(context, map, result) && fine;
    fine = read_choice(context, map, "mode", mode_names, result.mode) && fine;
    const bool replay = read_choice(context, map, "anti_replay", replay_names, result.anti_replay);
    fine = replay && read_window(context, map, result) && fine;
    return fine ? std::optional{std::move(result)} : std::nullopt;
}

std::string write_key_set(const HmacAuthentication& set, Secrets secrets) {
    std::vector<std::string> keys;
    for (const auto& key : set.keys) {
        std::string hex;
        for (const auto byte : key.secret)
            hex += fmt::format("{:02x}", byte);
        keys.push_back(fmt::format("{}: {{hex: \"{}\"}}", key.id, secrets == Secrets::hide ? "********" : hex));
    }
    return fmt::format("{{type: hmac, keys: {{{}}}, active_key: {}, mode: {}, anti_replay: {}{}}}", join(keys, ", "),
                       set.active_key, name_of(mode_names, set.mode), name_of(replay_names, set.anti_replay),
                       set.time_window ? ", time_window: " + to_string(*set.time_window) : "");
}

} // namespace holdfast::config
