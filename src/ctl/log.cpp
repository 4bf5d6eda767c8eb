// `log`: what the journal has of the daemon, or of one instance. journalctl shows it: it knows pagers, times and catalogs.
#include "ctl/commands.hpp"
#include "ctl/program.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

[[noreturn]] void become(std::vector<std::string> words) {
    std::fflush(stdout);
    try_to_become(std::move(words));
    throw Failure{Exit::failed, "org.freedesktop.DBus.Error.Failed",
                  fmt::format("journalctl can't be started: {}", std::strerror(errno))};
}

std::vector<std::string> journalctl(const std::string& name) {
    std::vector<std::string> words{"journalctl", "SYSLOG_IDENTIFIER=holdfastd"};
    if (!name.empty()) // the same field several times: any of them (journalctl(1)); nobody needs to run for it
        for (const auto* family : {"", "/ipv4", "/ipv6"})
            words.push_back("HOLDFAST_INSTANCE=" + name + family);
    return words;
}

} // namespace

std::string newest_of_log(const std::string& name, unsigned lines) {
    auto words = journalctl(name);
    for (const auto& word : {std::string{"--quiet"}, std::string{"--no-pager"}, fmt::format("--lines={}", lines)})
        words.push_back(word);
    return output_of(words);
}

void log(const Look& look, const LogOrder& order) {
    auto words = journalctl(order.name);
    if (order.no_pager) words.emplace_back("--no-pager");
    if (order.follow) words.emplace_back("--follow");
    if (order.explain) words.emplace_back("--catalog");
    if (!order.lines.empty()) words.push_back("--lines=" + order.lines);
    if (look.json != JsonStyle::off)
        words.push_back(look.json == JsonStyle::pretty ? "--output=json-pretty" : "--output=json");
    become(std::move(words));
}

} // namespace holdfast::ctl
