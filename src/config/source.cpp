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
    File file{source.name, source.text.substr(marked ? byte_order_mark.size() : 0), source.origin, {0}};
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
    const auto begin = file.line_starts[mark.line - 1];
    const auto end = mark.line < file.line_starts.size() ? file.line_starts[mark.line] - 1 : file.text.size();
    auto line = std::string_view{file.text}.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

std::string_view Sources::from(Mark mark) const {
    if (mark.line == 0 || mark.file >= files_.size()) return {};
    const auto& file = files_[mark.file];
    if (mark.line > file.line_starts.size()) return {};
    const auto offset = file.line_starts[mark.line - 1] + mark.column - 1;
    return offset < file.text.size() ? std::string_view{file.text}.substr(offset) : std::string_view{};
}

unsigned Sources::column_in_characters(Mark mark) const {
    return static_cast<unsigned>(characters(line(mark).substr(0, mark.column - 1)) + 1);
}

std::string Sources::place(Mark mark) const {
    return fmt::format("{}:{}:{}", name(mark.file), mark.line, column_in_characters(mark));
}

std::vector<Sources::Region> Sources::hidden_in_line(Mark mark) const {
    const Mark begin{mark.file, mark.line, 0};
    const Mark end{mark.file, mark.line + 1, 0};
    std::vector<Region> result;
    for (const auto& region : hidden_)
        if (region.from < end && begin < region.to) result.push_back(region);
    std::ranges::sort(result, {}, &Region::from);
    return result;
}

void Sources::locate(Mark mark, Diagnostic& diagnostic) const {
    if (mark.file < files_.size()) diagnostic.file = files_[mark.file].name;
    if (mark.line == 0) return;
    diagnostic.line = mark.line;
    diagnostic.column = column_in_characters(mark);
    const auto whole = line(mark);
    const auto regions = hidden_in_line(mark);
    auto region = regions.begin();
    std::string shown;
    std::size_t caret = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        const Mark here{mark.file, mark.line, static_cast<unsigned>(at + 1)};
        if (here == mark) caret = characters(shown);
        while (region != regions.end() && region->to <= here)
            ++region;
        const bool secret = region != regions.end() && region->from <= here;
        // Blanks before a secret are shown: they tell nothing and keep the line readable.
        const bool blank = whole[at] == ' ' || whole[at] == '\t';
        const bool starred = shown.ends_with(stars);
        if (!secret || (blank && !starred))
            shown += whole[at];
        else if (!starred)
            shown += stars;
    }
    if (mark.column > whole.size()) caret = characters(shown); // the place after the last character
    shown = printable(shown, true);
    shorten(shown, caret);
    diagnostic.source = std::move(shown);
    diagnostic.caret = static_cast<unsigned>(caret);
}

} // namespace holdfast::config
