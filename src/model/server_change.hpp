// A real server that is added while the daemon runs, or removed again, and why that may be refused (decision 0027).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::model {

struct ServerChange {
    std::string server, real; ///< a virtual server, and its real server's name
    std::optional<std::string>
        directives;         ///< as the file has them behind the name: "{address: 10.0.0.3}"; none: it goes
    bool persistent{false}; ///< of one that is added: it outlives a reboot
};

enum class ChangeRefusal : std::uint8_t {
    no_such_server,
    exists,
    in_file, ///< only what was added can be removed
    invalid, ///< no configuration that has it is valid
    limit,
    failed, ///< it can't be kept
};

} // namespace holdfast::model
