// What moves an instance by hand: `failover`, `takeover`, `priority`, `announce`. The daemon answers when it has happened.
#include "ctl/commands.hpp"

namespace holdfast::ctl {
namespace {

void tell(const Look& look, const std::string& answer) {
    if (look.json != JsonStyle::off) return print(Json{{"Result", answer}}, look.json);
    print(printable(answer));
}

} // namespace

void failover(Connection& connection, const Look& look, const std::string& name, std::optional<Duration> hold) {
    tell(look, connection.failover(name, hold));
}

void takeover(Connection& connection, const Look& look, const std::string& name, bool force) {
    tell(look, connection.takeover(name, force));
}

void priority(Connection& connection, const Look& look, const std::string& name, std::optional<std::uint8_t> value) {
    tell(look, connection.set_priority(name, value.value_or(0)));
}

void announce(Connection& connection, const Look& look, const std::string& name) {
    tell(look, connection.announce(name));
}

} // namespace holdfast::ctl
