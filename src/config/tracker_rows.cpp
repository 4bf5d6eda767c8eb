// The directives of a tracker. Exactly one of the first eleven says what is watched; config/tracker_check sees to that and
// to which of the others go with it.
#include "config/directive.hpp"
#include "config/list.hpp"
#include "config/route.hpp"

namespace holdfast::config {
namespace {

using model::FileTracker;
using model::HttpTracker;
using model::InterfaceTracker;
using model::ProcessTracker;
using model::Reload;
using model::RouteTracker;
using model::ScriptTracker;
using model::ServerTracker;
using model::TcpTracker;
using model::Tracker;
using model::UnitTracker;

constexpr std::string_view one_of_these = "one of the eleven";

/// A row that chooses the kind and says its target.
template <typename Kind, std::string Kind::* Target>
Directive<Tracker> kind_row(std::string_view word, Text type, std::string_view help) {
    auto row = bare_row<Tracker>(word, Shape::scalar, type.values(), help);
    row.read = [word, type](Context& context, const Node& node, Tracker& tracker) {
        return read_scalar(context, word, node, type, [&](std::string value) {
            Kind kind;
            kind.*Target = std::move(value);
            tracker.kind = std::move(kind);
        });
    };
    row.write = [type](const Tracker& tracker, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<Kind>(&tracker.kind);
        if (!kind || (kind->*Target).empty()) return std::nullopt;
        return type.print(kind->*Target);
    };
    return std::move(row).says_default(one_of_these);
}

Directive<Tracker> bfd_row() {
    auto row = bare_row<Tracker>("bfd", Shape::map, "{neighbor: ADDRESS, ...}, see below",
                                 "A BFD session with the neighbor is up (RFC 5880, asynchronous mode).");
    row.read = [](Context& context, const Node& node, Tracker& tracker) -> std::optional<Mark> {
        const auto bfd = read_bfd(context, node);
        if (!bfd) return std::nullopt;
        tracker.kind = *bfd;
        return node.mark;
    };
    row.write = [](const Tracker& tracker, Secrets) -> std::optional<std::string> {
        const auto* const bfd = std::get_if<model::BfdTracker>(&tracker.kind);
        if (!bfd) return std::nullopt;
        return write_bfd(*bfd);
    };
    return std::move(row).says_default(one_of_these);
}

/// With `route`, `interface` was read before it and is the link that the route leads to.
Directive<Tracker> route_row() {
    const Network type;
    auto row = bare_row<Tracker>("route", Shape::scalar, type.values(),
                                 "Such a route is in the kernel's table, whoever made it.");
    row.read = [type](Context& context, const Node& node, Tracker& tracker) {
        return read_scalar(context, "route", node, type, [&](const Prefix& prefix) {
            const auto* const link = std::get_if<InterfaceTracker>(&tracker.kind);
            RouteTracker kind{.route = prefix, .table = RouteTracker{}.table, .interface = {}, .via = {}};
            if (link) kind.interface = link->interface;
            tracker.kind = std::move(kind);
        });
    };
    row.write = [type](const Tracker& tracker, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<RouteTracker>(&tracker.kind);
        if (!kind) return std::nullopt;
        return type.print(kind->route);
    };
    return std::move(row).says_default(one_of_these);
}

/// Of an interface tracker the kind; of a route tracker a part.
Directive<Tracker> interface_row() {
    auto row = kind_row<InterfaceTracker, &InterfaceTracker::interface>(
        "interface", Text{check_link, "the name of a network interface"}, "The link exists, is up and has a carrier.");
    row.write = [plain = row.write](const Tracker& tracker, Secrets secrets) -> std::optional<std::string> {
        const auto* const route = std::get_if<RouteTracker>(&tracker.kind);
        if (route && !route->interface.empty()) return yaml_text(route->interface);
        return plain(tracker, secrets);
    };
    return row;
}

Directive<Tracker> via_row() {
    const HostAddress type;
    auto row =
        bare_row<Tracker>("via", Shape::scalar, type.values(), "The gateway that it has to have; only with route.");
    row.read = [type](Context& context, const Node& node, Tracker& tracker) {
        return read_scalar(context, "via", node, type, [&](const IpAddress& via) {
            if (auto* const kind = std::get_if<RouteTracker>(&tracker.kind)) kind->via = via;
        });
    };
    row.write = [type](const Tracker& tracker, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<RouteTracker>(&tracker.kind);
        if (!kind || !kind->via) return std::nullopt;
        return type.print(*kind->via);
    };
    return std::move(row).says_default("any");
}

/// The same for a list of words; `chooses`: it says the kind, else it only adds to it.
template <typename Kind, model::Words Kind::* Target>
Directive<Tracker> words_row(std::string_view word, WordsAre what, bool chooses, std::string_view help) {
    auto row = bare_row<Tracker>(word, Shape::list,
                                 what == WordsAre::program ? "a list: a program with its whole path, then its arguments"
                                                           : "a list of words",
                                 help);
    row.read = [word, what, chooses](Context& context, const Node& node, Tracker& tracker) -> std::optional<Mark> {
        auto words = read_words(context, word, node, what);
        if (!words) return std::nullopt;
        if (chooses) tracker.kind = Kind{};
        if (auto* const kind = std::get_if<Kind>(&tracker.kind)) kind->*Target = std::move(*words);
        return node.mark;
    };
    row.write = [](const Tracker& tracker, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<Kind>(&tracker.kind);
        if (!kind || (kind->*Target).empty()) return std::nullopt;
        return write_words(kind->*Target);
    };
    return std::move(row).says_default(chooses ? one_of_these : "none");
}

/// A row that belongs to one kind. Read after that, whatever the order in the file: rows are read in the order below.
template <typename Kind, auto Field, typename Type>
Directive<Tracker> part_row(std::string_view word, Type type, std::string_view help) {
    auto row = bare_row<Tracker>(word, Shape::scalar, type.values(), help);
    row.read = [word, type](Context& context, const Node& node, Tracker& tracker) {
        return read_scalar(context, word, node, type, [&](auto value) {
            if (auto* const kind = std::get_if<Kind>(&tracker.kind)) kind->*Field = std::move(value);
        });
    };
    row.write = [type](const Tracker& tracker, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<Kind>(&tracker.kind);
        if (!kind) return std::nullopt;
        if constexpr (requires { (kind->*Field).has_value(); }) {
            if (!(kind->*Field)) return std::nullopt;
            return type.print(*(kind->*Field));
        } else {
            return type.print(kind->*Field);
        }
    };
    using Value = std::remove_cvref_t<decltype(Kind{}.*Field)>;
    if constexpr (requires(Value v) { v.has_value(); })
        return std::move(row).says_default("no limit");
    else if constexpr (std::is_same_v<Value, std::string>)
        return std::move(row).says_default("whom the runner runs as");
    else
        return std::move(row).says_default('`' + type.print(Kind{}.*Field) + '`');
}

/// keepalived's `delay`: both delays in one word.
Directive<Tracker> delay_row(Span type) {
    auto row = bare_row<Tracker>("delay", Shape::scalar, type.values(),
                                 "Sets fork_delay and terminate_delay; only with process.");
    row.read = [type](Context& context, const Node& node, Tracker& tracker) {
        return read_scalar(context, "delay", node, type, [&](Duration value) {
            if (auto* const process = std::get_if<ProcessTracker>(&tracker.kind))
                process->fork_delay = process->terminate_delay = value;
        });
    };
    row.write = [](const Tracker&, Secrets) -> std::optional<std::string> { return std::nullopt; };
    return row;
}

constexpr Duration hour = std::chrono::hours{1};

std::vector<Directive<Tracker>> kind_rows() {
    return {
        interface_row(),
        kind_row<ProcessTracker, &ProcessTracker::process>(
            "process", Text{check_process, "the name of a process, at most 15 bytes"},
            "A process of this name (/proc/PID/comm) runs on this host."),
        words_row<ProcessTracker, &ProcessTracker::command>(
            "command", WordsAre::words, true,
            "A process with this command line, its program included, runs on this host."),
        kind_row<UnitTracker, &UnitTracker::unit>("unit", Text{check_unit, "the name of a systemd unit, with its type"},
                                                  "systemd says that the unit is active."),
        kind_row<HttpTracker, &HttpTracker::url>("http", Text{check_local_url, "an http:// URL on loopback"},
                                                 "A GET of the URL is answered with a status of 200 to 299."),
        kind_row<TcpTracker, &TcpTracker::address>("tcp", Text{check_host_port, "ADDRESS:PORT or [IPv6]:PORT"},
                                                   "A connection to the port can be made."),
        words_row<ScriptTracker, &ScriptTracker::script>(
            "script", WordsAre::program, true,
            "The program ends with status 0 within the timeout; no shell is in between."),
        kind_row<FileTracker, &FileTracker::file>(
            "file", Text{check_path, "the path of a text file"},
            "The number in the file is 0; with a weight the number times the weight is added to the priority."),
        bfd_row(),
        route_row(),
        kind_row<ServerTracker, &ServerTracker::server>("virtual_server",
                                                        Text{check_object_name, "the name of a virtual server"},
                                                        "The virtual server has its quorum."),
    };
}

std::vector<Directive<Tracker>> part_rows() {
    return {
        part_row<ProcessTracker, &ProcessTracker::quorum>("quorum", Number<unsigned>{1, 10'000},
                                                          "How many such processes have to run; only with process."),
        part_row<ProcessTracker, &ProcessTracker::quorum_max>("quorum_max", Number<unsigned>{0, 10'000},
                                                              "How many may run, 0: none at all; only with process."),
        words_row<ProcessTracker, &ProcessTracker::arguments>("arguments", WordsAre::words, false,
                                                              "The process has these arguments; only with process."),
        part_row<ProcessTracker, &ProcessTracker::match>("match", MatchWord{},
                                                         "exact: these words and no more; initial: these first; "
                                                         "partial: of the last one only its beginning; only with "
                                                         "process."),
        delay_row(Span{0s, hour}),
        part_row<ProcessTracker, &ProcessTracker::fork_delay>(
            "fork_delay", Span{0s, hour}, "How long enough processes have to run until it is up; only with process."),
        part_row<ProcessTracker, &ProcessTracker::terminate_delay>(
            "terminate_delay", Span{0s, hour},
            "How long too few or too many have to run until it is down; only with process."),
        part_row<InterfaceTracker, &InterfaceTracker::up_delay>(
            "up_delay", Span{0s, hour}, "How long the link has to be up until it counts; only with interface."),
        part_row<InterfaceTracker, &InterfaceTracker::down_delay>(
            "down_delay", Span{0s, hour}, "How long the link has to be down until it counts; only with interface."),
        part_row<InterfaceTracker, &InterfaceTracker::poll>("poll", Span{0s, hour},
                                                            "How often its driver is asked for the carrier too "
                                                            "(ethtool's \"Link detected\"), where it does not tell the "
                                                            "kernel of a change; 0s: never; only with interface."),
        part_row<UnitTracker, &UnitTracker::restart>(
            "restart", Span{0s, hour},
            "A unit that failed is restarted once and has so long to be active again; 0s: never; only with unit."),
        part_row<ScriptTracker, &ScriptTracker::user>("user", Text{check_user, "the name of a user"},
                                                      "Who runs the script; only with script."),
        part_row<RouteTracker, &RouteTracker::table>("table", TableNumber{},
                                                     "Where the route stands; only with route."),
        via_row(),
        part_row<FileTracker, &FileTracker::init>("init", Number<std::int32_t>{-1'000'000, 1'000'000},
                                                  "What a missing file counts as; only with file."),
    };
}

std::vector<Directive<Tracker>> rows() {
    auto all = kind_rows();
    for (auto& row : part_rows())
        all.push_back(std::move(row));
    for (auto& row : std::vector<Directive<Tracker>>{
             row<&Tracker::interval>("interval", Span{100ms, hour}, Reload::live,
                                     "Time between two probes; what tells of its changes itself is heard at once."),
             row<&Tracker::timeout>("timeout", Span{10ms, hour}, Reload::live,
                                    "How long one probe may take; at most the interval.")
                 .says_default("the interval"),
             row<&Tracker::rise>("rise", Number<unsigned>{1, 1000}, Reload::live,
                                 "Good observations in a row that make it up."),
             row<&Tracker::fall>("fall", Number<unsigned>{1, 1000}, Reload::live,
                                 "Bad observations in a row that make it down."),
             row<&Tracker::init_fail>("init_fail", Flag{}, Reload::live,
                                      "Down until the first good observation, instead of pending."),
         })
        all.push_back(std::move(row));
    return all;
}

} // namespace

std::span<const Directive<Tracker>> tracker_directives() {
    static const auto all = rows();
    return all;
}

} // namespace holdfast::config
