// The text of an upstream block. Pure: the same peers give the same bytes, so a file that says it already is left alone.
#pragma once

#include "model/upstream.hpp"

#include <span>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// `name` is the upstream's: letters, digits, '_', '.' and '-', as the file's names are.
std::string render(std::string_view name, const model::Upstream&, std::span<const model::UpstreamPeer>);

} // namespace holdfast::upstream
