// How results reach people and programs: tables, colours, ages, JSON. Colours and the dot depend on where the text
// goes, and no text from outside reaches a terminal with control characters in it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::ctl {

using Json = nlohmann::ordered_json;

enum class JsonStyle { off, compact, pretty };
/// "off", "short", "pretty", and "true": what a bare flag has.
std::optional<JsonStyle> parse_json_style(const std::string& text);

/// What the command line says of it.
struct LookWishes {
    JsonStyle json{JsonStyle::off};
    bool no_colours{}, no_legend{};
    bool full{}; ///< lines as long as they are
};
/// What stdout is: decided once.
struct Look {
    JsonStyle json{JsonStyle::off};
    bool colours{};
    bool utf8{};
    bool legend{true};
    std::size_t columns{0}; ///< that a line of a table may take; 0: as many as it wants
};
/// $SYSTEMD_COLORS and $NO_COLOR, $COLUMNS and the terminal's size count.
Look look_of_stdout(const LookWishes&);

std::string to_text(const Json&, JsonStyle);
void print(const std::string& line);
void print(const Json&, JsonStyle);

/// The text in the colour of an instance's or a tracker's state.
std::string coloured(const Look&, const std::string& state, const std::string& text);
std::string bold(const Look&, const std::string& text);
/// "●" or "*", in the colour of the state.
std::string dot(const Look&, const std::string& state);
/// Control characters become '?'.
std::string printable(const std::string& text);
/// The string of this key, printable.
std::string text(const Json& object, const char* key);
/// The same, but lines stay lines; without an empty last one.
std::string printable_lines(const std::string& text);

/// CLOCK_REALTIME.
std::uint64_t now_usec();
/// "3min 2s": what has passed since a CLOCK_REALTIME moment; "" for 0.
std::string age(std::uint64_t realtime_usec);
/// "2026-01-31 12:00:01.123", local time.
std::string moment(std::uint64_t realtime_usec);
std::string duration(std::uint64_t usec);

/// Columns as wide as their longest cell, two spaces between. The first row is the heading; lines longer than the screen are cut.
std::string table(std::vector<std::vector<std::string>> rows, const Look& look = {});

} // namespace holdfast::ctl
