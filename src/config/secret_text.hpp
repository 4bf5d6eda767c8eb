// Where a secret of the file comes from: written out, a service credential, or a file of its own. Invariant: no message has
// any part of the secret in it.
#pragma once

#include "config/directive.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::config {

/// The ways to give a secret; `hex` is for keys only.
inline constexpr std::array<std::string_view, 4> secret_words{"password", "credential", "file", "hex"};

struct SecretText {
    std::string text; ///< without the newline that an editor puts at its end
    bool is_hex{false};
    Mark mark;
    std::string what; ///< "the password", "the credential 'inside'"
};

/// The one secret of `map`. `owner` ("authentication", "key 1") is who lacks it when there is none.
std::optional<SecretText> read_secret_text(Context&, const Node& map, std::string_view owner, bool may_be_hex);

} // namespace holdfast::config
