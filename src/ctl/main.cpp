// holdfastctl: what the command line asks for, and how it ends. The status says what kind of failure it was, the text
// on stderr says thing, reason and cure; with --json the error is JSON as well.
#include "ctl/commands.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

struct Line {
    std::string json{"off"}, name, hold, weight, timeout;
    std::vector<std::string> properties;
    bool value_only{}, complete{}, complete_servers{}, wait{};
};

constexpr const char* statuses =
    "Status: 0 done, 1 failed, 2 wrong usage, 3 holdfastd is not running, 4 access denied, 5 no such instance,\n"
    "        6 invalid configuration, 124 no answer in time.\n"
    "NAME is an instance; the name of a pair means both of it: web is web/ipv4 and web/ipv6.";

void declare(CLI::App& app, Line& line) {
    app.set_version_flag("--version", std::string{"holdfastctl "} + HOLDFAST_VERSION);
    app.add_flag("--json", line.json, "JSON instead of text: --json (indented), --json=short (one line), --json=off");
    app.add_flag("--complete", line.complete, "names for the shells' completion")->group("");
    app.add_flag("--complete-servers", line.complete_servers, "the same of real servers")->group("");
    app.footer(statuses);
    app.require_subcommand(0, 1);
    app.fallthrough();
    app.add_subcommand("status", "what this host does and why")->add_option("NAME", line.name, "only this instance");
    app.add_subcommand("list", "one line an instance");
    auto* show = app.add_subcommand("show", "the properties of an instance");
    show->add_option("NAME", line.name, "instance")->required();
    show->add_option("-p,--property", line.properties, "only this one; may be repeated")->allow_extra_args(false);
    show->add_flag("--value", line.value_only, "values without their names");
    app.add_subcommand("monitor", "a line for each change, until interrupted")
        ->add_option("NAME", line.name, "only this instance");
    auto* failover = app.add_subcommand("failover", "hand an instance over to its peer");
    failover->add_option("NAME", line.name, "instance")->required();
    failover->add_option("--hold", line.hold, "do not take it back for so long: 60s, 5min, 1h (us, ms, s, min, h)");
    app.add_subcommand("reload", "read the configuration again");
    app.add_subcommand("ipvs", "virtual servers, their real servers, health and connections")
        ->add_option("NAME", line.name, "only this virtual server");
    const auto for_server = [&](const char* command, const char* help) {
        auto* const sub = app.add_subcommand(command, help);
        sub->add_option("SERVER/NAME", line.name, "real server, as web-http/lb1")->required();
        return sub;
    };
    auto* drain = for_server("drain", "no new connections for a real server; it leaves when those it has are over");
    drain->add_option("--timeout", line.timeout, "it leaves after so long anyway: 60s, 5min, 1h");
    drain->add_flag("--wait", line.wait, "show its connections until it has left");
    for_server("disable", "take a real server out of the table at once");
    for_server("enable", "end drain and disable");
    for_server("weight", "give a real server another weight until the next start")
        ->add_option("WEIGHT", line.weight, "0 to 65535, or file: what the file says")
        ->required();
    for_server("probe", "check a real server now");
}

std::optional<Duration> duration_of(const char* option, const std::string& text) {
    if (text.empty()) return std::nullopt;
    const auto duration = parse_duration(text);
    if (!duration) usage(fmt::format("{} '{}' is not a duration: write 60s, 5min or 1h", option, text));
    return duration;
}

std::optional<std::uint64_t> weight_of(const std::string& text) {
    if (text == "file" || text.empty()) return std::nullopt;
    std::uint64_t weight = 0;
    const auto* const end = text.data() + text.size();
    if (std::from_chars(text.data(), end, weight).ptr != end || weight > 65535)
        usage(fmt::format("'{}' is not a weight: write 0 to 65535, or file", text));
    return weight;
}

void run(const std::string& command, const Line& line, const Look& look) {
    const auto hold = duration_of("--hold", line.hold), timeout = duration_of("--timeout", line.timeout);
    const ServerOrder wanted{command, line.name, weight_of(line.weight), timeout, line.wait};
    Connection connection;
    if (command == "status") return status(connection, look, line.name);
    if (command == "list") return list(connection, look);
    if (command == "show") return show(connection, look, line.name, line.properties, line.value_only);
    if (command == "monitor") monitor(connection, look, line.name);
    if (command == "failover") return failover(connection, look, line.name, hold);
    if (command == "reload") return reload(connection, look);
    if (command == "ipvs") return ipvs(connection, look, line.name);
    order(connection, look, wanted);
}

int complete_quietly(void (*names)(Connection&)) {
    try {
        Connection connection;
        names(connection);
    } catch (const std::exception&) {
        // A shell that completes wants names or nothing.
    }
    return 0;
}

int report(const Failure& failure, JsonStyle json) {
    std::fflush(stdout);
    if (json == JsonStyle::off)
        fmt::print(stderr, "holdfastctl: {}\n", printable_lines(failure.what()));
    else
        fmt::print(stderr, "{}\n", to_text({{"Error", failure.name}, {"Message", failure.what()}}, json));
    return static_cast<int>(failure.exit);
}

/// For errors of the command line itself, which come before --json is known.
JsonStyle json_wanted(int argc, char** argv) {
    auto style = JsonStyle::off;
    for (int i = 1; i < argc; ++i) {
        const std::string word{argv[i]};
        if (word == "--json") style = JsonStyle::pretty;
        if (word.starts_with("--json=")) style = parse_json_style(word.substr(7)).value_or(JsonStyle::pretty);
    }
    return style;
}

/// Prints help and version; everything else that CLI11 throws is wrong usage.
int parse_failed(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    usage(std::string{error.what()} + ": holdfastctl --help tells what there is");
}

int start(int argc, char** argv) {
    const auto json = json_wanted(argc, argv);
    try {
        Line line;
        CLI::App app{"Shows what holdfast does on this host, and hands addresses over.", "holdfastctl"};
        declare(app, line);
        try {
            app.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return parse_failed(app, error);
        }
        if (line.complete) return complete_quietly(complete);
        if (line.complete_servers) return complete_quietly(complete_servers);
        if (!parse_json_style(line.json))
            usage(fmt::format("--json={} is not known: there are short, pretty and off", line.json));
        const auto commands = app.get_subcommands();
        if (commands.empty()) usage("no command given: holdfastctl --help tells what there is");
        run(commands.front()->get_name(), line, look_of_stdout(json));
    } catch (const Failure& failure) {
        return report(failure, json);
    } catch (const std::exception& error) {
        return report({Exit::failed, "org.freedesktop.DBus.Error.Failed", error.what()}, json);
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
}

} // namespace
} // namespace holdfast::ctl

int main(int argc, char** argv) {
    return holdfast::ctl::start(argc, argv);
}
