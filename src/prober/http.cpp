#include "prober/http.hpp"

#include "base/assert.hpp"
#include "ipc/service.hpp"
#include "prober/http_reply.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

namespace holdfast::prober {

struct HttpDriver::Probe : Transfer {
    HttpDriver& driver;
    ipc::WatchId id;
    std::shared_ptr<const HttpPlan> plan;
    std::size_t at{0}; ///< of the steps
    Time began{};
    Duration whole{0}; ///< the timeout of all steps
    std::size_t header_bytes{0};
    bool enough{false}; ///< of the body
    Body body;

    Probe(HttpDriver& owner, ipc::WatchId number, std::shared_ptr<const HttpPlan> what)
        : driver{owner}, id{number}, plan{std::move(what)} {}
    void set_up();
    void set_tls();
    void begin_step();
    void ended(CURLcode result) override;
    std::string trouble(CURLcode result) const;
    std::string overdue() const;
    Outcome judge(CURLcode result);
    void finish(Outcome outcome);
    static std::size_t take_header(char*, std::size_t size, std::size_t count, void* self);
    static std::size_t take_body(char* text, std::size_t size, std::size_t count, void* self);
};

// Less than was given ends the transfer.
std::size_t HttpDriver::Probe::take_header(char*, std::size_t size, std::size_t count, void* self) {
    auto& bytes = static_cast<Probe*>(self)->header_bytes;
    bytes += size * count;
    return bytes <= max_headers ? size * count : 0;
}

std::size_t HttpDriver::Probe::take_body(char* text, std::size_t size, std::size_t count, void* self) {
    auto& probe = *static_cast<Probe*>(self);
    probe.enough = !probe.body.take({text, size * count});
    return probe.enough ? 0 : size * count;
}

void HttpDriver::Probe::set_up() {
    const auto& check = plan->check;
    constexpr long versions[] = {CURL_HTTP_VERSION_1_0, CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_0};
    const bool http2_plain = check.version == model::HttpVersion::v2 && !check.tls;
    set(CURLOPT_HTTP_VERSION,
        http2_plain ? long{CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE} : versions[static_cast<std::size_t>(check.version)]);
    set(CURLOPT_PROTOCOLS_STR, check.tls ? "https" : "http");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PATH_AS_IS, 1L);
    if (check.method == "HEAD")
        set(CURLOPT_NOBODY, 1L);
    else if (check.method != "GET")
        set(CURLOPT_CUSTOMREQUEST, check.method.c_str());
    set(CURLOPT_HTTPHEADER, plan->headers.get());
    set(CURLOPT_CONNECT_TO, plan->connect_to.get());
    set(CURLOPT_ADDRESS_SCOPE, static_cast<long>(plan->scope));
    set(CURLOPT_USERAGENT, HttpPlan::user_agent);
    set(CURLOPT_BUFFERSIZE, 4096L); // a hundred of it are read in a row, while the other probes wait
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, this);
    how = &plan->socket;
    if (check.tls) set_tls();
}

void HttpDriver::Probe::set_tls() {
    const auto& check = plan->check;
    set(CURLOPT_SSL_VERIFYPEER, check.verify ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, check.verify ? 2L : 0L);
    set(CURLOPT_SSL_SESSIONID_CACHE, 0L); // each probe sees a whole handshake
    set(CURLOPT_CAPATH, nullptr);         // one file can be cached, a directory can't
    if (!check.verify) set(CURLOPT_CAINFO, nullptr);
    if (check.verify && !check.ca_file.empty()) set(CURLOPT_CAINFO, check.ca_file.c_str());
    if (check.certificate_file.empty()) return;
    set(CURLOPT_SSLCERT, check.certificate_file.c_str());
    set(CURLOPT_SSLKEY, check.key_file.empty() ? check.certificate_file.c_str() : check.key_file.c_str());
}

void HttpDriver::Probe::begin_step() {
    header_bytes = 0;
    enough = false;
    plan->begin(body, at);
    set_common(whole);
    set(CURLOPT_TIMEOUT_MS, 0L); // on_timer is there
    set(CURLOPT_URL, plan->steps[at].url.c_str());
    driver.curl_.add(*this);
}

std::string HttpDriver::Probe::trouble(CURLcode result) const {
    // A line of more than 100 KiB is libcurl's "out of memory", and since 8.6 "too large", which older headers don't name.
    constexpr auto too_large = static_cast<CURLcode>(100);
    if (header_bytes > max_headers || result == CURLE_OUT_OF_MEMORY || result == too_large) return HttpPlan::too_long();
    switch (result) {
    case CURLE_SSL_CERTPROBLEM:
        return fmt::format("cannot use the certificate {} and its key", plan->check.certificate_file);
    case CURLE_SSL_CACERT_BADFILE: return fmt::format("cannot use the CA file {}", plan->check.ca_file);
    case CURLE_PEER_FAILED_VERIFICATION: {
        long why = 0;
        curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &why);
        return fmt::format("the server's certificate: {}", why <= X509_V_ERR_UNSPECIFIED
                                                               ? "it is not for this name"
                                                               : X509_verify_cert_error_string(why));
    }
    default: return failure(result);
    }
}

std::string HttpDriver::Probe::overdue() const {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return HttpPlan::overdue(::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0, whole);
}

Outcome HttpDriver::Probe::judge(CURLcode result) {
    const bool cut_off = result == CURLE_WRITE_ERROR && enough && header_bytes <= max_headers;
    if (result != CURLE_OK && !cut_off) {
        const bool file = result == CURLE_SSL_CERTPROBLEM || result == CURLE_SSL_CACERT_BADFILE;
        return {.detail = trouble(result), .our_fault = is_our_fault(result) || file};
    }
    long status = 0;
    long version = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    auto outcome = plan->judge(at, static_cast<unsigned>(status), body);
    if (outcome.ok && plan->check.version == model::HttpVersion::v2 && version != CURL_HTTP_VERSION_2_0)
        return {.detail = outcome.detail + ", but not by HTTP/2"};
    return outcome;
}

void HttpDriver::Probe::ended(CURLcode result) {
    auto outcome = judge(result);
    if (outcome.ok && at + 1 < plan->steps.size()) {
        ++at;
        renew();
        set_up();
        return begin_step();
    }
    finish(std::move(outcome));
}

void HttpDriver::Probe::finish(Outcome outcome) {
    outcome = plan->told(at, std::move(outcome));
    outcome.latency = std::max(ipc::clock_now() - began, Duration{0});
    auto& owner = driver;
    const auto number = id;
    owner.deadlines_.remove(began + whole, number);
    owner.probes_.erase(number); // and with it this
    owner.done_(number, outcome);
}

HttpDriver::HttpDriver(CurlMulti& curl, Done done) : curl_{curl}, done_{std::move(done)} {}

HttpDriver::~HttpDriver() {
    while (!probes_.empty())
        cancel(probes_.begin()->first);
}

void HttpDriver::start(ipc::WatchId id, std::shared_ptr<const HttpPlan> plan, Duration timeout) {
    HF_ASSERT(!busy(id));
    auto& probe = *probes_.emplace(id, std::make_unique<Probe>(*this, id, std::move(plan))).first->second;
    probe.began = ipc::clock_now();
    probe.whole = timeout;
    deadlines_.add(probe.began + timeout, id);
    probe.set_up();
    probe.begin_step();
}

void HttpDriver::cancel(ipc::WatchId id) {
    const auto it = probes_.find(id);
    if (it == probes_.end()) return;
    deadlines_.remove(it->second->began + it->second->whole, id);
    curl_.remove(*it->second);
    probes_.erase(it);
}

/// What has come in time is not late because this host was: the socket is looked at once more.
void HttpDriver::on_timer(Time now) {
    while (const auto id = deadlines_.take(now)) {
        const auto fd = probes_.at(*id)->socket; // not CURLINFO_ACTIVESOCKET: libcurl 8.14 does not tell it in time
        pollfd ready{fd, POLLIN, 0};
        if (fd != CURL_SOCKET_BAD && ::poll(&ready, 1, 0) == 1) curl_.on_socket(fd, EPOLLIN);
        const auto at = probes_.find(*id);
        if (at == probes_.end()) continue; // it has ended by that
        auto why = at->second->overdue();  // its socket is still there
        curl_.remove(*at->second);
        at->second->finish({.detail = std::move(why)});
    }
}

} // namespace holdfast::prober
