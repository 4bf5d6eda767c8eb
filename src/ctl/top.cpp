// `top`: what moves now: adverts of instances, connections and bytes of virtual servers, a second.
#include "ctl/commands.hpp"

#include <chrono>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>

namespace holdfast::ctl {
namespace {

constexpr std::chrono::seconds look_every{2};

/// 0 for what was not there before, or has begun anew.
double rate(const Json& now, const Json* before, const char* counter, double seconds) {
    if (!before || seconds <= 0) return 0;
    const auto a = (*before)["Counters"].value(counter, std::uint64_t{0}), b = now["Counters"].value(counter, a);
    return b < a ? 0 : static_cast<double>(b - a) / seconds;
}

const Json* find(const Json& list, const Json& name) {
    for (const auto& each : list)
        if (each["Name"] == name) return &each;
    return nullptr;
}

std::string figure(double value) {
    constexpr std::string_view units[]{"", "k", "M", "G", "T"};
    std::size_t unit = 0;
    for (; value >= 10'000 && unit + 1 < std::size(units); ++unit)
        value /= 1000;
    return value < 10 && value > 0 ? fmt::format("{:.1f}{}", value, units[unit])
                                   : fmt::format("{:.0f}{}", value, units[unit]);
}

void print_instances(const Json& now, const Json& before, double seconds) {
    std::vector<std::vector<std::string>> rows{
        {"INSTANCE", "STATE", "PRIORITY", "SENT/S", "RECEIVED/S", "ANNOUNCED/S"}};
    for (const auto& each : now["Instances"]) {
        const auto* const old = find(before["Instances"], each["Name"]);
        rows.push_back({text(each, "Name"), text(each, "State"), each["EffectivePriority"].dump(),
                        figure(rate(each, old, "adverts_sent", seconds)),
                        figure(rate(each, old, "adverts_received", seconds)),
                        figure(rate(each, old, "announcements_sent", seconds))});
    }
    if (rows.size() > 1) fmt::print("{}", table(rows));
}

std::vector<std::string> server_row(const std::string& name, const Json& each, const Json* old, double seconds) {
    return {name,
            text(each, "State"),
            each["Weight"].dump(),
            figure(rate(each, old, "connections", seconds)),
            figure(rate(each, old, "packets_in", seconds)),
            figure(rate(each, old, "bytes_in", seconds)),
            figure(rate(each, old, "bytes_out", seconds))};
}

void print_servers(const Json& now, const Json& before, double seconds) {
    std::vector<std::vector<std::string>> rows{
        {"SERVER", "STATE", "WEIGHT", "CONN/S", "PACKETS/S", "BYTES IN/S", "BYTES OUT/S"}};
    for (const auto& server : now["VirtualServers"]) {
        const auto* const old = find(before["VirtualServers"], server["Name"]);
        rows.push_back(server_row(text(server, "Name"), server, old, seconds));
        for (const auto& real : server["RealServers"])
            rows.push_back(server_row("  " + text(real, "Name"), real,
                                      old ? find((*old)["RealServers"], real["Name"]) : nullptr, seconds));
    }
    if (rows.size() > 1) fmt::print("{}", table(rows));
}

} // namespace

void top(Connection& connection, std::uint64_t rounds) {
    using Clock = std::chrono::steady_clock;
    const bool on_screen = ::isatty(STDOUT_FILENO) != 0;
    auto before = connection.describe();
    auto looked = Clock::now();
    for (std::uint64_t round = 0; rounds == 0 || round < rounds; ++round) {
        std::this_thread::sleep_until(looked + look_every);
        const auto node = connection.describe();
        const auto now = Clock::now();
        const auto seconds = std::chrono::duration<double>{now - looked}.count();
        if (on_screen) fmt::print("\x1b[H\x1b[2J");
        print(fmt::format("{} is {}, {}", text(node, "NodeName"), text(node, "State"), moment(now_usec())));
        print_instances(node, before, seconds);
        print_servers(node, before, seconds);
        std::fflush(stdout);
        before = node;
        looked = now;
    }
}

} // namespace holdfast::ctl
