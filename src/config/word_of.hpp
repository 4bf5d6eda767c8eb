// A scalar that is one of a few words. Invariant: each value has one word, so what is printed is read back.
#pragma once

#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::config {

template <typename V, std::size_t N>
struct WordOf {
    using Value = V;
    std::array<std::pair<std::string_view, V>, N> words;

    std::string values() const {
        std::string out;
        for (std::size_t i = 0; i < N; ++i)
            out += (i == 0 ? "" : i + 1 == N ? " or " : ", ") + std::string{words[i].first};
        return out;
    }
    Parsed<V> parse(const Node& node) const {
        const auto* const at =
            std::ranges::find(words, std::string_view{node.text}, &std::pair<std::string_view, V>::first);
        if (!node.is_scalar() || at == words.end()) return std::unexpected{must_be(values(), node)};
        return at->second;
    }
    std::string print(const V& value) const {
        const auto* const at = std::ranges::find(words, value, &std::pair<std::string_view, V>::second);
        return std::string{at == words.end() ? "" : at->first};
    }
};

template <typename V, std::size_t N>
constexpr WordOf<V, N> word_of(const std::pair<std::string_view, V> (&words)[N]) {
    return {std::to_array(words)};
}

} // namespace holdfast::config
