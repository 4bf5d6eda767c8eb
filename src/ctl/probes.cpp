// `is-master` and `health`: answers for scripts, load balancers' probes and monitoring; the status says what the line says.
#include "ctl/commands.hpp"

#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

std::size_t count(const Json& node, const char* state) {
    std::size_t result = 0;
    for (const auto& instance : node["Instances"])
        result += instance["State"] == state ? 1U : 0U;
    return result;
}

/// What keeps the node from being well, a few words each.
std::vector<std::string> complaints(const Json& node) {
    std::vector<std::string> result;
    for (const auto& instance : node["Instances"])
        for (const auto& fault : instance["Faults"])
            result.push_back(printable(
                fmt::format("{}: {}", instance["Name"].get<std::string>(), fault["Text"].get<std::string>())));
    for (const auto& server : node["VirtualServers"])
        if (const auto problem = server["Problem"].get<std::string>(); !problem.empty())
            result.push_back(printable(fmt::format("{}: {}", server["Name"].get<std::string>(), problem)));
    if (node["LastReloadResult"] != "ok")
        result.emplace_back("the last reload was refused: holdfastctl reload says why");
    return result;
}

enum class Level { ok = 0, warning = 1, critical = 2 }; // the plugins' statuses; 3 is unknown

Level level_of(const Json& node, bool complains) {
    if (!node["Instances"].empty() && count(node, "fault") == node["Instances"].size()) return Level::critical;
    return complains ? Level::warning : Level::ok;
}

/// One line, and behind the bar the numbers (Monitoring Plugins' guidelines).
void print_for_nagios(const Json& node, Level level, const std::string& text) {
    constexpr std::string_view words[]{"OK", "WARNING", "CRITICAL"};
    print(fmt::format("HOLDFAST {} - {} | masters={} backups={} faults={}", words[static_cast<std::size_t>(level)],
                      text, count(node, "master"), count(node, "backup"), count(node, "fault")));
}

} // namespace

int is_master(Connection& connection, const Look& look, const std::string& name) {
    const auto instances = instances_named(connection.describe(), name);
    auto all = Json::object();
    bool master = true;
    for (const auto& instance : instances) {
        all[instance["Name"].get<std::string>()] = instance["State"];
        master = master && instance["State"] == "master";
    }
    if (look.json != JsonStyle::off)
        print(all, look.json);
    else
        for (const auto& [instance, state] : all.items())
            print(state.get<std::string>());
    return master ? 0 : 1;
}

int health(Connection& connection, const Look& look, HealthKind kind) {
    const auto node = connection.describe();
    const auto state = node["State"].get<std::string>();
    const auto problems = kind == HealthKind::liveness ? std::vector<std::string>{} : complaints(node);
    const auto level = kind == HealthKind::liveness ? Level::ok : level_of(node, !problems.empty());
    const auto text = problems.empty()
                          ? fmt::format("{} is {}, {} of {} instances master", node["NodeName"].get<std::string>(),
                                        state, count(node, "master"), node["Instances"].size())
                          : fmt::format("{}", fmt::join(problems, "; "));
    if (kind == HealthKind::nagios)
        print_for_nagios(node, level, text);
    else if (look.json != JsonStyle::off)
        print(Json{{"State", state}, {"Healthy", level == Level::ok}, {"Problems", problems}}, look.json);
    else
        print(text);
    return kind == HealthKind::nagios ? static_cast<int>(level) : level == Level::ok ? 0 : 1;
}

int health_of_nobody(const Failure& failure, HealthKind kind) {
    if (kind != HealthKind::nagios) throw failure;
    print(fmt::format("HOLDFAST CRITICAL - {}", printable(failure.what())));
    return static_cast<int>(Level::critical);
}

} // namespace holdfast::ctl
