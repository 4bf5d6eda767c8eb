#include "ipc/message.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::ipc {

namespace {

constexpr std::int32_t greatest_pid = 4194304; // PID_MAX_LIMIT, proc(5)

bool is_printable(char c) {
    return c >= ' ' && c <= '~';
}

Result<void> probe_time(std::string_view what, Duration value) {
    if (value >= shortest_probe && value <= longest_probe) return {};
    return unexpected{fmt::format("{} {} is not within {} to {}", what, to_string(value), to_string(shortest_probe),
                                  to_string(longest_probe))};
}

Result<void> text(std::string_view what, const std::string& value, std::size_t longest) {
    if (value.empty()) return unexpected{fmt::format("the {} is empty", what)};
    if (value.size() > longest) return unexpected{fmt::format("the {} is longer than {} bytes", what, longest)};
    if (value.find('\0') != std::string::npos) return unexpected{fmt::format("the {} contains a zero byte", what)};
    return {};
}

Result<void> check(const StartHttp& m) {
    if (auto url = text("URL", m.url, max_url); !url) return url;
    if (auto interval = probe_time("interval", m.interval); !interval) return interval;
    return probe_time("timeout", m.timeout);
}
Result<void> check(const Stop&) {
    return {};
}
Result<void> check(const WatchProcesses& m) {
    if (auto name = text("process name", m.name, max_process_name); !name) return name;
    if (m.quorum < 1 || m.quorum > 65535)
        return unexpected{fmt::format("quorum {} is not within 1 to 65535", m.quorum)};
    return {};
}
Result<void> check(const Unwatch&) {
    return {};
}
Result<void> check(const Verdict& m) {
    if (m.detail.size() > max_detail) return unexpected{fmt::format("the detail is longer than {} bytes", max_detail)};
    if (!std::ranges::all_of(m.detail, is_printable)) return unexpected{std::string{"the detail is not printable"}};
    if (m.latency < Duration{0} || m.latency > longest_probe)
        return unexpected{std::string{"the latency is out of range"}};
    return {};
}
Result<void> check(const ProcessesFound& m) {
    if (m.processes.size() > max_processes_a_message)
        return unexpected{std::string{"too many processes in one message"}};
    for (const auto& process : m.processes)
        if (process.pid < 1 || process.pid > greatest_pid) return unexpected{fmt::format("no pid: {}", process.pid)};
    if (descriptors_of(m) > max_descriptors) return unexpected{std::string{"too many descriptors in one message"}};
    return {};
}

} // namespace

std::size_t descriptors_of(const Report& report) {
    const auto* found = std::get_if<ProcessesFound>(&report);
    if (found == nullptr) return 0;
    return static_cast<std::size_t>(std::ranges::count_if(found->processes, &ProcessInfo::has_fd));
}

Result<void> valid(const Request& request) {
    return std::visit([](const auto& each) { return check(each); }, request);
}

Result<void> valid(const Report& report) {
    return std::visit([](const auto& each) { return check(each); }, report);
}

std::string printable(std::string_view raw) {
    std::string out{raw.substr(0, max_detail)};
    std::ranges::replace_if(out, [](char c) { return !is_printable(c); }, '?');
    return out;
}

} // namespace holdfast::ipc
