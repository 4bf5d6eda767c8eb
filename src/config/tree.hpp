// The operator's file as a tree, free of any library: what a reader (YAML now, keepalived.conf later) hands to the
// directive rows. Invariant: every node and every key knows where it stands in its file.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

/// A place in one of the files of a load. Lines and columns count from 1, columns count bytes; line 0: no place.
struct Mark {
    unsigned file{0};
    unsigned line{0};
    unsigned column{0};
    friend constexpr auto operator<=>(const Mark&, const Mark&) = default;
};

struct Entry;

struct Node {
    enum class Kind { nothing, scalar, list, map };

    Kind kind{Kind::nothing};
    Mark mark;
    std::string text;   ///< of a scalar
    bool quoted{false}; ///< the scalar stood in quotes or was a block scalar: a text, never a number
    std::vector<Node> items;
    std::vector<Entry> entries; ///< in the file's order, keys unique

    bool is_scalar() const { return kind == Kind::scalar; }
    bool is_list() const { return kind == Kind::list; }
    bool is_map() const { return kind == Kind::map; }
    const Entry* find(std::string_view key) const;
};

struct Entry {
    std::string key;
    Mark mark; ///< of the key
    Node value;
};

inline const Entry* Node::find(std::string_view key) const {
    for (const auto& entry : entries)
        if (entry.key == key) return &entry;
    return nullptr;
}

} // namespace holdfast::config
