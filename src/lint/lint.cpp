#include "lint/lint.hpp"

#include "lint/rule.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace holdfast::lint {

void Findings::warn(const std::string& path, std::string message, std::string hint) {
    auto place = origins_.places.find(path);
    if (place == origins_.places.end()) place = origins_.places.find(path.substr(0, path.rfind('/')));
    config::Diagnostic diagnostic{.message = {}, .hint = {}};
    if (place != origins_.places.end()) origins_.sources.locate(place->second, diagnostic);
    diagnostic.severity = config::Severity::warning;
    diagnostic.message = std::move(message);
    diagnostic.hint = std::move(hint);
    found_.push_back(std::move(diagnostic));
}

std::vector<config::Diagnostic> Findings::take() {
    std::ranges::sort(found_, {},
                      [](const config::Diagnostic& d) { return std::tie(d.file, d.line, d.column, d.message); });
    return std::move(found_);
}

std::vector<config::Diagnostic> check(const config::Loaded& loaded) {
    static constexpr std::array rules{owner_rules,    link_rules,           preemption_rules, weight_rules,
                                      priority_rules, group_rules,          tracker_rules,    notify_rules,
                                      watch_rules,    authentication_rules, size_rules};
    Findings findings{loaded.origins};
    for (const auto rule : rules)
        rule(loaded, findings);
    return findings.take();
}

} // namespace holdfast::lint
