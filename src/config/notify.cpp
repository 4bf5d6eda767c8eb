// The map `notify:` of an instance or a sync group: scripts, a FIFO, units, hooks. One table of its words serves reading and writing.
#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Notify;
using model::Words;

struct ScriptWord {
    std::string_view word;
    Words Notify::* field;
    bool of_groups{true}; ///< what concerns a router and its addresses is said of an instance alone
};
constexpr std::array scripts{
    ScriptWord{"master", &Notify::master},
    ScriptWord{"backup", &Notify::backup},
    ScriptWord{"fault", &Notify::fault},
    ScriptWord{"stop", &Notify::stop},
    ScriptWord{"deleted", &Notify::deleted},
    ScriptWord{"priority", &Notify::priority},
    ScriptWord{"lower_advert", &Notify::lower_advert, false},
    ScriptWord{"all", &Notify::all},
    ScriptWord{"before_removal", &Notify::before_removal, false},
    ScriptWord{"after_adding", &Notify::after_adding, false},
};
struct UnitsWord {
    std::string_view word;
    std::vector<std::string> Notify::* field;
};
constexpr std::array units{UnitsWord{"master", &Notify::master_units}, UnitsWord{"backup", &Notify::backup_units}};
constexpr Span script_time{100ms, std::chrono::hours{1}};
constexpr Span hook_time{10ms, 10s};

std::vector<std::string_view> all_words(NotifyOf whom) {
    std::vector<std::string_view> result{"mail", "fifo", "user", "timeout", "units"};
    for (const auto& each : scripts)
        if (each.of_groups || whom == NotifyOf::instance) result.push_back(each.word);
    if (whom == NotifyOf::instance) result.push_back("hook_timeout");
    return result;
}

template <typename Type>
bool read_into(Context& context, std::string_view word, const Node& node, const Type& type, auto& field) {
    auto value = type.parse(node);
    if (!value) complain(context, word, node, value.error());
    if (value) field = std::move(*value);
    return value.has_value();
}

bool read_units(Context& context, std::string_view word, const Node& node, std::vector<std::string>& out) {
    if (!node.is_list()) {
        complain(context, fmt::format("units of {}", word), node, must_be("a list of systemd units", node));
        return false;
    }
    bool fine = true;
    for (const auto& item : node.items) {
        auto unit = check_unit(item);
        if (!unit) complain(context, fmt::format("a unit of {}", word), item, unit.error());
        fine = fine && unit;
        if (unit) out.push_back(std::move(*unit));
    }
    return fine;
}

bool read_all_units(Context& context, const Node& node, Notify& notify) {
    if (!node.is_map()) {
        complain(context, "units of notify", node, must_be("a map {master: [UNIT, ...], backup: [UNIT, ...]}", node));
        return false;
    }
    bool fine = true;
    for (const auto& entry : node.entries) {
        const auto* const at = std::ranges::find(units, std::string_view{entry.key}, &UnitsWord::word);
        if (at == units.end()) {
            unknown_key(context, entry, std::array{units[0].word, units[1].word}, {}, "units of notify");
            fine = false;
        } else {
            fine = read_units(context, at->word, entry.value, notify.*at->field) && fine;
        }
    }
    return fine;
}

/// Words that only an instance may have.
bool refuse_for_groups(Context& context, const Entry& entry) {
    const auto* const script = std::ranges::find(scripts, std::string_view{entry.key}, &ScriptWord::word);
    const bool refused = script != scripts.end() ? !script->of_groups : entry.key == "hook_timeout";
    if (refused)
        context.problems.error(entry.mark, fmt::format("a sync group has no {}", in_quotes(entry.key)),
                               "give it to the instances: they have the addresses");
    return refused;
}

bool read_entry(Context& context, const Entry& entry, NotifyOf whom, Notify& notify) {
    if (whom == NotifyOf::group && refuse_for_groups(context, entry)) return false;
    if (const auto* const script = std::ranges::find(scripts, std::string_view{entry.key}, &ScriptWord::word);
        script != scripts.end()) {
        auto words = read_words(context, fmt::format("{} of notify", script->word), entry.value, WordsAre::program);
        if (words) notify.*script->field = std::move(*words);
        return words.has_value();
    }
    if (entry.key == "mail") return read_into(context, "mail of notify", entry.value, Flag{}, notify.mail);
    if (entry.key == "fifo")
        return read_into(context, "fifo of notify", entry.value, Text{check_path, ""}, notify.fifo);
    if (entry.key == "user")
        return read_into(context, "user of notify", entry.value, Text{check_user, ""}, notify.user);
    if (entry.key == "timeout")
        return read_into(context, "timeout of notify", entry.value, script_time, notify.timeout);
    if (entry.key == "hook_timeout")
        return read_into(context, "hook_timeout of notify", entry.value, hook_time, notify.hook_timeout);
    if (entry.key == "units") return read_all_units(context, entry.value, notify);
    unknown_key(context, entry, all_words(whom), {}, "notify");
    return false;
}

} // namespace

std::optional<Notify> read_notify(Context& context, const Node& node, NotifyOf whom) {
    if (!node.is_map()) {
        complain(context, "notify", node, must_be("a map {master: [PROGRAM, ...], ...}", node));
        return std::nullopt;
    }
    Notify notify;
    bool fine = true;
    for (const auto& entry : node.entries)
        fine = read_entry(context, entry, whom, notify) && fine;
    if (!fine) return std::nullopt;
    return notify;
}

std::string write_notify(const Notify& notify) {
    const Notify defaults;
    std::vector<std::string> out;
    for (const auto& [word, field, of_groups] : scripts)
        if (!(notify.*field).empty()) out.push_back(fmt::format("{}: {}", word, write_words(notify.*field)));
    if (notify.mail) out.push_back("mail: true");
    if (!notify.fifo.empty()) out.push_back("fifo: " + yaml_text(notify.fifo));
    if (!notify.user.empty()) out.push_back("user: " + yaml_text(notify.user));
    if (notify.timeout != defaults.timeout) out.push_back("timeout: " + to_string(notify.timeout));
    if (notify.hook_timeout != defaults.hook_timeout) out.push_back("hook_timeout: " + to_string(notify.hook_timeout));
    std::vector<std::string> lists;
    for (const auto& [word, field] : units)
        if (!(notify.*field).empty()) lists.push_back(fmt::format("{}: {}", word, write_words(notify.*field)));
    if (!lists.empty()) out.push_back("units: {" + join(lists, ", ") + "}");
    return "{" + join(out, ", ") + "}";
}

} // namespace holdfast::config
