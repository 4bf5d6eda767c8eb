// Keys that are no directive here: a typing slip, a word of keepalived's, a word of a later version. Invariant: every
// unknown key is an error, and the message says what to write instead wherever that is known.
#pragma once

#include "config/directive.hpp"

#include <span>
#include <string>
#include <string_view>

namespace holdfast::config {

struct ForeignWord {
    std::string_view word;
    std::string_view hint;
};

std::span<const ForeignWord> foreign_instance_words();
std::span<const ForeignWord> foreign_tracker_words();
std::span<const ForeignWord> foreign_top_words();
std::span<const ForeignWord> foreign_server_words();
std::span<const ForeignWord> foreign_real_server_words();
std::span<const ForeignWord> foreign_check_words();

/// Complains about a key of `where` ("an instance") that is none of `known`.
void unknown_key(Context&, const Entry&, std::span<const std::string_view> known, std::span<const ForeignWord> foreign,
                 std::string_view where);

/// "a, b and c"; a long list ends in "...".
std::string some(std::span<const std::string> names);

} // namespace holdfast::config
