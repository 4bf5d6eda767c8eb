// Virtual addresses in the file: a text, or a map with options.
#pragma once

#include "config/check.hpp"
#include "config/object.hpp"

#include <array>
#include <span>
#include <utility>

namespace holdfast::config {

inline constexpr std::array scope_names{
    std::pair{std::string_view{"global"}, model::scope_global}, std::pair{std::string_view{"site"}, model::scope_site},
    std::pair{std::string_view{"link"}, model::scope_link}, std::pair{std::string_view{"host"}, model::scope_host}};

struct ScopeWord {
    std::string values() const { return "global, site, link, host or 0 to 255"; }
    Parsed<std::uint8_t> parse(const Node&) const;
    std::string print(std::uint8_t scope) const;
};

std::span<const Directive<model::VirtualAddress>> address_directives();
/// Options that contradict the address or one another.
void check_address_options(Context&, const Draft<model::VirtualAddress>&);
/// Why nobody can hold this address; no text: somebody can. `excluded`: it may be a multicast one.
Complaint unusable(const model::VirtualAddress&, bool excluded);
std::span<const ForeignWord> foreign_address_words();
std::span<const Directive<model::StaticAddress>> static_address_directives();
/// What the kernel has on a link is an instance's or the daemon's own.
void check_static_addresses(Context&, const std::vector<model::StaticAddress>&, Mark,
                            const std::vector<Named<model::Instance>>&);
/// The last address of the prefix.
IpAddress last_of(const Prefix&);

} // namespace holdfast::config
