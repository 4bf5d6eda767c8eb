// The door of config/: the texts of a configuration -> one finished model::Config, or everything that is wrong with it.
// Pure: files and credentials are read by whoever calls. Invariant: a Config that comes back is valid as a whole.
#pragma once

#include "config/diagnostic.hpp"
#include "config/overlay_merge.hpp"
#include "config/source.hpp"
#include "config/value.hpp"
#include "model/config.hpp"

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::config {

struct Request {
    std::string node_name;     ///< the host's name; `node_name:` in a file wins
    std::vector<Source> files; ///< the main file first, then the drop-ins in name order, then what was added
    /// The text of a service credential (systemd.exec(5), CREDENTIALS), nothing when there is none of this name. May be
    /// empty.
    std::function<std::optional<std::string>(const std::string& name)> credential{};
    /// The text of a file with a key, or why it must not be used: one that others can read is refused.
    std::function<Parsed<std::string>(const std::string& path)> key_file{};
};

/// What the model does not keep and a warning needs.
struct Origins {
    Sources sources; ///< the texts, passwords included: drop it with the warnings made
    /// Where a directive was given: "instances/web/priority", or the object itself: "trackers/nginx".
    std::map<std::string, Mark> places;
    /// Priorities of an instance (as the file names it) by host, where the file has a map.
    std::map<std::string, std::map<std::string, Priority>> priorities;
};

struct Loaded {
    model::Config config;
    Origins origins;               ///< for lint/
    std::vector<LeftOut> left_out; ///< of what was added: no reason to refuse the files
};

std::expected<Loaded, std::vector<Diagnostic>> load(const Request&);

} // namespace holdfast::config
