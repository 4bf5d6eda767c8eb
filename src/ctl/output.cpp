#include "ctl/output.hpp"

#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <langinfo.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace holdfast::ctl {
namespace {

constexpr std::string_view reset = "\x1b[0m";

std::string_view colour_of(std::string_view state) {
    if (state == "master" || state == "up" || state == "running" || state == "serving") return "\x1b[1;32m";
    if (state == "fault" || state == "down" || state == "degraded") return "\x1b[1;31m";
    if (state == "init" || state == "pending" || state == "unknown" || state == "sorry" || state == "draining")
        return "\x1b[1;33m";
    return "\x1b[1;34m";
}

/// Columns on the screen: characters, not bytes.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
}

/// As systemd's tools do it: $SYSTEMD_COLORS says more than $NO_COLOR, and `auto-16` and the like leave it to the terminal.
bool wants_colours(bool terminal) {
    const char *systemd = std::getenv("SYSTEMD_COLORS"), *none = std::getenv("NO_COLOR"), *name = std::getenv("TERM");
    if (systemd != nullptr) {
        if (is_one_of(systemd, {"0", "no", "n", "false", "f", "off"})) return false;
        if (!std::string_view{systemd}.starts_with("auto")) return true;
    } else if (none != nullptr && *none != '\0') {
        return false;
    }
    return terminal && (name == nullptr || std::string_view{name} != "dumb");
}

std::size_t columns_of_terminal() {
    std::size_t columns = 0;
    if (const char* text = std::getenv("COLUMNS")) std::from_chars(text, text + std::strlen(text), columns);
    winsize size{};
    if (columns == 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
    return columns;
}

/// At most so many columns, the last of them for the dots.
std::string cut(const std::string& line, const Look& look) {
    if (look.columns == 0 || width(line) <= look.columns) return line;
    const std::string_view dots = look.utf8 ? "…" : "...";
    const std::size_t room = look.columns - std::min(look.columns, look.utf8 ? std::size_t{1} : dots.size());
    std::size_t end = 0;
    for (std::size_t seen = 0; end < line.size(); ++end)
        if ((static_cast<unsigned char>(line[end]) & 0xC0U) != 0x80U && seen++ == room) break;
    return line.substr(0, end).append(dots);
}

} // namespace

std::uint64_t now_usec() {
    ::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
}

std::optional<JsonStyle> parse_json_style(const std::string& text) {
    if (text == "off") return JsonStyle::off;
    if (text == "short") return JsonStyle::compact;
    if (text == "pretty" || text == "true") return JsonStyle::pretty;
    return std::nullopt;
}

Look look_of_stdout(const LookWishes& wishes) {
    std::setlocale(LC_CTYPE, "");
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    return {.json = wishes.json,
            .colours = !wishes.no_colours && wants_colours(terminal),
            .utf8 = std::string_view{::nl_langinfo(CODESET)} == "UTF-8",
            .legend = !wishes.no_legend,
            .columns = terminal && !wishes.full ? columns_of_terminal() : 0};
}

std::string to_text(const Json& json, JsonStyle style) {
    return json.dump(style == JsonStyle::pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

void print(const std::string& line) {
    fmt::print("{}\n", line);
}

void print(const Json& json, JsonStyle style) {
    print(to_text(json, style));
}

std::string coloured(const Look& look, const std::string& state, const std::string& text) {
    return look.colours ? fmt::format("{}{}{}", colour_of(state), text, reset) : text;
}

std::string bold(const Look& look, const std::string& text) {
    return look.colours ? fmt::format("\x1b[1m{}{}", text, reset) : text;
}

std::string dot(const Look& look, const std::string& state) {
    return coloured(look, state, look.utf8 ? "●" : "*");
}

std::string printable(const std::string& text) {
    std::string result = text;
    for (auto& c : result)
        if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) c = '?';
    return result;
}

std::string text(const Json& object, const char* key) {
    return printable(object[key].get<std::string>());
}

std::string printable_lines(const std::string& text) {
    std::string result;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        result += printable(text.substr(begin, end - begin)) + '\n';
        begin = end + 1;
    }
    while (result.ends_with('\n'))
        result.pop_back();
    return result;
}

std::string age(std::uint64_t realtime_usec) {
    if (realtime_usec == 0) return "";
    const auto now = now_usec();
    return duration(now > realtime_usec ? now - realtime_usec : 0);
}

std::string duration(std::uint64_t usec) {
    if (usec < 1000) return fmt::format("{}us", usec);
    if (usec < 1'000'000) return fmt::format("{}ms", usec / 1000);
    auto rest = usec / 1'000'000;
    if (rest < 10 && usec % 1'000'000 >= 100'000) return fmt::format("{}.{}s", rest, usec % 1'000'000 / 100'000);
    constexpr std::array<std::pair<std::uint64_t, const char*>, 4> units{
        {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
    std::string text;
    for (int parts = 0; const auto& [seconds, name] : units) {
        if (rest >= seconds && parts < 2) text += fmt::format("{}{}{}", parts++ == 0 ? "" : " ", rest / seconds, name);
        rest %= seconds;
    }
    return text;
}

std::string moment(std::uint64_t realtime_usec) {
    const auto seconds = static_cast<std::time_t>(realtime_usec / 1'000'000U);
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%F %T", &parts);
    return fmt::format("{}.{:03}", text.data(), realtime_usec % 1'000'000U / 1000U);
}

std::string table(std::vector<std::vector<std::string>> rows, const Look& look) {
    if (!look.legend && !rows.empty()) rows.erase(rows.begin());
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
        }
        text += cut(line, look) + '\n';
    }
    return text;
}

} // namespace holdfast::ctl
