#include "prober/http.hpp"

#include "base/assert.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

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

// So that running out of descriptors is told apart from a server that refuses.
curl_socket_t open_socket(void* failed, curlsocktype, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd < 0) *static_cast<int*>(failed) = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

} // namespace

struct HttpDriver::Transfer {
    Transfer() = default;
    ~Transfer() { curl_easy_cleanup(easy); }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    CURL* easy{curl_easy_init()};
    ipc::WatchId id;
    Time started;
    Duration timeout{0};
    std::size_t header_bytes{0};
    std::size_t body_bytes{0};
    int socket_error{0};

    void set_up(const std::string& url, curl_slist* headers);
    Outcome outcome(CURLcode result) const;
    std::string failure(CURLcode result) const;
};

void HttpDriver::Transfer::set_up(const std::string& url, curl_slist* headers) {
    const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<decltype(milliseconds)>(milliseconds, 1))); // 0 is for ever
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");         // also none from the environment
    set(CURLOPT_FRESH_CONNECT, 1L); // each probe proves that a connection can be made
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_USERAGENT, "holdfast");
    set(CURLOPT_BUFFERSIZE, 16384L);
    set(CURLOPT_HEADERFUNCTION, &count_header);
    set(CURLOPT_HEADERDATA, &header_bytes);
    set(CURLOPT_WRITEFUNCTION, &count_body);
    set(CURLOPT_WRITEDATA, &body_bytes);
    set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set(CURLOPT_OPENSOCKETDATA, &socket_error);
}

std::string HttpDriver::Transfer::failure(CURLcode result) const {
    if (header_bytes > max_headers) return fmt::format("headers longer than {} KiB", max_headers / 1024);
    long error = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return fmt::format("no complete answer within {}", to_string(timeout));
    case CURLE_COULDNT_CONNECT:
        return error == 0 ? "cannot connect"
                          : fmt::format("cannot connect: {}", std::strerror(static_cast<int>(error)));
    default: return curl_easy_strerror(result);
    }
}

Outcome HttpDriver::Transfer::outcome(CURLcode result) const {
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
    outcome.our_fault = lacks_resources(socket_error) || result == CURLE_OUT_OF_MEMORY;
    outcome.detail =
        ipc::printable(outcome.our_fault && socket_error != 0 ? std::strerror(socket_error) : failure(result));
    return outcome;
}

HttpDriver::HttpDriver(ipc::Epoll& epoll, Done done)
    : epoll_{epoll}, done_{std::move(done)}, multi_{curl_multi_init()},
      headers_{curl_slist_append(nullptr, "Accept-Encoding: identity")} {
    HF_ASSERT(multi_ != nullptr && headers_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &HttpDriver::socket_changed);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &HttpDriver::timer_changed);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

HttpDriver::~HttpDriver() {
    while (!transfers_.empty())
        cancel(transfers_.begin()->first);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
}

void HttpDriver::start(ipc::WatchId id, const std::string& url, Duration timeout, Time now) {
    HF_ASSERT(!busy(id));
    auto transfer = std::make_unique<Transfer>();
    HF_ASSERT(transfer->easy != nullptr);
    transfer->id = id;
    transfer->started = now;
    transfer->timeout = timeout;
    transfer->set_up(url, headers_);
    CURL* const easy = transfer->easy;
    transfers_.emplace(id, std::move(transfer));
    curl_multi_add_handle(multi_, easy); // asks for a timer, which does the rest
}

void HttpDriver::cancel(ipc::WatchId id) {
    const auto it = transfers_.find(id);
    if (it == transfers_.end()) return;
    curl_multi_remove_handle(multi_, it->second->easy);
    transfers_.erase(it);
}

void HttpDriver::on_socket(int fd, std::uint32_t events) {
    int what = 0;
    if ((events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, fd, what, &running);
    finish_all();
}

void HttpDriver::on_timer() {
    deadline_ = never; // libcurl sets the next one
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_all();
}

void HttpDriver::finish_all() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        char* private_data = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        const auto& transfer = *static_cast<const Transfer*>(static_cast<void*>(private_data));
        const ipc::WatchId id = transfer.id;
        const Outcome outcome = transfer.outcome(message->data.result);
        cancel(id); // `message` is gone with it
        done_(id, outcome);
    }
}

int HttpDriver::socket_changed(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& driver = *static_cast<HttpDriver*>(self);
    std::uint32_t events = 0;
    if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE)
        driver.epoll_.remove(fd);
    else
        driver.epoll_.set(fd, events);
    return 0;
}

int HttpDriver::timer_changed(CURLM*, long milliseconds, void* self) {
    static_cast<HttpDriver*>(self)->deadline_ =
        milliseconds < 0 ? never : ipc::clock_now() + std::chrono::milliseconds{milliseconds};
    return 0;
}

} // namespace holdfast::prober
