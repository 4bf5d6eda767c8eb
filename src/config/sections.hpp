// The sections of all files together: those with named objects, each name described once, and what stands once beside them.
#pragma once

#include "config/directive.hpp"
#include "config/yaml.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::config {

class Sections {
  public:
    using Entries = std::vector<const Entry*>;

    /// One file's tree, which has to live longer. What is wrong with its form is told to the context.
    void add(Context&, const Node& root);

    /// What is given once: "defaults", "mail", ...; null: it is not.
    const Entry* single(std::string_view word) const;
    /// The objects of "instances", "trackers", ..., in the order of the files.
    const Entries& objects(std::string_view section) const;
    /// The section is there, if without a valid object.
    bool has(std::string_view section) const { return seen_.contains(section); }

  private:
    void add_single(Context&, const Entry&);
    void add_objects(Context&, const Entry& section, std::string_view one);

    std::map<std::string, const Entry*, std::less<>> single_;
    std::map<std::string, Entries, std::less<>> objects_;
    std::set<std::string, std::less<>> seen_;
    std::map<std::pair<std::string, std::string>, Mark> first_; ///< (section, name), so that a second one can name it
};

} // namespace holdfast::config
