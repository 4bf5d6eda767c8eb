// Reads one object of the file (an instance, a tracker, the defaults) by its rows. Invariant: after read_object a value
// is either the default, what the file says, or a problem was reported for its word.
#pragma once

#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {

/// Where a directive was given, and what came of it.
struct Given {
    Mark key;
    Mark value; ///< of the value that counts on this node
    const Node* node{nullptr};
    bool valid{false};
};

template <typename Object>
struct Draft {
    Object object{};
    std::map<std::string_view, Given> given;

    bool has(std::string_view word) const { return given.contains(word); }
    /// Given and good, or never given: the object's value can be used.
    bool usable(std::string_view word) const {
        const auto at = given.find(word);
        return at == given.end() || at->second.valid;
    }
    /// Where the value stands, else where the object does.
    Mark place(std::string_view word, Mark otherwise) const {
        const auto at = given.find(word);
        return at == given.end() ? otherwise : at->second.value;
    }
};

template <typename Object>
std::vector<std::string_view> words_of(std::span<const Directive<Object>> rows) {
    std::vector<std::string_view> result;
    for (const auto& row : rows)
        result.push_back(row.word);
    return result;
}

template <typename Object>
void read_object(Context& context, const Node& map, std::span<const Directive<Object>> rows,
                 std::span<const ForeignWord> foreign, std::string_view where, Draft<Object>& draft) {
    for (const auto& row : rows) {
        const auto* const entry = map.find(row.word);
        if (!entry) continue;
        const auto place = row.read(context, entry->value, draft.object);
        draft.given[row.word] = {entry->mark, place.value_or(entry->value.mark), &entry->value, place.has_value()};
    }
    const auto known = words_of(rows);
    for (const auto& entry : map.entries)
        if (std::ranges::find(known, std::string_view{entry.key}) == known.end())
            unknown_key(context, entry, known, foreign, where);
}

template <typename Object>
void require(Context& context, std::span<const Directive<Object>> rows, const Draft<Object>& draft,
             std::string_view what, Mark mark) {
    for (const auto& row : rows)
        if (row.required && !draft.has(row.word))
            context.problems.error(mark, fmt::format("{} has no {}", what, row.word),
                                   fmt::format("add {}: {}", row.word, row.values));
}

} // namespace holdfast::config
