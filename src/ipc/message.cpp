#include "ipc/message.hpp"

#include "ipc/limits.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <net/if.h>

namespace holdfast::ipc {

namespace {

constexpr std::int32_t greatest_pid = 4194304; // PID_MAX_LIMIT, proc(5)

bool is_printable(char c) {
    return c >= ' ' && c <= '~';
}

Result<void> check(const StartHttp& m) {
    if (auto url = required_text("URL", m.url, max_url); !url) return url;
    if (auto interval = probe_time("interval", m.interval); !interval) return interval;
    return probe_time("timeout", m.timeout);
}
Result<void> check(const Stop&) {
    return {};
}
Result<void> check(const StartTcp& m) {
    if (auto address = required_text("address", m.address, max_url); !address) return address;
    if (auto interval = probe_time("interval", m.interval); !interval) return interval;
    return probe_time("timeout", m.timeout);
}
Result<void> check(const StartCarrier& m) {
    if (auto interface = required_text("interface", m.interface, IF_NAMESIZE - 1); !interface) return interface;
    return probe_time("interval", m.interval);
}
/// Bounded in all, too, so that whatever passes fits into one packet.
Result<void> words(std::string_view what, const model::Words& list, std::size_t most = 36'000) {
    std::size_t bytes = 0;
    for (const auto& each : list)
        bytes += each.size() + 2;
    if (bytes > most) return unexpected{fmt::format("{} of more than {} bytes", what, most)};
    if (list.size() > max_words) return unexpected{fmt::format("{} of more than {} words", what, max_words)};
    for (const auto& each : list) {
        if (each.size() > max_word)
            return unexpected{fmt::format("a word of {} is longer than {} bytes", what, max_word)};
        if (each.find('\0') != std::string::npos)
            return unexpected{fmt::format("a word of {} contains a zero byte", what)};
    }
    return {};
}
Result<void> program(const model::Words& argv, const std::string& user) {
    if (argv.empty() || !argv[0].starts_with('/')) return unexpected{std::string{"a script without an absolute path"}};
    if (!user.empty())
        if (auto name = required_text("user", user, max_process_name); !name) return name;
    return words("the script", argv);
}
Result<void> check(const WatchProcesses& m) {
    if (!m.name.empty() || m.words.empty())
        if (auto name = required_text("process name", m.name, max_process_name); !name) return name;
    if (m.match > model::Match::partial) return unexpected{std::string{"unknown way to compare words"}};
    if (m.quorum > 65535) return unexpected{fmt::format("quorum {} is not within 0 to 65535", m.quorum)};
    return words("the process", m.words);
}
Result<void> check(const StartScript& m) {
    if (auto script = program(m.argv, m.user); !script) return script;
    if (auto interval = probe_time("interval", m.interval); !interval) return interval;
    return probe_time("timeout", m.timeout);
}
Result<void> check(const RunScript& m) {
    if (auto script = program(m.argv, m.user); !script) return script;
    if (auto environment = words("the environment", m.environment, 16'000); !environment) return environment;
    return probe_time("timeout", m.timeout);
}
Result<void> check(const WatchFile& m) {
    return required_text("path", m.path, max_path);
}
Result<void> check(const WriteLine& m) {
    if (auto path = required_text("path", m.path, max_path); !path) return path;
    return required_text("line", m.line, max_line);
}
/// Goes into a line of the protocol: without an end of it.
Result<void> word_of_mail(std::string_view what, const std::string& value) {
    if (auto given = required_text(what, value, max_url); !given) return given;
    const bool whole = value.find_first_of("\r\n") == std::string::npos;
    return whole ? Result<void>{} : unexpected{fmt::format("the {} contains the end of a line", what)};
}
Result<void> check(const SendMail& m) {
    if (!m.server.starts_with("smtp://") && !m.server.starts_with("smtps://"))
        return unexpected{std::string{"a mail server that is neither smtp nor smtps"}};
    for (const auto& [what, value] :
         {std::pair{"mail server", &m.server}, std::pair{"name of the host", &m.hello}, std::pair{"sender", &m.from}})
        if (auto fine = word_of_mail(what, *value); !fine) return fine;
    if (m.to.empty()) return unexpected{std::string{"mail without a recipient"}};
    for (const auto& each : m.to)
        if (auto fine = word_of_mail("recipient", each); !fine) return fine;
    if (auto recipients = words("the recipients", m.to, 16'000); !recipients) return recipients;
    for (const auto* optional : {&m.user, &m.password, &m.ca_file})
        if (!optional->empty())
            if (auto fine = required_text("login", *optional, max_path); !fine) return fine;
    if (auto message = required_text("message", m.text, max_mail); !message) return message;
    return probe_time("timeout", m.timeout);
}
Result<void> check(const StartCheck& m) {
    return limits_of(m);
}
Result<void> check(const Unwatch&) {
    return {};
}
Result<void> check(const Verdict& m) {
    if (m.detail.size() > max_detail) return unexpected{fmt::format("the detail is longer than {} bytes", max_detail)};
    if (!std::ranges::all_of(m.detail, is_printable)) return unexpected{std::string{"the detail is not printable"}};
    if (m.latency < Duration{0} || m.latency > longest_probe)
        return unexpected{std::string{"the latency is out of range"}};
    if (m.lateness < Duration{0} || m.lateness > longest_probe)
        return unexpected{std::string{"the lateness is out of range"}};
    if (m.ok && m.unknown) return unexpected{std::string{"good and unknown at once"}};
    return {};
}
Result<void> detail_of(const std::string& detail) {
    if (detail.size() > max_detail) return unexpected{fmt::format("the detail is longer than {} bytes", max_detail)};
    if (!std::ranges::all_of(detail, is_printable)) return unexpected{std::string{"the detail is not printable"}};
    return {};
}
Result<void> check(const FileFound& m) {
    return detail_of(m.detail);
}
Result<void> check(const Ended& m) {
    if (m.took < Duration{0} || m.took > longest_probe) return unexpected{std::string{"the duration is out of range"}};
    return detail_of(m.detail);
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
