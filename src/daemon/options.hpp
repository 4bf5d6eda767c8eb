// What the command line says (holdfastd(8)).
#pragma once

#include "base/time.hpp"

#include <filesystem>
#include <string>

namespace holdfast::daemon {

struct Options {
    std::filesystem::path config{"/etc/holdfast/holdfast.yaml"};
    std::filesystem::path runtime_directory{"/run/holdfast"};
    std::filesystem::path state_directory{"/var/lib/holdfast"};
    std::filesystem::path helper_directory; ///< of holdfast-prober and holdfast-runner
    std::filesystem::path helper_sockets;   ///< where systemd listens for them; empty: they are started as children
    bool probe_rights{false};               ///< a prober that is a child keeps what marks and low ports take
    std::string node_name;                  ///< empty: the host's name
    Duration restart_takes{250ms};          ///< from the last advert to the next process's first, at most
    bool check_only{false};
    bool clear_up{false}; ///< after a stop that was cut short
};

/// Parses, or prints help, version or an error and ends the process (status 0, or 2 for usage).
Options parse_options(int argc, char** argv);

} // namespace holdfast::daemon
