#include "config/sections.hpp"

#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

struct Section {
    std::string_view word;
    std::string_view one; ///< of its objects; empty: it is given once
};

constexpr std::array sections{Section{"node_name", ""},
                              Section{"defaults", ""},
                              Section{"instances", "instance"},
                              Section{"sync_groups", "sync group"},
                              Section{"trackers", "tracker"},
                              Section{"mail", ""},
                              Section{"static_routes", ""},
                              Section{"static_rules", ""},
                              Section{"announce_groups", "announce group"},
                              Section{"log_unknown_vrids", ""},
                              Section{"virtual_servers", "virtual server"},
                              Section{"ipvs", ""},
                              Section{"static_addresses", ""}};

constexpr auto words = [] {
    std::array<std::string_view, sections.size()> result{};
    std::ranges::transform(sections, result.begin(), &Section::word);
    return result;
}();

std::string_view article(std::string_view noun) {
    return std::string_view{"aeiou"}.find(noun.front()) == std::string_view::npos ? "a" : "an";
}

} // namespace

void Sections::add(Context& context, const Node& root) {
    if (root.kind == Node::Kind::nothing) return; // only comments
    if (!root.is_map()) {
        const bool keepalived = root.is_scalar() && root.text.find("vrrp_instance") != std::string::npos;
        context.problems.error(
            root.mark,
            fmt::format("the file must be a map with 'instances:', not {}", root.is_list() ? "a list" : "a text"),
            keepalived ? "this looks like a keepalived.conf; that form comes with a later version"
                       : "was it written to the end?");
        return;
    }
    for (const auto& entry : root.entries) {
        const auto section = std::ranges::find(sections, std::string_view{entry.key}, &Section::word);
        if (section == sections.end())
            unknown_key(context, entry, words, foreign_top_words(), "the file");
        else if (section->one.empty())
            add_single(context, entry);
        else
            add_objects(context, entry, section->one);
    }
}

const Entry* Sections::single(std::string_view word) const {
    const auto at = single_.find(word);
    return at == single_.end() ? nullptr : at->second;
}

const Sections::Entries& Sections::objects(std::string_view section) const {
    static const Entries none;
    const auto at = objects_.find(section);
    return at == objects_.end() ? none : at->second;
}

void Sections::add_single(Context& context, const Entry& entry) {
    const auto [first, fresh] = first_.emplace(std::pair{"", entry.key}, entry.mark);
    if (!fresh)
        context.problems.error(
            entry.mark, fmt::format("'{}' is given twice", entry.key),
            fmt::format("first given at {}; keep one of them", context.sources.place(first->second)));
    single_[entry.key] = &entry;
}

void Sections::add_objects(Context& context, const Entry& section, std::string_view one) {
    seen_.insert(section.key);
    auto& problems = context.problems;
    if (!section.value.is_map()) {
        const bool nothing = section.value.kind == Node::Kind::nothing;
        problems.error(
            section.value.mark,
            nothing ? fmt::format("'{}' is empty", section.key)
                    : fmt::format("'{}' must be a map from names to objects", section.key),
            nothing ? fmt::format("was the file written to the end? '{}: {{}}' says that none is wanted", section.key)
                    : "");
        return;
    }
    for (const auto& entry : section.value.entries) {
        if (!is_name(entry.key)) {
            problems.error(entry.mark,
                           fmt::format("{} cannot be the name of {} {}", in_quotes(entry.key), article(one), one),
                           "a name has 1 to 64 letters, digits, '_', '.' or '-'");
            continue;
        }
        const auto [first, fresh] = first_.emplace(std::pair{section.key, entry.key}, entry.mark);
        if (!fresh) {
            problems.error(
                entry.mark, fmt::format("{} '{}' is described twice", one, entry.key),
                fmt::format("first described at {}; keep one of them", context.sources.place(first->second)));
            continue;
        }
        if (!entry.value.is_map()) {
            problems.error(entry.value.mark, fmt::format("{} '{}' must be a map of directives, not {}", one, entry.key,
                                                         entry.value.kind == Node::Kind::nothing ? "empty"
                                                         : entry.value.is_list()                 ? "a list"
                                                                                                 : "a text"));
            continue;
        }
        objects_[section.key].push_back(&entry);
    }
}

} // namespace holdfast::config
