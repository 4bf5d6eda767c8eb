// Routes and rules in the file: lists of maps, in an instance or of the daemon itself.
#pragma once

#include "config/check.hpp"
#include "config/object.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace holdfast::config {

std::span<const Directive<model::Route>> route_directives();
std::span<const Directive<model::Encap>> encap_directives();
std::span<const Directive<model::Nexthop>> nexthop_directives();
std::span<const Directive<model::Rule>> rule_directives();

std::optional<std::vector<model::Route>> read_routes(Context&, std::string_view word, const Node&);
std::string write_routes(const std::vector<model::Route>&);
/// A rule without addresses has to say its family.
std::optional<std::vector<model::Rule>> read_rules(Context&, std::string_view word, const Node&);
std::string write_rules(const std::vector<model::Rule>&);

/// What one route needs beside its rows.
void check_route(Context&, const Draft<model::Route>&, const Node&);
void check_rule(Context&, const Draft<model::Rule>&, const Node&);

/// Which section or instance has which routes and rules, and where they stand.
struct Extras {
    std::string owner;
    const std::vector<model::Route>* routes;
    const std::vector<model::Rule>* rules;
    Mark routes_mark, rules_mark;
};
/// The kernel has one of each identity, so the file has as well.
void check_extras_together(Context&, const std::vector<Extras>&);
/// The last of them are the static ones, which alone can have a track_group.
void check_track_groups(Context&, const std::vector<Extras>&, const std::vector<std::string>& groups);

/// The kernel's number of a table, or one of its names.
struct TableNumber {
    using Value = std::uint32_t;
    std::string values() const { return "main, local, default or 1 to 4294967295"; }
    Parsed<std::uint32_t> parse(const Node&) const;
    std::string print(std::uint32_t table) const;
};
/// One number, or two of 16 bits as ip-route(8) writes them.
struct RealmNumber {
    using Value = std::uint32_t;
    std::string values() const { return "1 to 4294967295, or FROM/TO of 0 to 65535 each"; }
    Parsed<std::uint32_t> parse(const Node&) const;
    std::string print(std::uint32_t realm) const;
};
/// A network: no bits behind its length.
struct Network {
    using Value = Prefix;
    bool with_default{false};
    std::string values() const { return with_default ? "PREFIX/LENGTH or default" : "PREFIX/LENGTH"; }
    Parsed<Prefix> parse(const Node&) const;
    std::string print(const Prefix& prefix) const { return yaml_text(to_string(prefix)); }
};

} // namespace holdfast::config
