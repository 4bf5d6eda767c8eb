// What `virtual_mac` and `ipvlan` have in common: an interface that is made for the router, with a name that nobody else has.
#pragma once

#include "config/check.hpp"

#include <string>
#include <string_view>

namespace holdfast::config {

/// The part of a directive's value that a rule complains about; the whole value when it has no such word.
Mark place_inside(const Named<model::Instance>&, std::string_view directive, std::string_view word);
bool read_own_link_name(Context&, const Node&, std::string& name);
/// `name` is what the file gave it, or empty.
void check_own_link(Context&, const Named<model::Instance>&, std::string_view directive, const std::string& name);

} // namespace holdfast::config
