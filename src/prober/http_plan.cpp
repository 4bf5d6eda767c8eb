#include "prober/http_plan.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>
#include <net/if.h>

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
    : check{what}, socket{how} {
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
    if (!what.host.empty()) add_header("Host: " + what.host);
    for (const auto& line : what.headers)
        add_header(line);
}

} // namespace holdfast::prober
