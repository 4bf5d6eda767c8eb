#include "daemon/mail_text.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <vector>

namespace holdfast::daemon {
namespace {

/// No reason can end a line, and so begin a header or a command.
std::string one_line(std::string_view text) {
    std::string out{text.substr(0, 900)}; // RFC 5322 2.1.1: 998
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return out;
}

/// In English, whatever the locale (RFC 5322 3.3).
std::string date(std::time_t moment) {
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto utc = fmt::gmtime(moment);
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", days[static_cast<std::size_t>(utc.tm_wday)],
                       utc.tm_mday, months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                       utc.tm_min, utc.tm_sec);
}

std::string_view kind_of(const engine::Transition& edge) {
    if (edge.is_server()) return edge.is_real_server() ? "real server" : "virtual server";
    return edge.is_group() ? "sync group" : "instance";
}

/// "web/s1 is down", "web has lost its quorum".
std::string news(const engine::Transition& edge) {
    if (edge.is_real_server()) return fmt::format("{} is {}", edge.instance, edge.to);
    return fmt::format("{} has {} its quorum", edge.instance, edge.to == "quorum" ? "reached" : "lost");
}

std::string subject(const engine::Transition& edge, const std::string& node) {
    if (edge.is_server()) return fmt::format("[{}] {} {}", node, kind_of(edge), news(edge));
    const auto what = kind_of(edge);
    if (edge.to == "init")
        return fmt::format("[{}] VRRP {} {} {}", node, what, edge.instance, edge.deleted ? "was deleted" : "stops");
    return fmt::format("[{}] VRRP {} {} is {} now", node, what, edge.instance, edge.to);
}

std::vector<std::string> body(const engine::Transition& edge, const std::string& node, std::time_t sent) {
    std::vector<std::string> lines{
        fmt::format("{} {} on {}: {} -> {}", kind_of(edge), edge.instance, node, edge.from, edge.to),
        fmt::format("why: {}", edge.reason.empty() ? edge.reason_code : edge.reason)};
    if (!edge.is_server()) lines.push_back(fmt::format("priority: {}", edge.priority.value));
    lines.push_back(fmt::format("when: {}", date(sent)));
    if (edge.model) {
        lines.push_back(fmt::format("interface: {}, vrid {}", edge.model->interface, edge.model->vrid.value));
        constexpr std::size_t shown = 20;
        for (std::size_t i = 0; i < std::min(shown, edge.model->addresses.size()); ++i)
            lines.push_back("address: " + to_string(edge.model->addresses[i].prefix()));
        if (edge.model->addresses.size() > shown)
            lines.push_back(fmt::format("and {} addresses more", edge.model->addresses.size() - shown));
    }
    if (edge.group) lines.push_back("instances: " + join(edge.group->instances, ", "));
    lines.push_back("");
    lines.push_back(edge.is_server() ? "holdfastctl ipvs" : "holdfastctl show " + edge.instance);
    return lines;
}

} // namespace

std::string mail_text(const model::Mail& mail, const engine::Transition& edge, const std::string& node,
                      std::time_t sent) {
    std::vector<std::string> lines{"Date: " + date(sent),
                                   "From: holdfast on " + node + " <" + mail.from + ">",
                                   "To: " + join(mail.to, ", "),
                                   "Subject: " + subject(edge, node),
                                   fmt::format("Message-ID: <{}.{}.{}@holdfast>", sent, edge.number, node),
                                   "Auto-Submitted: auto-generated",
                                   "MIME-Version: 1.0",
                                   "Content-Type: text/plain; charset=utf-8",
                                   "Content-Transfer-Encoding: 8bit",
                                   ""};
    for (auto& line : body(edge, node, sent))
        lines.push_back(std::move(line));
    std::string out;
    for (const auto& line : lines)
        out += one_line(line) + "\r\n";
    return out;
}

} // namespace holdfast::daemon
