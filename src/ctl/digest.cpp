// `digest`: the digest that a check of a page is to expect. It is made by the prober, as the checks are: what a server sends is
// read by nobody else, and what is printed here is what the check will see.
#include "ctl/commands.hpp"

#include "base/text.hpp"
#include "ipc/helper.hpp"
#include "ipc/service.hpp"

#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <curl/curl.h>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

namespace holdfast::ctl {
namespace {

[[noreturn]] void fail(const std::string& text) {
    throw Failure{Exit::failed, "org.freedesktop.DBus.Error.Failed", text};
}

struct Page {
    std::string host, path;
    std::uint16_t port{};
    bool tls{};
};

Page page_of(const std::string& url) {
    const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed{curl_url(), curl_url_cleanup};
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
        usage(fmt::format("'{}' is not a URL: write http://HOST/PATH or https://HOST:PORT/PATH", url));
    const auto part = [&](CURLUPart which, unsigned flags = 0) {
        char* text = nullptr;
        std::string result;
        if (curl_url_get(parsed.get(), which, &text, flags) == CURLUE_OK) result = text;
        curl_free(text);
        return result;
    };
    const auto scheme = part(CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") usage(fmt::format("'{}' is neither http nor https", url));
    Page page{.host = part(CURLUPART_HOST), .path = part(CURLUPART_PATH), .tls = scheme == "https"};
    if (page.host.starts_with('[')) page.host = page.host.substr(1, page.host.size() - 2);
    if (const auto query = part(CURLUPART_QUERY); !query.empty()) page.path += '?' + query;
    const auto port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
    std::from_chars(port.data(), port.data() + port.size(), page.port);
    return page;
}

IpAddress resolve(const std::string& host) {
    if (const auto literal = parse_ip(host)) return *literal;
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{found, ::freeaddrinfo};
    if (error != 0 || !found) fail(fmt::format("{} has no address: {}", host, ::gai_strerror(error)));
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    const auto address = parse_ip(text.data());
    if (!address) fail(fmt::format("{} has no address that can be used", host));
    return *address;
}

/// Nobody's digest: the prober says which one it is instead.
model::HttpCheck check_of(const Page& page, const DigestOrder& order) {
    model::HttpCheck check;
    check.host = order.virtual_host.empty() ? page.host : order.virtual_host;
    check.tls = page.tls;
    check.server_name = page.tls && order.server_name ? check.host : "";
    check.requests.front().path = page.path;
    const bool md5 = order.kind == model::DigestKind::md5;
    check.requests.front().digest = model::BodyDigest{order.kind, std::string(md5 ? 32 : 64, '0')};
    return check;
}

std::string ask_prober(const ipc::StartCheck& request, const std::string& directory) {
    ipc::Helper prober{{.name = "holdfast-prober", .command = {directory + "/holdfast-prober"}}};
    std::optional<ipc::Verdict> verdict;
    const auto take = [&](std::vector<ipc::HelperEvent> events) {
        for (auto& event : events) {
            if (const auto* died = std::get_if<ipc::HelperDied>(&event)) fail(died->reason);
            if (const auto* reported = std::get_if<ipc::Reported>(&event))
                if (const auto* one = std::get_if<ipc::Verdict>(&reported->report)) verdict = *one;
        }
    };
    take(prober.start(ipc::clock_now()));
    if (const auto asked = prober.subscribe(request, ipc::clock_now()); !asked) usage(asked.error());
    while (!verdict) {
        pollfd wait{prober.fd(), POLLIN, 0};
        ::poll(&wait, 1, 100);
        take(prober.on_readable(ipc::clock_now()));
        if (ipc::clock_now() >= prober.next_deadline()) take(prober.on_deadline(ipc::clock_now()));
    }
    return verdict->detail;
}

} // namespace

void digest(const Look& look, const DigestOrder& order) {
    const auto page = page_of(order.url);
    ipc::StartCheck request{.id = ipc::WatchId{1},
                            .what = check_of(page, order),
                            .address = resolve(page.host),
                            .port = page.port,
                            .socket = {},
                            .interval = order.timeout,
                            .timeout = order.timeout};
    const auto answer = ask_prober(request, order.helper_directory);
    if (!answer.starts_with(ipc::digest_found)) fail(fmt::format("{}: {}", order.url, answer));
    const auto hex = answer.substr(ipc::digest_found.size());
    const bool md5 = order.kind == model::DigestKind::md5;
    if (order.as_genhash) return print(fmt::format("{} = {}", md5 ? "MD5SUM" : "SHA256SUM", hex));
    const auto text = fmt::format("{}:{}", md5 ? "md5" : "sha256", hex); // as the directive wants it
    if (look.json != JsonStyle::off) return print(Json{{"Url", order.url}, {"Digest", text}}, look.json);
    print(text);
}

} // namespace holdfast::ctl
