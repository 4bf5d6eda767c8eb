// Which values of a file are secrets that no diagnostic may show. Invariant: in doubt it is one: a misspelled
// `pasword:` is hidden as well as `password:`.
#pragma once

#include "config/source.hpp"
#include "config/tree.hpp"

#include <string_view>

namespace holdfast::config {

enum class Secrecy {
    open,           ///< may be shown
    authentication, ///< inside `authentication:`: all is secret but what is known to be none
    key_set,        ///< inside its `keys:`: a map by key id
    secret,
};

/// Of the value under `key` in a map of this secrecy.
Secrecy inner_secrecy(Secrecy map, std::string_view key);

/// A key that stands in a map of this secrecy and could be a password written in the wrong place.
bool is_secret_key(Secrecy map, std::string_view key);

/// For a file whose YAML is broken: hides what stands after the colon in the line of `mark` and, when the line before
/// or `all` says so, the whole line, if it could be a password.
void hide_suspicious_lines(Sources& sources, Mark mark, bool all);

} // namespace holdfast::config
