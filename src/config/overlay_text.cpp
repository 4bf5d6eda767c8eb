#include "config/overlay_text.hpp"

#include "base/text.hpp"
#include "config/utf8.hpp"
#include "config/value.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

constexpr std::string_view shape = "an overlay is virtual_servers: {NAME: {real_servers: {NAME: {address: ...}}}}";
constexpr std::string_view heading =
    "# Real servers that were added while holdfastd ran. It writes this file; holdfastctl add and remove change it.\n";

/// Stands in a flow map as it is, and means there what it meant: 10.0.0.3:80, 2s, 200-299, true.
bool is_plain(std::string_view text) {
    const auto digit_or_letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const auto fine = [&](char c) { return digit_or_letter(c) || std::string_view{"_./:-+@%"}.contains(c); };
    return !text.empty() && (digit_or_letter(text[0]) || text[0] == '/' || text[0] == '-') && text != "-" &&
           !text.ends_with(':') && std::ranges::all_of(text, fine);
}

std::string flow(const Node& node) {
    std::vector<std::string> parts;
    switch (node.kind) {
    case Node::Kind::nothing: return "null";
    case Node::Kind::scalar: return !node.quoted && is_plain(node.text) ? node.text : yaml_text(node.text);
    case Node::Kind::list:
        for (const auto& item : node.items)
            parts.push_back(flow(item));
        return "[" + join(parts, ", ") + "]";
    case Node::Kind::map:
        for (const auto& entry : node.entries)
            parts.push_back(fmt::format("{}: {}", yaml_text(entry.key), flow(entry.value)));
        return "{" + join(parts, ", ") + "}";
    }
    return "null";
}

/// The map of this one word; null, and said, when there is anything else.
const Node* only(const Node& node, std::string_view word, Problems& problems) {
    const Node* found = nullptr;
    if (!node.is_map()) problems.error(node.mark, fmt::format("here is no map with '{}'", word), std::string{shape});
    for (const auto& entry : node.entries) {
        if (entry.key != word)
            problems.error(entry.mark, fmt::format("{} has no place here", in_quotes(entry.key)), std::string{shape});
        else if (entry.value.is_map())
            found = &entry.value;
        else
            problems.error(entry.mark, fmt::format("'{}' must be a map", word), std::string{shape});
    }
    return found;
}

void refuse_programs(const Node& directives, Problems& problems) {
    const auto refuse = [&](const Node& map, std::string_view word) {
        if (const auto* const entry = map.find(word))
            problems.error(entry->mark, fmt::format("{} runs a program, which only the configuration may name", word),
                           "write the server into the configuration, and reload it");
    };
    refuse(directives, "notify_up");
    refuse(directives, "notify_down");
    if (const auto* const entry = directives.find("notify"))
        problems.error(entry->mark, "notify is the configuration's: it names files and users",
                       "let the virtual server say it there");
    if (const auto* const check = directives.find("check")) refuse(check->value, "script");
    if (const auto* const checks = directives.find("checks"))
        for (const auto& check : checks->value.items)
            refuse(check, "script");
}

} // namespace

std::vector<OverlayEntry> overlay_entries(const Node& root, Problems& problems) {
    std::vector<OverlayEntry> result;
    if (root.kind == Node::Kind::nothing) return result; // only comments
    const auto* const servers = only(root, "virtual_servers", problems);
    if (!servers) return result;
    for (const auto& server : servers->entries) {
        const auto* const reals = only(server.value, "real_servers", problems);
        if (!reals) continue;
        for (const auto& real : reals->entries)
            result.push_back({server.key, real});
    }
    return result;
}

std::expected<std::vector<AddedServer>, std::vector<Diagnostic>> read_overlay(const Source& source) {
    Sources sources;
    Problems problems;
    const auto root = parse_yaml(sources, sources.add(source), problems);
    std::vector<AddedServer> result;
    if (root)
        for (const auto& [server, real] : overlay_entries(*root, problems))
            result.push_back({server, real.key, flow(real.value)});
    if (problems.failed()) return std::unexpected{problems.diagnostics(sources)};
    return result;
}

std::string write_overlay(const std::vector<AddedServer>& servers) {
    std::map<std::string, std::string> lines;
    for (const auto& [server, real, directives] : servers)
        lines[server] += fmt::format("      {}: {}\n", yaml_text(real), directives);
    std::string result = std::string{heading} + "virtual_servers:" + (lines.empty() ? " {}\n" : "\n");
    for (const auto& [server, reals] : lines)
        result += fmt::format("  {}:\n    real_servers:\n{}", yaml_text(server), reals);
    return result;
}

std::expected<std::string, std::vector<Diagnostic>> read_directives(const std::string& text) {
    Sources sources;
    Problems problems;
    if (text.size() > longest_directives)
        return std::unexpected{
            std::vector{Diagnostic{.message = fmt::format("the directives have {} bytes; at most {} are read",
                                                          text.size(), longest_directives),
                                   .hint = "write the server into the configuration, and reload it"}}};
    const auto file = sources.add({"directives", text});
    const auto root = parse_yaml(sources, file, problems);
    if (root && (!root->is_map() || !text.starts_with('{')))
        problems.error(root->mark, "the directives must be a map in braces", "write {address: 10.0.0.3:80, weight: 2}");
    if (root && root->is_map()) refuse_programs(*root, problems);
    if (problems.failed()) return std::unexpected{problems.diagnostics(sources)};
    return flow(*root);
}

} // namespace holdfast::config
