// `monitor`: a line for each event, written at once, until SIGINT. The signals are subscribed before the daemon is
// asked whether it runs, so nothing between is lost.
#include "ctl/commands.hpp"

#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast::ctl {
namespace {

/// Every line is flushed when it is complete: nothing is lost by ending here.
void end_on_interrupt() {
    struct sigaction action{};
    action.sa_handler = [](int) { ::_exit(0); };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

std::string value_text(const Json& value) {
    return value.is_string() ? printable(value.get<std::string>()) : to_text(value, JsonStyle::compact);
}

/// Times are left out: the line has one.
std::string changes(const Json& event) {
    std::string text;
    for (const auto& [key, value] : event["Properties"].items())
        if (!key.starts_with("StateTimestamp")) text += fmt::format(" {}={}", key, value_text(value));
    for (const auto& key : event["Invalidated"])
        text += fmt::format(" {} changed", key.get<std::string>());
    return text;
}

std::string line(const Look& look, const Json& event) {
    if (event["Event"] == "DaemonStopped") return moment(now_usec()) + " holdfastd has stopped";
    if (event["Event"] == "DaemonStarted") return moment(now_usec()) + " holdfastd has started";
    const auto name = bold(look, printable(event["Name"].get<std::string>()));
    if (event["Event"] == "StateChanged") {
        const auto state = event["New"].get<std::string>();
        return fmt::format("{} {} {}: {} -> {}: {}", moment(event["USec"].get<std::uint64_t>()), dot(look, state), name,
                           event["Old"].get<std::string>(), coloured(look, state, state), value_text(event["Reason"]));
    }
    return fmt::format("{}   {}:{}", moment(now_usec()), name, changes(event));
}

} // namespace

void monitor(Connection& connection, const Look& look, const std::string& name) {
    end_on_interrupt();
    connection.watch(
        [&](const Json& event) {
            if (!name.empty() && event.contains("Name") && !names(name, event["Name"].get<std::string>())) return;
            print(look.json == JsonStyle::off ? line(look, event) : to_text(event, JsonStyle::compact));
            std::fflush(stdout);
        },
        [&] { (void)instances_named(connection.describe(), name); });
}

} // namespace holdfast::ctl
