// `failover`: hands an instance over; the daemon answers when the successor has it.
#include "ctl/commands.hpp"

namespace holdfast::ctl {

void failover(Connection& connection, const Look& look, const std::string& name, std::optional<Duration> hold) {
    const auto answer = connection.failover(name, hold);
    if (look.json != JsonStyle::off) return print(Json{{"Result", answer}}, look.json);
    print(printable(answer));
}

} // namespace holdfast::ctl
