// Items of lists that are maps by themselves (an address, a route, a rule) and have rows of their own. Invariant: as
// object.hpp's; written, an item shows only what differs from the default.
#pragma once

#include "config/object.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace holdfast::config {

/// A scalar directive that is one field of an item; an optional field is left out of the dump while it is empty.
template <typename Object, auto Field, typename Type>
Directive<Object> item_row(std::string_view word, Type type, std::string_view help,
                           const std::string& default_text = {}) {
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
            .default_text = default_text};
}

/// A directive of an item that only one family has.
struct OneFamily {
    std::string_view word;
    Family family;
};

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

/// A list of items, each with an id() that no other has. `one` is what an item is called, `cure` goes on behind the place of
/// the first of two.
template <typename Item>
std::optional<std::vector<Item>> read_items(Context& context, std::string_view word, const Node& node,
                                            std::string_view one, std::size_t most, std::string_view example,
                                            std::string_view cure,
                                            const std::function<std::optional<Item>(Context&, const Node&)>& read) {
    if (!node.is_list() || node.items.size() > most) {
        complain(context, word, node,
                 node.is_list()
                     ? Complaint{fmt::format("has {} {}s, and {} is the most", node.items.size(), one, most), {}}
                     : must_be(fmt::format("a list of {}s", one), node, fmt::format("write [{}]", example)));
        return std::nullopt;
    }
    bool fine = true;
    std::vector<Item> items;
    std::map<decltype(Item{}.id()), Mark> seen;
    for (const auto& each : node.items) {
        auto item = read(context, each);
        fine = fine && item;
        if (!item) continue;
        const auto [first, fresh] = seen.emplace(item->id(), each.mark);
        if (!fresh) {
            context.problems.error(each.mark, fmt::format("{} {} is given twice", one, to_string(item->id())),
                                   fmt::format("first given at {}{}", context.sources.place(first->second), cure));
            fine = false;
        }
        items.push_back(std::move(*item));
    }
    if (!fine) return std::nullopt;
    return items;
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

/// The same of what has to be a map; `example` is one, as it could be written instead.
template <typename Object>
std::optional<Object> read_map(
    Context& context, const Node& node, std::span<const Directive<Object>> rows, std::span<const ForeignWord> foreign,
    std::string_view what, std::string_view example,
    const std::function<void(const Draft<Object>&)>& check = [](const auto&) {}) {
    if (node.is_map()) return read_item(context, node, rows, foreign, what, check);
    complain(context, what, node, must_be("a map", node, fmt::format("write {}", example)));
    return std::nullopt;
}

} // namespace holdfast::config
