// What the files that write JSON share. Only they include the whole library.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace holdfast::engine {
struct Snapshot;
}

namespace holdfast::bus {

using Json = nlohmann::ordered_json;

/// Details come from outside (a program's output, a unit's name): what is not UTF-8 is replaced, never an exception.
std::string dump(const Json&);
/// An array of all virtual servers.
Json servers_json(const engine::Snapshot&);

} // namespace holdfast::bus
