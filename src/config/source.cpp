#include "config/source.hpp"

#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view stars = "***";
constexpr std::size_t widest_excerpt = 120; // characters
constexpr std::size_t kept_before_caret = 60;
constexpr std::size_t longest_scan = 4096; // bytes of a line that are looked at on each side of the caret

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues_character(c); }));
}

std::size_t offset_of_character(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    for (; at < text.size(); ++at)
        if (!continues_character(text[at]) && count-- == 0) break;
    return at;
}

/// Cuts a long line to a window around the caret.
void shorten(std::string& line, std::size_t& caret) {
    const auto length = characters(line);
    if (length <= widest_excerpt) return;
    const std::size_t from = caret > kept_before_caret ? caret - kept_before_caret : 0;
    const std::size_t to = std::min(length, from + widest_excerpt);
    const auto first = offset_of_character(line, from);
    const auto last = offset_of_character(line, to);
    const std::string_view before = from > 0 ? "..." : "";
    const std::string_view after = to < length ? "..." : "";
    line = fmt::format("{}{}{}", before, line.substr(first, last - first), after);
    caret = caret - from + before.size();
}

} // namespace

unsigned Sources::add(const Source& source) {
    const bool marked = source.text.starts_with(byte_order_mark);
    File file{source.name, source.text.substr(marked ? byte_order_mark.size() : 0), {0}};
    for (std::size_t at = 0; at < file.text.size(); ++at)
        if (file.text[at] == '\n') file.line_starts.push_back(at + 1);
    files_.push_back(std::move(file));
    return static_cast<unsigned>(files_.size() - 1);
}

void Sources::hide(Mark from, Mark to) {
    hidden_.push_back({from, to});
}

Mark Sources::mark_at(unsigned file, std::size_t offset) const {
    const auto& starts = files_[file].line_starts;
    const auto next = std::ranges::upper_bound(starts, offset);
    const auto line = next - starts.begin();
    return {file, static_cast<unsigned>(line), static_cast<unsigned>(offset - *(next - 1) + 1)};
}

std::string_view Sources::line(Mark mark) const {
    if (mark.line == 0 || mark.file >= files_.size()) return {};
    const auto& file = files_[mark.file];
    if (mark.line > file.line_starts.size()) return {};
    const std::string_view rest = std::string_view{file.text}.substr(file.line_starts[mark.line - 1]);
    auto line = rest.substr(0, rest.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

unsigned Sources::column_in_characters(Mark mark) const {
    return static_cast<unsigned>(characters(line(mark).substr(0, mark.column - 1)) + 1);
}

std::string Sources::place(Mark mark) const {
    return fmt::format("{}:{}:{}", name(mark.file), mark.line, column_in_characters(mark));
}

bool Sources::hidden(Mark mark) const {
    return std::ranges::any_of(hidden_, [&](const Region& r) { return r.from <= mark && mark < r.to; });
}

void Sources::locate(Mark mark, Diagnostic& diagnostic) const {
    if (mark.file < files_.size()) diagnostic.file = files_[mark.file].name;
    if (mark.line == 0) return;
    diagnostic.line = mark.line;
    diagnostic.column = column_in_characters(mark);
    const auto whole = line(mark);
    std::size_t from = mark.column > longest_scan ? mark.column - longest_scan : 0;
    while (from < whole.size() && continues_character(whole[from]))
        ++from;
    std::size_t to = std::min(whole.size(), static_cast<std::size_t>(mark.column) + longest_scan);
    while (to < whole.size() && continues_character(whole[to]))
        ++to;

    std::string shown;
    std::size_t caret = 0;
    for (std::size_t at = from; at < to; ++at) {
        const bool region = hidden({mark.file, mark.line, static_cast<unsigned>(at + 1)});
        if (at + 1 == mark.column) caret = characters(shown);
        // Blanks before a secret are shown: they tell nothing and keep the caret's line readable.
        const bool blank = whole[at] == ' ' || whole[at] == '\t';
        const bool starred = shown.ends_with(stars);
        if (!region || (blank && !starred))
            shown += whole[at];
        else if (!starred)
            shown += stars;
    }
    if (mark.column > to) caret = characters(shown); // the place after the last character
    shown = printable(shown, true);
    if (from > 0) {
        shown.insert(0, "...");
        caret += 3;
    }
    shorten(shown, caret);
    diagnostic.source = std::move(shown);
    diagnostic.caret = static_cast<unsigned>(caret);
}

} // namespace holdfast::config
