#include "config/diagnostic.hpp"

#include "config/utf8.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

/// Spaces up to the caret; tabs stay tabs, so that it stands right at every tab width.
std::string caret_line(const Diagnostic& diagnostic) {
    std::string result;
    unsigned before = 0;
    for (const char c : diagnostic.source) {
        if (before == diagnostic.caret) break;
        if (continues_character(c)) continue;
        result += c == '\t' ? '\t' : ' ';
        ++before;
    }
    result.append(diagnostic.caret - before, ' ');
    return result + '^';
}

} // namespace

std::string render(const Diagnostic& diagnostic) {
    std::string result;
    if (!diagnostic.file.empty()) result += diagnostic.file + ":";
    if (diagnostic.line > 0) result += fmt::format("{}:{}:", diagnostic.line, diagnostic.column);
    if (!result.empty()) result += ' ';
    result += diagnostic.severity == Severity::error ? "error: " : "warning: ";
    result += diagnostic.message + "\n";
    if (!diagnostic.source.empty()) result += diagnostic.source + "\n" + caret_line(diagnostic) + "\n";
    if (!diagnostic.hint.empty()) result += "  hint: " + diagnostic.hint + "\n";
    return result;
}

std::string render(const std::vector<Diagnostic>& diagnostics) {
    std::string result;
    for (const auto& diagnostic : diagnostics)
        result += render(diagnostic);
    return result;
}

} // namespace holdfast::config
