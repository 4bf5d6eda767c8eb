// `log`: what the journal has of the daemon, or of one instance. journalctl shows it: it knows pagers, times and catalogs.
#include "ctl/commands.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast::ctl {
namespace {

[[noreturn]] void become(std::vector<std::string> words) {
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::fflush(stdout);
    ::execvp(arguments.front(), arguments.data());
    throw Failure{Exit::failed, "org.freedesktop.DBus.Error.Failed",
                  fmt::format("journalctl can't be started: {}", std::strerror(errno))};
}

} // namespace

void log(const Look& look, const LogOrder& order) {
    std::vector<std::string> words{"journalctl", "SYSLOG_IDENTIFIER=holdfastd"};
    if (!order.name.empty()) // the same field several times: any of them (journalctl(1)); nobody needs to run for it
        for (const auto* family : {"", "/ipv4", "/ipv6"})
            words.push_back("HOLDFAST_INSTANCE=" + order.name + family);
    if (order.follow) words.emplace_back("--follow");
    if (order.explain) words.emplace_back("--catalog");
    if (!order.lines.empty()) words.push_back("--lines=" + order.lines);
    if (look.json != JsonStyle::off)
        words.push_back(look.json == JsonStyle::pretty ? "--output=json-pretty" : "--output=json");
    become(std::move(words));
}

} // namespace holdfast::ctl
