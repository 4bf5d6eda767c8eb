// Items of lists that are maps by themselves (an address, a route, a rule) and have rows of their own. Invariant: as
// object.hpp's; written, an item shows only what differs from the default.
#pragma once

#include "config/object.hpp"

#include <functional>
#include <optional>
#include <string>
#include <type_traits>

namespace holdfast::config {

/// A scalar directive that is one field of an item; an optional field is left out of the dump while it is empty.
template <typename Object, auto Field, typename Type>
Directive<Object> item_row(std::string_view word, Type type, std::string_view help, std::string default_text = {}) {
    using Value = std::remove_cvref_t<decltype(Object{}.*Field)>;
    return {.word = word,
            .shape = Shape::scalar,
            .reload = model::Reload::live,
            .values = type.values(),
            .help = help,
            .read =
                [word, type](Context& context, const Node& node, Object& object) {
                    return read_scalar(context, word, node, type,
                                       [&](auto value) { object.*Field = std::move(value); });
                },
            .write = [type](const Object& object, Secrets) -> std::optional<std::string> {
                if constexpr (requires(Value v) { v.has_value(); }) {
                    if (!(object.*Field)) return std::nullopt;
                    return type.print(*(object.*Field));
                } else if constexpr (std::is_same_v<Value, std::string>) {
                    if ((object.*Field).empty()) return std::nullopt;
                    return type.print(object.*Field);
                } else {
                    return type.print(object.*Field);
                }
            },
            .required = false,
            .in_defaults = false,
            .default_text = std::move(default_text)};
}

/// `{word: value, ...}` of everything that is not the default.
template <typename Object>
std::string write_item(std::span<const Directive<Object>> rows, const Object& object) {
    static const Object plain{};
    std::vector<std::string> parts;
    for (const auto& row : rows) {
        const auto text = row.write(object, Secrets::hide);
        if (text && (row.required || text != row.write(plain, Secrets::hide)))
            parts.push_back(fmt::format("{}: {}", row.word, *text));
    }
    return "{" + join(parts, ", ") + "}";
}

/// Nothing when something was complained about. `check` sees only what was read well.
template <typename Object>
std::optional<Object> read_item(Context& context, const Node& node, std::span<const Directive<Object>> rows,
                                std::span<const ForeignWord> foreign, std::string_view what,
                                const std::function<void(const Draft<Object>&)>& check) {
    const auto before = context.problems.count();
    Draft<Object> draft;
    read_object<Object>(context, node, rows, foreign, what, draft);
    require<Object>(context, rows, draft, what, node.mark);
    if (context.problems.count() == before) check(draft);
    if (context.problems.count() != before) return std::nullopt;
    return std::move(draft.object);
}

} // namespace holdfast::config
