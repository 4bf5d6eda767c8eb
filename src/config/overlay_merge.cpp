#include "config/overlay_merge.hpp"

#include "config/overlay_text.hpp"
#include "config/utf8.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

Node* find(Node& map, std::string_view key) {
    const auto at = std::ranges::find(map.entries, key, &Entry::key);
    return at == map.entries.end() ? nullptr : &at->value;
}

/// Of the virtual server of this name, in whichever file it is.
Node* real_servers(std::vector<Node>& roots, std::string_view server) {
    for (auto& root : roots) {
        auto* const servers = find(root, "virtual_servers");
        auto* const found = servers ? find(*servers, server) : nullptr;
        auto* const reals = found ? find(*found, "real_servers") : nullptr;
        if (reals && reals->is_map()) return reals;
    }
    return nullptr;
}

} // namespace

Diagnostic as_warning(const LeftOut& left_out) {
    auto warning = left_out.why;
    warning.severity = Severity::warning;
    if (!left_out.real.empty())
        warning.message += fmt::format("; {}/{}, which was added, is left out", left_out.server, left_out.real);
    return warning;
}

std::optional<std::string> place_of_real_server(const std::vector<Source>& files, std::string_view server,
                                                std::string_view real) {
    Sources sources;
    Problems ignored; // they are in force
    std::vector<Node> roots;
    for (const auto& file : files)
        if (auto root = parse_yaml(sources, sources.add(file), ignored)) roots.push_back(std::move(*root));
    const auto* const reals = real_servers(roots, server);
    const auto* const entry = reals ? reals->find(real) : nullptr;
    return entry ? std::optional{sources.place(entry->mark)} : std::nullopt;
}

void OverlayMerge::begin() {
    added_.clear();
    ignored_.clear();
}

void OverlayMerge::read(Sources& sources, unsigned file) {
    Problems problems;
    const auto root = parse_yaml(sources, file, problems);
    if (root)
        for (const auto& [server, real] : overlay_entries(*root, problems))
            added_.push_back({server, real});
    std::ranges::sort(added_, {}, [](const Added& added) { return added.real.mark; });
    for (auto& why : problems.diagnostics(sources)) {
        why.message += root ? "; this is left out" : "; what was added there is left out";
        ignored_.push_back({{}, {}, std::move(why)});
    }
}

void OverlayMerge::merge(const Sources& sources, std::vector<Node>& roots) {
    for (const auto& added : added_) {
        if (faulty_.contains(key(added))) continue;
        auto* const reals = real_servers(roots, added.server);
        const auto* const other = reals ? reals->find(added.real.key) : nullptr;
        if (!reals)
            say(added, sources, added.real.mark, fmt::format("there is no virtual server {}", in_quotes(added.server)),
                "describe it in the configuration again, or take this out");
        else if (other)
            say(added, sources, added.real.mark,
                fmt::format("real server {} stands at {} too, which counts", in_quotes(added.real.key),
                            sources.place(other->mark)),
                fmt::format("holdfastctl remove {}/{} takes it out here", printable(added.server),
                            printable(added.real.key)));
        else
            reals->entries.push_back(added.real);
    }
}

void OverlayMerge::say(const Added& added, const Sources& sources, Mark mark, std::string message, std::string hint) {
    Diagnostic why{.message = std::move(message), .hint = std::move(hint)};
    sources.locate(mark, why);
    ignored_.push_back({added.server, added.real.key, std::move(why)});
}

/// The last one that begins before this place, in the same file.
const OverlayMerge::Added* OverlayMerge::at(Mark place) const {
    const auto next = std::ranges::upper_bound(added_, place, {}, [](const Added& added) { return added.real.mark; });
    if (next == added_.begin() || std::prev(next)->real.mark.file != place.file) return nullptr;
    return &*std::prev(next);
}

bool OverlayMerge::leave_out(const Problems& problems, const Sources& sources) {
    bool any = false;
    for (const auto& problem : problems.kept()) {
        const auto* const added = at(problem.mark);
        if (!added) continue;
        Diagnostic why{.message = problem.message, .hint = problem.hint};
        sources.locate(problem.mark, why);
        any = faulty_.emplace(key(*added), LeftOut{added->server, added->real.key, std::move(why)}).second || any;
    }
    return any;
}

void OverlayMerge::leave_out_all(const Diagnostic& why) {
    for (const auto& added : added_)
        faulty_.emplace(key(added), LeftOut{added.server, added.real.key, why});
}

std::vector<LeftOut> OverlayMerge::left_out() const {
    auto result = ignored_;
    for (const auto& [key, left_out] : faulty_)
        result.push_back(left_out);
    return result;
}

} // namespace holdfast::config
