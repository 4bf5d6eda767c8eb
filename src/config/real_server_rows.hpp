// Rows of a real server that its virtual server has too, for all of them.
#pragma once

#include "config/server.hpp"

namespace holdfast::config {

Directive<model::RealServer> forwarding_row();
Directive<model::RealServer> tunnel_row();
Directive<model::RealServer> check_row();
Directive<model::RealServer> checks_row();
Directive<model::RealServer> inhibit_row();
Directive<model::RealServer> weight_row(std::string_view help);

/// A program that is run at an edge.
template <typename Object, auto Field>
Directive<Object> program_row(std::string_view word, std::string_view help) {
    auto row =
        bare_row<Object>(word, Shape::list, "a list: a program with its whole path, then its arguments", help, "none");
    row.read = [word](Context& context, const Node& node, Object& object) -> std::optional<Mark> {
        auto words = read_words(context, word, node, WordsAre::program);
        if (!words) return std::nullopt;
        object.*Field = std::move(*words);
        return node.mark;
    };
    row.write = writes_unless_empty<Field>(write_words);
    return row;
}

} // namespace holdfast::config
