// The directives of a tracker. Exactly one of the first five says what is watched; config/check sees to that.
#include "config/directive.hpp"
#include "config/list.hpp"

namespace holdfast::config {
namespace {

using model::HttpTracker;
using model::InterfaceTracker;
using model::ProcessTracker;
using model::Reload;
using model::Tracker;
using model::UnitTracker;

/// A row that chooses the kind and says its target.
template <typename Kind, std::string Kind::* Target>
Directive<Tracker> kind_row(std::string_view word, Text type, std::string_view help) {
    return {.word = word,
            .shape = Shape::scalar,
            .reload = Reload::live,
            .values = type.values(),
            .help = help,
            .read =
                [word, type](Context& context, const Node& node, Tracker& tracker) {
                    return read_scalar(context, word, node, type, [&](std::string value) {
                        Kind kind;
                        kind.*Target = std::move(value);
                        tracker.kind = std::move(kind);
                    });
                },
            .write = [type](const Tracker& tracker, Secrets) -> std::optional<std::string> {
                const auto* const kind = std::get_if<Kind>(&tracker.kind);
                if (!kind || (kind->*Target).empty()) return std::nullopt;
                return type.print(kind->*Target);
            },
            .required = false,
            .in_defaults = false,
            .default_text = "one of the five"};
}

Directive<Tracker> bfd_row() {
    return {.word = "bfd",
            .shape = Shape::map,
            .reload = Reload::live,
            .values = "{neighbor: ADDRESS, ...}, see below",
            .help = "A BFD session with the neighbor is up (RFC 5880, asynchronous mode).",
            .read = [](Context& context, const Node& node, Tracker& tracker) -> std::optional<Mark> {
                const auto bfd = read_bfd(context, node);
                if (!bfd) return std::nullopt;
                tracker.kind = *bfd;
                return node.mark;
            },
            .write = [](const Tracker& tracker, Secrets) -> std::optional<std::string> {
                const auto* const bfd = std::get_if<model::BfdTracker>(&tracker.kind);
                if (!bfd) return std::nullopt;
                return write_bfd(*bfd);
            },
            .required = false,
            .in_defaults = false,
            .default_text = "one of the five"};
}

/// Read after `process`, whatever the order in the file: rows are read in the order below.
Directive<Tracker> quorum_row() {
    const Number<unsigned> type{1, 10'000};
    return {.word = "quorum",
            .shape = Shape::scalar,
            .reload = Reload::live,
            .values = type.values(),
            .help = "How many processes of this name have to run; only with process.",
            .read = [type](Context& context, const Node& node, Tracker& tracker) -> std::optional<Mark> {
                return read_scalar(context, "quorum", node, type, [&](unsigned value) {
                    if (auto* const process = std::get_if<ProcessTracker>(&tracker.kind)) process->quorum = value;
                });
            },
            .write = [type](const Tracker& tracker, Secrets) -> std::optional<std::string> {
                const auto* const process = std::get_if<ProcessTracker>(&tracker.kind);
                if (!process) return std::nullopt;
                return type.print(process->quorum);
            },
            .required = false,
            .in_defaults = false,
            .default_text = '`' + std::to_string(ProcessTracker{}.quorum) + '`'};
}

std::vector<Directive<Tracker>> rows() {
    constexpr Duration hour = std::chrono::hours{1};
    return {
        kind_row<InterfaceTracker, &InterfaceTracker::interface>("interface",
                                                                 Text{check_link, "the name of a network interface"},
                                                                 "The link exists, is up and has a carrier."),
        kind_row<ProcessTracker, &ProcessTracker::process>(
            "process", Text{check_process, "the name of a process, at most 15 bytes"},
            "A process of this name (/proc/PID/comm) runs on this host."),
        kind_row<UnitTracker, &UnitTracker::unit>("unit", Text{check_unit, "the name of a systemd unit, with its type"},
                                                  "systemd says that the unit is active."),
        kind_row<HttpTracker, &HttpTracker::url>("http", Text{check_local_url, "an http:// URL on loopback"},
                                                 "A GET of the URL is answered with a status of 200 to 299."),
        bfd_row(),
        quorum_row(),
        row<&Tracker::interval>("interval", Span{100ms, hour}, Reload::live,
                                "Time between two probes; what tells of its changes itself is heard at once."),
        row<&Tracker::timeout>("timeout", Span{10ms, hour}, Reload::live,
                               "How long one probe may take; at most the interval.")
            .says_default("the interval"),
        row<&Tracker::rise>("rise", Number<unsigned>{1, 1000}, Reload::live,
                            "Good observations in a row that make it up."),
        row<&Tracker::fall>("fall", Number<unsigned>{1, 1000}, Reload::live,
                            "Bad observations in a row that make it down."),
    };
}

} // namespace

std::span<const Directive<Tracker>> tracker_directives() {
    static const auto all = rows();
    return all;
}

} // namespace holdfast::config
