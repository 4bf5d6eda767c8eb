#include "daemon/options.hpp"

#include "base/text.hpp"
#include "daemon/build.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <unistd.h>

namespace holdfast::daemon {

Options parse_options(int argc, char** argv) {
    Options options;
    options.helper_directory = helper_directory;
    CLI::App app{"Keeps addresses in service: one of the hosts that run it holds each virtual IP, the others stand by.",
                 "holdfastd"};
    app.add_option("--config", options.config, "configuration file; DIR/NAME.yaml.d/*.yaml beside it are read too")
        ->capture_default_str();
    app.add_option("--runtime-dir", options.runtime_directory, "lock, state record and private socket")
        ->capture_default_str();
    app.add_option("--state-dir", options.state_directory, "what outlives a reboot")->capture_default_str();
    app.add_option("--helper-dir", options.helper_directory, "where holdfast-prober and holdfast-runner are")
        ->capture_default_str();
    app.add_option("--helpers", options.helper_sockets,
                   "where systemd listens for them (DIR/prober, DIR/runner); without it they are started as children")
        ->envname("HOLDFAST_HELPERS");
    app.add_flag("--probe-rights", options.probe_rights,
                 "let a prober that is a child keep CAP_NET_RAW and CAP_NET_BIND_SERVICE: checks with mark, or with a "
                 "source_port below 1024, want them");
    app.add_option("--node-name", options.node_name, "this host's name in the configuration [the host's name]");
    app.add_option_function<std::string>(
        "--restart-takes",
        [&options](const std::string& text) {
            const auto takes = parse_duration(text);
            if (!takes) throw CLI::ValidationError("'" + text + "' is not a duration: write 250ms or 3s");
            options.restart_takes = *takes;
        },
        "how long a restart keeps quiet at most; what peers would not wait for is handed over before it [250ms]");
    app.add_flag("--check", options.check_only,
                 "read the configuration, print what is wrong with it and end (status 0 or 78)");
    app.add_flag("--clear-up", options.clear_up,
                 "take away what a stop that was cut short has left, and end (ExecStopPost=)");
    app.set_version_flag("--version", std::string{"holdfastd "} + version);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    if (options.node_name.empty()) {
        std::array<char, 256> name{};
        ::gethostname(name.data(), name.size() - 1);
        options.node_name = name.data();
    }
    return options;
}

} // namespace holdfast::daemon
