// The directives of `authentication: {type: hmac}`. Invariant: a key set that could not sign or check every advert is an
// error, never a weaker setting.
#pragma once

#include "config/directive.hpp"

#include <optional>
#include <span>
#include <string>

namespace holdfast::config {

std::span<const std::string> key_set_words();
std::optional<model::HmacAuthentication> read_key_set(Context&, const Node& map);
std::string write_key_set(const model::HmacAuthentication&, Secrets);

} // namespace holdfast::config
