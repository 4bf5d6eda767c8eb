// Real servers that were added while the daemon ran stand in small files of its own, overlays, in the words of the user's
// file: this reads and writes them. Invariant: what write_overlay() wrote, read_overlay() reads as it was given.
#pragma once

#include "config/problems.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

#include <expected>
#include <string>
#include <vector>

namespace holdfast::config {

inline constexpr std::size_t longest_directives = 4096; ///< bytes, of one server

/// A real server as an overlay has it.
struct AddedServer {
    std::string server, real; ///< the virtual server's name and its own
    std::string directives;   ///< one line: {address: 10.0.0.3:80, weight: 2}
    bool operator==(const AddedServer&) const = default;
};

/// In the order of the text. The text has nothing else in it; if it has, all of that is said.
std::expected<std::vector<AddedServer>, std::vector<Diagnostic>> read_overlay(const Source&);
std::string write_overlay(const std::vector<AddedServer>&);

/// What somebody who is not trusted with the configuration says of a server, as one line. It is one map in braces, of
/// `longest_directives` at most, and names no program: that is for the configuration alone. Its words are not judged here.
std::expected<std::string, std::vector<Diagnostic>> read_directives(const std::string& text);

/// A real server where the tree of an overlay has it.
struct OverlayEntry {
    const std::string& server;
    const Entry& real;
};
/// In the tree's order. What is none of them is a problem.
std::vector<OverlayEntry> overlay_entries(const Node& root, Problems&);

} // namespace holdfast::config
