// One row per directive: its word, its field, its type, how a reload applies it, its help. Reading, dumping, the hints
// for slips and the documentation are all made from the same row. Invariant: a row's write() is read back by its
// read().
#pragma once

#include "config/problems.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"
#include "config/value.hpp"
#include "model/diff.hpp"
#include "model/group.hpp"
#include "model/instance.hpp"
#include "model/tracker.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

using Credential = std::function<std::optional<std::string>(const std::string& name)>;
/// The text of a file that holds a secret, or what goes on after its name: "can be read by other users".
using KeyFile = std::function<Parsed<std::string>(const std::string& path)>;

/// What reading a directive needs besides the text of its value.
struct Context {
    const Sources& sources;
    Problems& problems;
    std::string node_name;
    const Credential& credential;
    std::vector<std::string> trackers;  ///< names of all trackers, in any file
    std::vector<std::string> instances; ///< names of all instances, as the file has them
    const KeyFile& key_file;
};

enum class Secrets { show, hide };

enum class Shape {
    scalar, ///< one value, or a map from host name to value
    list,
    map,
};

template <typename Object>
struct Directive {
    std::string_view word;
    Shape shape;
    model::Reload reload;
    std::string values;    ///< what may be written, for people
    std::string_view help; ///< one sentence
    /// Stores the value and gives its place; nothing when it had to complain.
    std::function<std::optional<Mark>(Context&, const Node&, Object&)> read;
    /// The value as YAML; nothing when it is not set.
    std::function<std::optional<std::string>(const Object&, Secrets)> write;
    bool required{false};       ///< there is no default: every object needs it
    bool in_defaults{false};    ///< allowed under `defaults:`
    std::string default_text{}; ///< for people, where the default is no value of its own

    Directive must_be_given() && {
        required = true;
        return std::move(*this);
    }
    Directive also_in_defaults() && {
        in_defaults = true;
        return std::move(*this);
    }
    Directive says_default(std::string_view text) && {
        default_text = text;
        return std::move(*this);
    }
};

/// For `read`: a list or a map as a whole, by a reader (context, node) -> optional value, into one field.
template <auto Field, typename Read>
auto reads(Read read) {
    return [read](Context& context, const Node& node, auto& object) -> std::optional<Mark> {
        auto value = read(context, node);
        if (!value) return std::nullopt;
        object.*Field = std::move(*value);
        return node.mark;
    };
}

/// For `write`: a list that is left out while it is empty.
template <auto Field, typename Write>
auto writes_unless_empty(Write write) {
    return [write](const auto& object, Secrets) -> std::optional<std::string> {
        if ((object.*Field).empty()) return std::nullopt;
        return write(object.*Field);
    };
}

/// A row without what reads and writes it.
template <typename Object>
Directive<Object> bare_row(std::string_view word, Shape shape, const std::string& values, std::string_view help,
                           const std::string& default_text = {}) {
    return {.word = word,
            .shape = shape,
            .reload = model::Reload::live,
            .values = values,
            .help = help,
            .read = {},
            .write = {},
            .required = false,
            .in_defaults = false,
            .default_text = default_text};
}

std::span<const Directive<model::Instance>> instance_directives();
std::span<const Directive<model::Tracker>> tracker_directives();
std::span<const Directive<model::Group>> group_directives();

/// The value that counts on this node: the node itself, or its entry in a map by host name (`default` for all others).
/// Every entry is handed to `check` first, so that a slip shows on every host. Nothing: the problems say why.
const Node* for_this_node(Context&, std::string_view word, const Node&, const std::function<bool(const Node&)>& check);

/// "word complaint", at the node.
void complain(Context&, std::string_view word, const Node&, const Complaint&);

/// Reads a scalar of this type; true and stored when it is fine.
template <typename Type, typename Store>
std::optional<Mark> read_scalar(Context& context, std::string_view word, const Node& node, const Type& type,
                                Store store) {
    const auto check = [&](const Node& one) {
        const auto value = type.parse(one);
        if (!value) complain(context, word, one, value.error());
        return value.has_value();
    };
    const auto* mine = for_this_node(context, word, node, check);
    if (!mine) return std::nullopt;
    store(*type.parse(*mine));
    return mine->mark;
}

template <typename>
struct MemberOf;
template <typename Class, typename Value>
struct MemberOf<Value Class::*> {
    using Object = Class;
};

/// A scalar directive that is one field.
template <auto Field, typename Type>
auto row(std::string_view word, Type type, model::Reload reload, std::string_view help) {
    using Object = typename MemberOf<decltype(Field)>::Object;
    return Directive<Object>{
        .word = word,
        .shape = Shape::scalar,
        .reload = reload,
        .values = type.values(),
        .help = help,
        .read =
            [word, type](Context& context, const Node& node, Object& object) {
                return read_scalar(context, word, node, type, [&](auto value) { object.*Field = std::move(value); });
            },
        .write = [type](const Object& object, Secrets) { return std::optional{type.print(object.*Field)}; },
        .required = false,
        .in_defaults = false,
        .default_text = {},
    };
}

} // namespace holdfast::config
