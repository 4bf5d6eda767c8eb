#include "prober/curl.hpp"

#include "base/assert.hpp"
#include "ipc/service.hpp"
#include "prober/outcome.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

namespace holdfast::prober {

namespace {

// So that what this host refuses is told apart from what the server does.
curl_socket_t open_for(void* asked, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(asked);
    static const model::ProbeSocket plain;
    auto fd = open_socket(address->family, address->socktype, address->protocol,
                          transfer.how != nullptr ? *transfer.how : plain);
    if (fd) return transfer.socket = fd->release();
    transfer.socket_problem = fd.error();
    return CURL_SOCKET_BAD;
}

} // namespace

// ---- a transfer -----------------------------------------------------------------------------------------------------------

Transfer::Transfer() : easy{curl_easy_init()} {
    HF_ASSERT(easy != nullptr);
}

Transfer::~Transfer() {
    curl_easy_cleanup(easy);
}

void Transfer::renew() {
    curl_easy_cleanup(easy);
    easy = curl_easy_init();
    HF_ASSERT(easy != nullptr);
}

void Transfer::set_common(Duration limit) {
    started = ipc::clock_now();
    timeout = limit;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<decltype(milliseconds)>(milliseconds, 1))); // 0 is for ever
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");         // also none from the environment
    set(CURLOPT_FRESH_CONNECT, 1L); // each one proves that a connection can be made
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_TCP_NODELAY, 0L);       // one short request: nothing waits behind it
    set(CURLOPT_DNS_CACHE_TIMEOUT, 0L); // libcurl walks all of its cache after each transfer
    set(CURLOPT_OPENSOCKETFUNCTION, &open_for);
    set(CURLOPT_OPENSOCKETDATA, this);
}

std::string Transfer::failure(CURLcode result) const {
    if (!socket_problem.empty()) return socket_problem;
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

bool Transfer::is_our_fault(CURLcode result) const {
    long error = 0;
    if (result == CURLE_COULDNT_CONNECT) curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    return !socket_problem.empty() || error == EADDRNOTAVAIL;
}

// ---- all of them ----------------------------------------------------------------------------------------------------------

CurlMulti::CurlMulti(ipc::Epoll& epoll) : epoll_{epoll}, multi_{curl_multi_init()} {
    HF_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::socket_changed);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::timer_changed);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlMulti::~CurlMulti() {
    curl_multi_cleanup(multi_);
}

void CurlMulti::add(Transfer& transfer) {
    curl_multi_add_handle(multi_, transfer.easy); // asks for a timer, which does the rest
}

void CurlMulti::remove(Transfer& transfer) {
    curl_multi_remove_handle(multi_, transfer.easy);
}

void CurlMulti::on_socket(int fd, std::uint32_t events) {
    int what = 0;
    if ((events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, fd, what, &running);
    finish_all();
}

void CurlMulti::on_timer() {
    deadline_ = never; // libcurl sets the next one
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_all();
}

void CurlMulti::finish_all() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto result = message->data.result;
        char* private_data = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        auto& transfer = *reinterpret_cast<Transfer*>(private_data);
        remove(transfer); // `message` is gone with it
        transfer.ended(result);
    }
}

int CurlMulti::socket_changed(CURL*, curl_socket_t fd, int what, void* self, void* is_known) {
    auto& multi = *static_cast<CurlMulti*>(self);
    std::uint32_t events = 0;
    if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE)
        multi.epoll_.remove(fd);
    else if (is_known != nullptr || !multi.epoll_.add(fd, events))
        multi.epoll_.set(fd, events);
    if (what != CURL_POLL_REMOVE) curl_multi_assign(multi.multi_, fd, self); // any pointer: from now on it is known
    return 0;
}

int CurlMulti::timer_changed(CURLM*, long milliseconds, void* self) {
    static_cast<CurlMulti*>(self)->deadline_ =
        milliseconds < 0 ? never : ipc::clock_now() + std::chrono::milliseconds{milliseconds};
    return 0;
}

} // namespace holdfast::prober
