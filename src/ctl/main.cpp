// holdfastctl: what the command line asks for, and how it ends. The status says what kind of failure it was, the text
// on stderr says thing, reason and cure; with --json the error is JSON as well.
#include "ctl/commands.hpp"
#include "ctl/pager.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

/// A page, as a URL or as genhash's options say it.
struct PageLine {
    std::string url, server, port, path{"/"}, host, kind;
    bool tls{}, server_name{}, md5{}, sha256{};
};

struct Line {
    std::string json{"off"}, name, hold, weight, timeout, lines, reason, address, host, endpoint,
        helper_directory{HELPER_DIRECTORY};
    PageLine page;
    std::vector<std::string> properties, more;
    std::uint64_t rounds{};
    bool value_only{}, force{}, complete{}, complete_servers{}, wait{}, liveness{}, readiness{}, nagios{}, follow{},
        explain{}, direct{}, persistent{}, drain{}, no_password{}, no_pager{}, no_legend{}, no_colours{}, full{};
};

constexpr const char* statuses =
    "Status: 0 done, 1 failed, 2 wrong usage, 3 holdfastd is not running, 4 access denied, 5 no such instance,\n"
    "        6 invalid configuration, 124 no answer in time.\n"
    "NAME is an instance; the name of a pair means both of it: web is web/ipv4 and web/ipv6.";

/// The short options are those of keepalived's genhash.
void declare_digest(CLI::App& digest, Line& line) {
    auto& page = line.page;
    auto* url = digest.add_option("URL", page.url, "http://HOST/PATH or https://HOST:PORT/PATH");
    auto* md5 = digest.add_flag("--md5", page.md5, "MD5 instead of SHA-256");
    digest.add_flag("--sha256", page.sha256, "the default")->excludes(md5);
    digest.add_option("-s,--server", page.server, "address, instead of a URL")->excludes(url);
    digest.add_option("-p,--port", page.port, "port, with --server");
    digest.add_option("-u,--url", page.path, "path, with --server");
    digest.add_flag("-S,--use-ssl", page.tls, "HTTPS, with --server");
    digest.add_flag("-I,--use-sni", page.server_name, "name the host in TLS, with --server");
    digest.add_option("-V,--virtualhost", page.host, "another Host than the URL's");
    digest.add_option("-H,--hash", page.kind, "md5 or sha256")
        ->check(CLI::IsMember({"md5", "MD5", "sha256", "SHA256"}));
    digest.add_option("-t,--timeout", line.timeout, "5s, or seconds");
    digest.add_option("--helper-dir", line.helper_directory, "where holdfast-prober is");
}

void declare_servers(CLI::App& app, Line& line) {
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
    auto* add = for_server("add", "one more real server for a virtual server, until this host starts again");
    add->add_option("ADDRESS", line.endpoint, "ADDRESS or ADDRESS:PORT; IPv6 with a port as [2001:db8::1]:80")
        ->required();
    add->add_option("--weight", line.weight, "0 to 65535; without it the virtual server's");
    add->add_option("--set", line.more, "another directive: 'check: {tcp: {}}'; may be repeated")
        ->allow_extra_args(false);
    add->add_flag("--persistent", line.persistent, "also when this host has started again");
    auto* remove = for_server("remove", "take away a real server that was added");
    auto* first =
        remove->add_flag("--drain", line.drain, "no new connections, and when those it has are over, remove it");
    remove->add_option("--timeout", line.timeout, "remove it after so long anyway: 60s, 5min, 1h")->needs(first);
}

/// What every command has.
void declare_common(CLI::App& app, Line& line) {
    app.set_version_flag("--version", std::string{"holdfastctl "} + HOLDFAST_VERSION);
    app.add_flag("--json", line.json, "JSON instead of text: --json (indented), --json=short (one line), --json=off");
    auto* const address =
        app.add_option("--address", line.address, "D-Bus address of the daemon: unix:path=/run/holdfast/private");
    auto* const direct =
        app.add_flag("--private", line.direct, "by the daemon's private socket, not the bus")->excludes(address);
    app.add_option("-H,--host", line.host, "on another host, by ssh: [USER@]HOST")->excludes(address)->excludes(direct);
    app.add_flag("--no-pager", line.no_pager, "show all at once, without a pager");
    app.add_flag("--no-legend", line.no_legend, "tables without their headings");
    app.add_flag("--no-color", line.no_colours, "no colours, as with $NO_COLOR");
    app.add_flag("--full", line.full, "lines longer than the screen as they are");
    app.add_flag("--no-ask-password", line.no_password, "never ask for a password that polkit wants");
    app.add_flag("--complete", line.complete, "names for the shells' completion")->group("");
    app.add_flag("--complete-servers", line.complete_servers, "the same of real servers")->group("");
    app.footer(statuses);
    app.require_subcommand(0, 1);
    app.fallthrough();
}

void declare(CLI::App& app, Line& line) {
    declare_common(app, line);
    auto* status = app.add_subcommand("status", "what this host does and why");
    status->add_option("NAME", line.name, "only this instance");
    status->add_option("-n,--lines", line.lines, "so many lines of the journal behind it, 10 without it; 0: none");
    app.add_subcommand("list", "one line an instance, a real server or a tracker")
        ->add_option("instances|servers|trackers", line.name, "without it: instances")
        ->check(CLI::IsMember({"instances", "servers", "trackers"}));
    auto* show = app.add_subcommand("show", "the properties of an instance");
    show->add_option("NAME", line.name, "instance")->required();
    show->add_option("-p,--property", line.properties, "only this one; may be repeated")->allow_extra_args(false);
    show->add_flag("--value", line.value_only, "values without their names");
    app.add_subcommand("monitor", "a line for each change, until interrupted")
        ->add_option("NAME", line.name, "only this instance");
    app.add_subcommand("tree", "groups, instances, addresses, trackers and servers, and what they are");
    app.add_subcommand("top", "adverts, connections and bytes a second, until interrupted")
        ->add_option("-n,--rounds", line.rounds, "end after so many looks, one every two seconds");
    auto* log = app.add_subcommand("log", "the journal of the daemon, or of an instance (journalctl)");
    log->add_option("NAME", line.name, "only this instance");
    log->add_option("-n,--lines", line.lines, "only so many, the newest");
    log->add_flag("-f,--follow", line.follow, "go on with what comes");
    log->add_flag("-x,--explain", line.explain, "with each message's cause and cure");
    app.add_subcommand("is-master", "status 0 when the instance is master here, else 1; prints its state")
        ->add_option("NAME", line.name, "instance")
        ->required();
    auto* health = app.add_subcommand("health", "one line; status 0 when nothing is at fault, else 1");
    auto* liveness = health->add_flag("--liveness", line.liveness, "status 0 when the daemon answers");
    health->add_flag("--readiness", line.readiness, "the default")->excludes(liveness);
    health->add_flag("--nagios", line.nagios, "line and status (0 to 3) of a monitoring plugin")->excludes(liveness);
    auto* failover = app.add_subcommand("failover", "hand an instance over to its peer");
    failover->add_option("NAME", line.name, "instance")->required();
    failover->add_option("--hold", line.hold, "do not take it back for so long: 60s, 5min, 1h (us, ms, s, min, h)");
    auto* takeover = app.add_subcommand("takeover", "make this host master of an instance, at once");
    takeover->add_option("NAME", line.name, "instance")->required();
    takeover->add_flag("--force", line.force, "also when no master is heard");
    auto* priority = app.add_subcommand("priority", "give an instance another priority until the daemon stops");
    priority->add_option("NAME", line.name, "instance")->required();
    priority->add_option("PRIORITY", line.weight, "1 to 254, or reset: what the file says")->required();
    app.add_subcommand("announce", "announce what this host serves: gratuitous ARP, neighbor advertisements")
        ->add_option("NAME", line.name, "instance")
        ->required();
    app.add_subcommand("reload", "read the configuration again");
    auto* maintenance =
        app.add_subcommand("maintenance", "take this host out of service, or back; it outlives restarts");
    maintenance->add_option("on|off", line.name, "without it: which")->check(CLI::IsMember({"on", "off"}));
    maintenance->add_option("--reason", line.reason, "one line for people, shown in the status");
    app.add_subcommand("ipvs", "virtual servers, their real servers, health and connections")
        ->add_option("NAME", line.name, "only this virtual server");
    app.add_subcommand("connections", "what the kernel balances now, with the names of the file")
        ->add_option("SERVER[/NAME]", line.name, "only of this virtual or real server");
    declare_digest(*app.add_subcommand("digest", "the digest that a check of a page is to expect"), line);
    declare_servers(app, line);
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

Listed listed_of(const std::string& kind) {
    return kind == "servers" ? Listed::servers : kind == "trackers" ? Listed::trackers : Listed::instances;
}

/// The journal is this host's.
unsigned journal_lines(const Line& line) {
    unsigned lines = 10;
    const auto& text = line.lines;
    if (!text.empty() &&
        std::from_chars(text.data(), text.data() + text.size(), lines).ptr != text.data() + text.size())
        usage(fmt::format("--lines '{}' is not a number", text));
    return line.host.empty() && line.address.empty() ? lines : 0;
}

std::optional<std::uint8_t> priority_of(const std::string& text) {
    if (text == "reset") return std::nullopt;
    unsigned value = 0;
    const auto* const end = text.data() + text.size();
    if (std::from_chars(text.data(), end, value).ptr != end || value < 1 || value > 254)
        usage(fmt::format("'{}' is not a priority: write 1 to 254, or reset", text));
    return static_cast<std::uint8_t>(value);
}

Whereabouts where(const Line& line) {
    return {line.direct ? private_address : line.address, line.host, !line.no_password};
}

int check_health(const Line& line, const Look& look) {
    const auto kind = line.liveness ? HealthKind::liveness : line.nagios ? HealthKind::nagios : HealthKind::readiness;
    try {
        Connection connection{where(line)};
        return health(connection, look, kind);
    } catch (const Failure& failure) {
        return health_of_nobody(failure, kind);
    }
}

/// What shows and what orders; the status is 0, or a Failure's.
void perform(Connection& connection, const std::string& command, const Line& line, const Look& look) {
    const auto hold = duration_of("--hold", line.hold), timeout = duration_of("--timeout", line.timeout);
    if (command == "status") return status(connection, look, {line.name, journal_lines(line)});
    if (command == "list") return list(connection, look, listed_of(line.name));
    if (command == "show") return show(connection, look, line.name, line.properties, line.value_only);
    if (command == "tree") return tree(connection, look);
    if (command == "top") return top(connection, line.rounds);
    if (command == "monitor") monitor(connection, look, line.name);
    if (command == "failover") return failover(connection, look, line.name, hold);
    if (command == "takeover") return takeover(connection, look, line.name, line.force);
    if (command == "priority") return priority(connection, look, line.name, priority_of(line.weight));
    if (command == "announce") return announce(connection, look, line.name);
    if (command == "reload") return reload(connection, look);
    if (command == "maintenance")
        return maintenance(connection, look,
                           {line.name.empty() ? std::nullopt : std::optional{line.name == "on"}, line.reason});
    if (command == "ipvs") return ipvs(connection, look, line.name);
    if (command == "connections") return connections(connection, look, line.name);
    if (command == "add")
        return add(connection, look, {line.name, line.endpoint, weight_of(line.weight), line.more, line.persistent});
    if (command == "remove") return remove(connection, look, {line.name, line.drain, timeout});
    order(connection, look, {command, line.name, weight_of(line.weight), timeout, line.wait});
}

DigestOrder digest_order(const Line& line) {
    const auto& page = line.page;
    DigestOrder order{.url = page.url,
                      .virtual_host = page.host,
                      .as_genhash = !page.server.empty(),
                      .helper_directory = line.helper_directory};
    if (page.url.empty() && page.server.empty()) usage("no page given: write digest http://HOST/PATH");
    if (order.as_genhash) {
        const auto host = page.server.find(':') == std::string::npos ? page.server : '[' + page.server + ']';
        order.url = fmt::format("{}://{}{}{}{}", page.tls ? "https" : "http", host, page.port.empty() ? "" : ":",
                                page.port, page.path);
        order.server_name = page.server_name;
    }
    const bool md5 =
        page.kind.empty() ? page.md5 || (order.as_genhash && !page.sha256) : page.kind == "md5" || page.kind == "MD5";
    order.kind = md5 ? model::DigestKind::md5 : model::DigestKind::sha256;
    const bool bare = !line.timeout.empty() && line.timeout.find_first_not_of("0123456789") == std::string::npos;
    order.timeout = duration_of("--timeout", bare ? line.timeout + "s" : line.timeout).value_or(order.timeout);
    return order;
}

int run(const std::string& command, const Line& line, const Look& look) {
    if (command == "health") return check_health(line, look);
    if (command == "digest") {
        digest(look, digest_order(line));
        return 0;
    }
    if (command == "log") log(look, {line.name, line.lines, line.follow, line.explain, line.no_pager});
    Connection connection{where(line)};
    if (command == "is-master") return is_master(connection, look, line.name);
    constexpr std::array shown{"status", "list", "show", "tree", "ipvs", "connections"};
    const auto pager = line.no_pager || std::ranges::find(shown, command) == shown.end() ? nullptr : Pager::start();
    auto seen = look;
    if (pager) seen.columns = 0; // it has its own way with long lines
    perform(connection, command, line, seen);
    return 0;
}

int complete_quietly(void (*names)(Connection&), const Line& line) {
    try {
        Connection connection{where(line)};
        names(connection);
    } catch (const std::exception&) {
        return 0; // a shell that completes wants names or nothing
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
    int status = 0;
    try {
        Line line;
        CLI::App app{"Shows what holdfast does on this host, and hands addresses over.", "holdfastctl"};
        declare(app, line);
        try {
            app.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return parse_failed(app, error);
        }
        if (line.complete) return complete_quietly(complete, line);
        if (line.complete_servers) return complete_quietly(complete_servers, line);
        if (!parse_json_style(line.json))
            usage(fmt::format("--json={} is not known: there are short, pretty and off", line.json));
        const auto commands = app.get_subcommands();
        if (commands.empty()) usage("no command given: holdfastctl --help tells what there is");
        status =
            run(commands.front()->get_name(), line, look_of_stdout({json, line.no_colours, line.no_legend, line.full}));
    } catch (const Failure& failure) {
        return report(failure, json);
    } catch (const std::exception& error) {
        return report({Exit::failed, "org.freedesktop.DBus.Error.Failed", error.what()}, json);
    }
    return std::fflush(stdout) == 0 ? status : 1;
}

} // namespace
} // namespace holdfast::ctl

int main(int argc, char** argv) {
    return holdfast::ctl::start(argc, argv);
}
