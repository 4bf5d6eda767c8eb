// Who asked for a real server: the configuration, or somebody while the daemon ran (decision 0027).
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::model {

enum class Origin : std::uint8_t {
    file,       ///< the configuration
    runtime,    ///< added, until the host starts again
    persistent, ///< added, until it is removed
};
/// "file", "runtime", "persistent".
std::string_view name(Origin);

} // namespace holdfast::model
