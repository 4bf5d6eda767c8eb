#include "prober/http.hpp"

#include "base/assert.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::prober {

namespace {

std::size_t count_header(char*, std::size_t size, std::size_t count, void* counted) {
    auto& bytes = *static_cast<std::size_t*>(counted);
    bytes += size * count;
    return bytes <= max_headers ? size * count : 0; // less than was given ends the transfer
}

std::size_t count_body(char*, std::size_t size, std::size_t count, void* counted) {
    auto& bytes = *static_cast<std::size_t*>(counted);
    bytes += size * count;
    return bytes <= max_body ? size * count : 0;
}

} // namespace

struct HttpDriver::Probe : Transfer {
    HttpDriver& driver;
    ipc::WatchId id;
    std::size_t header_bytes{0};
    std::size_t body_bytes{0};

    Probe(HttpDriver& owner, ipc::WatchId number) : driver{owner}, id{number} {}
    void set_up(const std::string& url, curl_slist* headers);
    void ended(CURLcode result) override;
    Outcome outcome(CURLcode result) const;
};

void HttpDriver::Probe::set_up(const std::string& url, curl_slist* headers) {
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_USERAGENT, "holdfast");
    set(CURLOPT_BUFFERSIZE, 16384L);
    set(CURLOPT_HEADERFUNCTION, &count_header);
    set(CURLOPT_HEADERDATA, &header_bytes);
    set(CURLOPT_WRITEFUNCTION, &count_body);
    set(CURLOPT_WRITEDATA, &body_bytes);
}

Outcome HttpDriver::Probe::outcome(CURLcode result) const {
    Outcome outcome;
    outcome.latency = std::max(ipc::clock_now() - started, Duration{0});
    const bool cut_off = result == CURLE_WRITE_ERROR && body_bytes > max_body && header_bytes <= max_headers;
    if (result == CURLE_OK || cut_off) {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        outcome.ok = status >= 200 && status <= 299;
        outcome.detail = fmt::format("status {}", status);
        return outcome;
    }
    outcome.our_fault = is_our_fault(result);
    outcome.detail = ipc::printable(
        header_bytes > max_headers ? fmt::format("headers longer than {} KiB", max_headers / 1024) : failure(result));
    return outcome;
}

void HttpDriver::Probe::ended(CURLcode result) {
    auto& owner = driver;
    const auto number = id;
    const auto what = outcome(result);
    owner.probes_.erase(number); // and with it this
    owner.done_(number, what);
}

HttpDriver::HttpDriver(CurlMulti& curl, Done done)
    : curl_{curl}, done_{std::move(done)}, headers_{curl_slist_append(nullptr, "Accept-Encoding: identity")} {
    HF_ASSERT(headers_ != nullptr);
}

HttpDriver::~HttpDriver() {
    while (!probes_.empty())
        cancel(probes_.begin()->first);
    curl_slist_free_all(headers_);
}

void HttpDriver::start(ipc::WatchId id, const std::string& url, Duration timeout) {
    HF_ASSERT(!busy(id));
    auto& probe = *probes_.emplace(id, std::make_unique<Probe>(*this, id)).first->second;
    probe.set_common(timeout);
    probe.set_up(url, headers_);
    curl_.add(probe);
}

void HttpDriver::cancel(ipc::WatchId id) {
    const auto it = probes_.find(id);
    if (it == probes_.end()) return;
    curl_.remove(*it->second);
    probes_.erase(it);
}

} // namespace holdfast::prober
