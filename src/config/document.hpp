// The directive rows as a page for people: docs/directives.md is this text.
#pragma once

#include <string>

namespace holdfast::config {

std::string directives_markdown();

} // namespace holdfast::config
