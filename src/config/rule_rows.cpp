// The directives of a rule, and the lists of rules. Invariant: as list.hpp says.
#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/item.hpp"
#include "config/route.hpp"
#include "config/word_of.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

using model::Range;
using model::Rule;
using model::RuleAction;

constexpr long most = 4294967295;
constexpr std::size_t most_rules = 1000;

constexpr std::array foreign_words{ForeignWord{"lookup", "write table"},
                                   ForeignWord{"preference", "write priority"},
                                   ForeignWord{"order", "write priority"},
                                   ForeignWord{"dev", "write iif"},
                                   ForeignWord{"dsfield", "write tos"},
                                   ForeignWord{"realms", "write realm: 3, or realm: 3/5"},
                                   ForeignWord{"sup_pl", "write suppress_prefixlength"},
                                   ForeignWord{"sup_group", "write suppress_ifgroup"},
                                   ForeignWord{"inet", "write family: ipv4"},
                                   ForeignWord{"inet6", "write family: ipv6"},
                                   ForeignWord{"nop", "write type: nop"},
                                   ForeignWord{"no_track", "write track: off"},
                                   ForeignWord{"protocol", "every rule of holdfast has protocol 112, by which it knows "
                                                           "its own: remove it"}};

std::optional<std::uint32_t> number(std::string_view text) {
    const int base = text.starts_with("0x") ? 16 : 10;
    if (base == 16) text.remove_prefix(2);
    std::uint32_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, base);
    return error == std::errc{} && rest == end && !text.empty() ? std::optional{value} : std::nullopt;
}

struct MarkText {
    std::string values() const { return "NUMBER or NUMBER/MASK, decimal or 0x"; }
    Parsed<Range> parse(const Node& node) const {
        const std::string_view text = node.text;
        const auto slash = text.find('/');
        const auto value = node.is_scalar() ? number(text.substr(0, slash)) : std::nullopt;
        const auto mask = slash == std::string_view::npos ? std::optional{0xffffffffU} : number(text.substr(slash + 1));
        if (!value || !mask) return std::unexpected{must_be(values(), node)};
        if ((*value & ~*mask) != 0)
            return std::unexpected{
                Complaint{fmt::format("{} has bits outside its mask: it could never match", text), {}}};
        return Range{*value, *mask};
    }
    std::string print(const Range& mark) const { return fmt::format("\"{:#x}/{:#x}\"", mark.first, mark.second); }
};

struct RangeText {
    long low, high;
    std::string values() const { return fmt::format("NUMBER or FIRST-LAST, {} to {}", low, high); }
    Parsed<Range> parse(const Node& node) const {
        const std::string_view text = node.text;
        const auto dash = text.find('-');
        const auto first = node.is_scalar() ? number(text.substr(0, dash)) : std::nullopt;
        const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
        if (!first || !last || *first < low || *last > high || *first > *last)
            return std::unexpected{must_be(values(), node)};
        return Range{*first, *last};
    }
    std::string print(const Range& r) const {
        return r.first == r.second ? std::to_string(r.first) : fmt::format("\"{}-{}\"", r.first, r.second);
    }
};

struct ProtocolWord {
    static constexpr std::array<std::pair<std::string_view, std::uint8_t>, 7> names{
        {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"gre", 47}, {"esp", 50}, {"icmpv6", 58}, {"sctp", 132}}};
    std::string values() const { return "tcp, udp, icmp, icmpv6, sctp, gre, esp or 1 to 255"; }
    Parsed<std::uint8_t> parse(const Node& node) const {
        for (const auto& [name, value] : names)
            if (node.is_scalar() && node.text == name) return value;
        const auto value = parse_integer(node, 1, 255, values());
        if (!value) return std::unexpected{value.error()};
        return static_cast<std::uint8_t>(*value);
    }
    std::string print(std::uint8_t wanted) const {
        for (const auto& [name, value] : names)
            if (value == wanted) return std::string{name};
        return std::to_string(wanted);
    }
};

constexpr auto family_word = word_of<Family>({{"ipv4", Family::ipv4}, {"ipv6", Family::ipv6}});
constexpr auto action_word = word_of<RuleAction>({{"blackhole", RuleAction::blackhole},
                                                  {"unreachable", RuleAction::unreachable},
                                                  {"prohibit", RuleAction::prohibit},
                                                  {"nop", RuleAction::nop}});

/// Written only when it is not the default.
template <auto Field, typename Type>
Directive<Rule> unless_default(std::string_view word, Type type, std::string_view help, std::string default_text) {
    auto row = item_row<Rule, Field>(word, type, help, std::move(default_text));
    row.write = [type](const Rule& rule, Secrets) -> std::optional<std::string> {
        if (rule.*Field == Rule{}.*Field) return std::nullopt;
        return type.print(rule.*Field);
    };
    return row;
}

/// A row that says what the rule does, and takes a number with it.
template <auto Field, RuleAction Action, typename Type>
Directive<Rule> action_row(std::string_view word, Type type, std::string_view help) {
    auto row = unless_default<Field>(word, type, help, "none");
    row.read = [word, type](Context& context, const Node& node, Rule& rule) {
        return read_scalar(context, word, node, type, [&](auto value) {
            rule.action = Action;
            rule.*Field = value;
        });
    };
    return row;
}

Directive<Rule> type_row() {
    auto row = unless_default<&Rule::action>("type", action_word, "Drop, refuse, or do nothing.", "none");
    row.write = [](const Rule& rule, Secrets) -> std::optional<std::string> {
        if (rule.action == RuleAction::lookup || rule.action == RuleAction::jump) return std::nullopt;
        return action_word.print(rule.action);
    };
    return row;
}

Directive<Rule> family_row() {
    auto row = item_row<Rule, &Rule::family>("family", family_word, "Which packets.", "that of from and to");
    row.write = [](const Rule& rule, Secrets) -> std::optional<std::string> {
        return std::string{to_string(rule.family)};
    };
    return row;
}

std::vector<Directive<Rule>> rows() {
    const Text link{check_link, "the name of a network interface"};
    return {
        item_row<Rule, &Rule::priority>("priority", Number<std::uint32_t>{1, 32765},
                                        "Its place: the lowest is looked at first, main stands at 32766.")
            .must_be_given(),
        family_row(),
        unless_default<&Rule::invert>("not", Flag{}, "What does not match is meant.", "`false`"),
        item_row<Rule, &Rule::from>("from", Network{}, "Where packets come from.", "anywhere"),
        item_row<Rule, &Rule::to>("to", Network{}, "Where they go.", "anywhere"),
        unless_default<&Rule::iif>("iif", link, "The link they came in by; lo: this host's own.", "any"),
        unless_default<&Rule::oif>("oif", link, "The link that their socket is bound to.", "any"),
        unless_default<&Rule::tos>("tos", Number<std::uint8_t>{0, 255}, "Their type of service.", "any"),
        item_row<Rule, &Rule::fwmark>("fwmark", MarkText{}, "Their mark.", "any"),
        unless_default<&Rule::tun_id>("tun_id", Number<std::uint64_t>{1, most}, "The key of their tunnel.", "any"),
        item_row<Rule, &Rule::uidrange>("uidrange", RangeText{0, most - 1}, "The user of their socket.", "any"),
        unless_default<&Rule::ipproto>("ipproto", ProtocolWord{}, "Their protocol.", "any"),
        item_row<Rule, &Rule::sport>("sport", RangeText{1, 65534}, "Their source port.", "any"),
        item_row<Rule, &Rule::dport>("dport", RangeText{1, 65534}, "Their destination port.", "any"),
        action_row<&Rule::table, RuleAction::lookup>("table", TableNumber{}, "Look for a route in this table."),
        action_row<&Rule::target, RuleAction::jump>("goto", Number<std::uint32_t>{2, most},
                                                    "Go on with the rule of this priority."),
        type_row(),
        unless_default<&Rule::l3mdev>("l3mdev", Flag{}, "Look into the table of the packet's VRF.", "`false`"),
        item_row<Rule, &Rule::suppress_prefixlength>("suppress_prefixlength", Number<std::uint32_t>{0, 128},
                                                     "Routes of the table with so short a prefix do not count.",
                                                     "none"),
        item_row<Rule, &Rule::suppress_ifgroup>("suppress_ifgroup", Number<std::uint32_t>{0, most - 1},
                                                "Routes of the table to a link of this group do not count.", "none"),
        item_row<Rule, &Rule::realm>("realm", RealmNumber{}, "For classifying traffic.", "none"),
        item_row<Rule, &Rule::track>("track", Flag{}, "That it is refused, is a fault of the instance."),
        item_row<Rule, &Rule::track_group>("track_group", Text{check_group, "the name of a sync group"},
                                           "The sync group that is in fault while the rule can't be there; static "
                                           "ones.",
                                           "none"),
    };
}

/// The family that the rule's own words say, if they do.
std::optional<Family> own_family(const Draft<Rule>& draft) {
    const auto& rule = draft.object;
    if (draft.has("family")) return rule.family;
    if (rule.from) return rule.from->address.family;
    if (rule.to) return rule.to->address.family;
    return std::nullopt;
}

std::optional<Rule> read_rule(Context& context, const Node& node) {
    if (!node.is_map()) {
        complain(context, "a rule", node,
                 must_be("a map", node, "write {from: 192.0.2.0/24, table: 100, priority: 1000}"));
        return std::nullopt;
    }
    const auto before = context.problems.count();
    Draft<Rule> draft;
    read_object<Rule>(context, node, rule_directives(), foreign_words, "a rule", draft);
    require<Rule>(context, rule_directives(), draft, "a rule", node.mark);
    if (context.problems.count() != before) return std::nullopt;
    const auto family = own_family(draft);
    if (!family)
        context.problems.error(node.mark, "nothing says whether the rule is of IPv4 or of IPv6",
                               "add family: ipv4 or family: ipv6");
    draft.object.family = family.value_or(Family::ipv4);
    check_rule(context, draft, node);
    if (context.problems.count() != before) return std::nullopt;
    return std::move(draft.object);
}

} // namespace

std::span<const Directive<Rule>> rule_directives() {
    static const auto all = rows();
    return all;
}

void check_rule(Context& context, const Draft<Rule>& draft, const Node& node) {
    const auto& rule = draft.object;
    const auto error = [&](std::string_view word, std::string text, std::string hint) {
        context.problems.error(draft.place(word, node.mark), std::move(text), std::move(hint));
    };
    std::string_view first;
    for (const std::string_view word : {"table", "goto", "type", "l3mdev"}) {
        if (!draft.has(word) || (word == "l3mdev" && !rule.l3mdev)) continue;
        if (!first.empty())
            error(word, fmt::format("the rule has {} already, and {} would be a second thing to do", first, word),
                  "keep one of them");
        first = word;
    }
    if (first.empty()) error("priority", "the rule does nothing", "add table, goto, type or l3mdev");
    if (rule.action == RuleAction::jump && rule.target <= rule.priority)
        error("goto", fmt::format("goto {} leads back: this rule is at {}", rule.target, rule.priority),
              "name a rule with a higher number");
    for (const auto& [word, prefix] :
         {std::pair{std::string_view{"from"}, &rule.from}, std::pair{std::string_view{"to"}, &rule.to}}) {
        if (!*prefix) continue;
        if ((*prefix)->address.family != rule.family)
            error(word,
                  fmt::format("{} {} is not {}, as the rule is", word, to_string(**prefix), to_string(rule.family)),
                  "make a rule for each family");
        if ((*prefix)->length == 0)
            error(word, fmt::format("{} {} is everything", word, to_string(**prefix)), "remove it");
    }
    for (const std::string_view word : {"suppress_prefixlength", "suppress_ifgroup"})
        if (draft.has(word) && rule.action != RuleAction::lookup)
            error(word, fmt::format("{} goes with table", word), "remove it");
    if ((rule.sport || rule.dport) && rule.ipproto == 0)
        error(rule.sport ? "sport" : "dport", "a port needs a protocol", "add ipproto: tcp");
}

std::optional<std::vector<Rule>> read_rules(Context& context, std::string_view word, const Node& node) {
    return read_items<Rule>(context, word, node, "rule", most_rules, "{from: 192.0.2.0/24, table: 100, priority: 1000}",
                            "", read_rule);
}

std::string write_rules(const std::vector<Rule>& rules) {
    std::vector<std::string> words;
    for (const auto& rule : rules)
        words.push_back(write_item(rule_directives(), rule));
    // Not always the default: a rule without addresses has to say it.
    for (std::size_t i = 0; i < rules.size(); ++i)
        if (rules[i].family == Family::ipv4) words[i].insert(1, "family: ipv4, ");
    return "[" + join(words, ", ") + "]";
}

} // namespace holdfast::config
