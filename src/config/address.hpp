// Virtual addresses in the file: a text, or a map with options.
#pragma once

#include "config/object.hpp"

#include <array>
#include <span>
#include <utility>

namespace holdfast::config {

inline constexpr std::array scope_names{
    std::pair{std::string_view{"global"}, model::scope_global}, std::pair{std::string_view{"site"}, model::scope_site},
    std::pair{std::string_view{"link"}, model::scope_link}, std::pair{std::string_view{"host"}, model::scope_host}};

std::span<const Directive<model::VirtualAddress>> address_directives();
/// Options that contradict the address or one another.
void check_address_options(Context&, const Draft<model::VirtualAddress>&);
/// The last address of the prefix.
IpAddress last_of(const Prefix&);

} // namespace holdfast::config
