#include "bus/status_line.hpp"

#include "bus/utf8.hpp"

#include <fmt/format.h>

namespace holdfast::bus {
namespace {

constexpr std::size_t most_told_singly = 3;
constexpr std::size_t longest = 300;

std::string phrase(const engine::InstanceView& view) {
    const auto& name = view.model->name;
    if (view.state == "fault") return fmt::format("{} is in fault: {}", name, view.reason);
    if (view.state == "init") return fmt::format("{} is starting: {}", name, view.reason);
    if (view.state == "master") {
        const auto size = view.addresses.size();
        return fmt::format("{} is master{}, {} address{}", name, view.reason_code == "leaving" ? " and leaving" : "",
                           size, size == 1 ? "" : "es");
    }
    const auto held = view.held_back ? " (held back)" : "";
    return view.master ? fmt::format("{} is backup of {}{}", name, to_string(view.master->address), held)
                       : fmt::format("{} is backup{}, no master heard", name, held);
}

std::string summary(const engine::Snapshot& snapshot) {
    const auto census = count(snapshot);
    auto text = fmt::format("{} instances: {} master, {} fault", census.instances, census.masters, census.faults);
    std::string separator{": "};
    for (const auto& view : snapshot.instances) {
        if (view->state != "fault") continue;
        text += fmt::format("{}{} ({})", separator, view->model->name, view->reason);
        separator = ", ";
    }
    return text;
}

/// Cut at a whole UTF-8 character.
std::string bounded(std::string text) {
    text = utf8(text); // systemd drops a line that is not
    for (auto& byte : text)
        if (byte == '\n') byte = ' ';
    if (text.size() <= longest) return text;
    auto end = longest - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    return text.substr(0, end) + "...";
}

} // namespace

std::string status_line(const Shown& shown) {
    const auto& snapshot = *shown.snapshot;
    std::string text;
    if (snapshot.instances.empty())
        text = "no instances configured";
    else if (snapshot.instances.size() > most_told_singly)
        text = summary(snapshot);
    else
        for (const auto& view : snapshot.instances)
            text += (text.empty() ? "" : "; ") + phrase(*view);
    if (!snapshot.ipvs_problem.empty()) text += "; no virtual servers: " + snapshot.ipvs_problem;
    if (snapshot.stopping)
        text = "stopping: " + text;
    else if (snapshot.maintenance)
        text = "in maintenance: " + text;
    else if (shown.facts->last_reload_result != "ok")
        text += "; the last reload failed, the old configuration is in force";
    return bounded(std::move(text));
}

} // namespace holdfast::bus
