// `reload`: the daemon reads its configuration again and answers when it is in force.
#include "ctl/commands.hpp"

#include <fmt/format.h>

namespace holdfast::ctl {

void reload(Connection& connection, const Look& look) {
    const auto warnings = connection.reload();
    if (look.json != JsonStyle::off) return print(Json{{"Result", "ok"}, {"Warnings", warnings}}, look.json);
    for (const auto& warning : warnings)
        fmt::print(stderr, "{}\n", printable_lines(warning));
    print(warnings.empty() ? "the configuration is in force" : "the configuration is in force, with warnings");
}

} // namespace holdfast::ctl
