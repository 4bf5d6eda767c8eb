#include "prober/http_plan.hpp"

#include "base/assert.hpp"
#include "prober/http_reply.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <net/if.h>
#include <strings.h>

namespace holdfast::prober {

namespace {

std::string in_url(const IpAddress& address) {
    return address.family == Family::ipv4 ? to_string(address) : fmt::format("[{}]", to_string(address));
}

/// "example.org:8080" without its port, "[2001:db8::1]:80" too.
std::string without_port(const std::string& host) {
    const auto colon = host.rfind(':');
    if (colon == std::string::npos || host.find(']', colon) != std::string::npos) return host;
    return host.substr(0, colon);
}

/// Whom TLS has to do with; a name that no certificate can have is the address.
std::string server_of(const model::HttpCheck& check, const Endpoint& to) {
    const auto name = check.server_name.empty() ? without_port(check.host) : check.server_name;
    return !check.tls || name.empty() ? in_url(to.address) : name;
}

// ---- a request ------------------------------------------------------------------------------------------------------------

using Lines = std::vector<std::string>;

/// Of "Name: value".
bool is_header(const std::string& line, std::string_view name) {
    return line.size() > name.size() && line[name.size()] == ':' &&
           ::strncasecmp(line.data(), name.data(), name.size()) == 0;
}
bool has_value(const std::string& line) {
    return line.find_first_not_of(" \t", line.find(':') + 1) != line.npos;
}

/// libcurl's rules: a header of ours takes the place of the default of its name, without a value it only takes it away, and Host is
/// the first and the only one.
std::string header_section(const Lines& ours, const std::string& host) {
    const auto find = [&](std::string_view name) {
        return std::ranges::find_if(ours, [&](const auto& line) { return is_header(line, name); });
    };
    std::string out;
    if (const auto at = find("Host"); at == ours.end())
        out += fmt::format("Host: {}\r\n", host);
    else if (has_value(*at))
        out += fmt::format("Host:{}\r\n", at->substr(at->find(':') + 1));
    if (find("User-Agent") == ours.end()) out += fmt::format("User-Agent: {}\r\n", HttpPlan::user_agent);
    if (find("Accept") == ours.end()) out += "Accept: */*\r\n";
    for (const auto& line : ours)
        if (has_value(line) && !is_header(line, "Host")) out += line + "\r\n";
    return out + "\r\n";
}

Lines lines_of(const model::HttpCheck& check) {
    Lines lines;
    if (!check.host.empty()) lines.push_back("Host: " + check.host);
    lines.insert(lines.end(), check.headers.begin(), check.headers.end());
    return lines;
}

} // namespace

void HttpPlan::add_header(const std::string& line) {
    auto* const longer = curl_slist_append(headers.get(), line.c_str());
    HF_ASSERT(longer != nullptr);
    static_cast<void>(headers.release());
    headers.reset(longer);
}

HttpPlan::HttpPlan(const std::string& url) {
    add_header("Accept-Encoding: identity");
    steps.push_back({.url = url, .status = {{200, 299}}});
}

HttpPlan::HttpPlan(const model::HttpCheck& what, const Endpoint& to, const model::ProbeSocket& how)
    : check{what}, socket{how}, is_plain{!what.tls && what.version != model::HttpVersion::v2} {
    check.requests.clear();
    const auto server = server_of(what, to);
    const auto base = fmt::format("{}://{}:{}", what.tls ? "https" : "http", server, to.port);
    for (const auto& request : what.requests) {
        auto& step = steps.emplace_back(base + request.path, request.status, request.digest);
        if (!request.body) continue;
        auto pattern = Pattern::compile(*request.body);
        if (pattern)
            step.body.emplace(*std::move(pattern));
        else
            problem = pattern.error();
    }
    if (server != in_url(to.address))
        connect_to.reset(curl_slist_append(nullptr, fmt::format("::{}:{}", in_url(to.address), to.port).c_str()));
    if (to.address.is_link_local()) scope = ::if_nametoindex(how.interface.c_str());
    const auto lines = lines_of(what);
    for (const auto& line : lines)
        add_header(line);
    if (is_plain)
        write_requests(what, header_section(lines, to.port == 80 ? server : fmt::format("{}:{}", server, to.port)));
}

void HttpPlan::write_requests(const model::HttpCheck& what, const std::string& header_section) {
    const auto* const version = what.version == model::HttpVersion::v1_0 ? "1.0" : "1.1";
    for (std::size_t i = 0; i < steps.size(); ++i)
        steps[i].request =
            fmt::format("{} {} HTTP/{}\r\n{}", what.method, what.requests[i].path, version, header_section);
}

// ---- an answer ------------------------------------------------------------------------------------------------------------

void HttpPlan::begin(Body& body, std::size_t step) const {
    const auto& pattern = steps[step].body;
    body.begin(steps[step].digest, pattern ? &*pattern : nullptr);
}

Outcome HttpPlan::judge(std::size_t step, unsigned status, const Body& body) const {
    const auto within = [status](const auto& range) { return status >= range.first && status <= range.second; };
    auto detail = fmt::format("status {}", status);
    if (!std::ranges::any_of(steps[step].status, within)) return {.detail = std::move(detail)};
    if (auto bad = body.judge()) return *std::move(bad);
    return {.ok = true, .detail = std::move(detail)};
}

Outcome HttpPlan::told(std::size_t step, Outcome outcome) const {
    if (steps.size() > 1) outcome.detail = fmt::format("request {}: {}", step + 1, outcome.detail);
    outcome.detail = ipc::printable(outcome.detail);
    return outcome;
}

std::string HttpPlan::overdue(bool is_connected, Duration timeout) {
    return fmt::format("no {} within {}", is_connected ? "complete answer" : "connection", to_string(timeout));
}

std::string HttpPlan::too_long() {
    return fmt::format("headers longer than {} KiB", max_headers / 1024);
}

} // namespace holdfast::prober
