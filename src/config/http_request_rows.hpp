// What an HTTP check asks for and what a good answer is. Invariant: as list.hpp's.
#pragma once

#include "config/server.hpp"

namespace holdfast::config {

/// "/health", a map, or a list of both.
std::optional<std::vector<model::HttpRequest>> read_requests(Context&, std::string_view word, const Node&);
std::string write_requests(const std::vector<model::HttpRequest>&);

} // namespace holdfast::config
