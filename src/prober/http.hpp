// The HTTP driver: libcurl does the protocol (libcurl-multi(3), socket interface), this says what a probe may do.
// Invariant: what a server sends can only make a probe good or bad: it is never kept, followed, unpacked or waited for
// beyond the timeout, and at most max_headers + max_body bytes of it are taken.
#pragma once

#include "ipc/epoll.hpp"
#include "prober/outcome.hpp"

#include <curl/curl.h>
#include <map>
#include <memory>

namespace holdfast::prober {

inline constexpr std::size_t max_headers = 64 * 1024; ///< bytes; more is a failure
inline constexpr std::size_t max_body = 1024 * 1024;  ///< bytes; more is cut off, the status has been seen by then

class HttpDriver {
  public:
    using Done = prober::Done;

    HttpDriver(ipc::Epoll& epoll, Done done);
    ~HttpDriver();
    HttpDriver(const HttpDriver&) = delete;
    HttpDriver& operator=(const HttpDriver&) = delete;

    /// GET `url`; the outcome comes within `timeout` (whole milliseconds, at least one). One probe per id at a time.
    void start(ipc::WatchId id, const std::string& url, Duration timeout, Time now);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return transfers_.contains(id); }

    void on_socket(int fd, std::uint32_t events);
    Time next_deadline() const { return deadline_; }
    void on_timer();

  private:
    struct Transfer;
    static int socket_changed(CURL*, curl_socket_t, int what, void* self, void*);
    static int timer_changed(CURLM*, long milliseconds, void* self);
    void finish_all();

    ipc::Epoll& epoll_;
    Done done_;
    CURLM* multi_;
    curl_slist* headers_;
    Time deadline_{never};
    std::map<ipc::WatchId, std::unique_ptr<Transfer>> transfers_;
};

} // namespace holdfast::prober
