// libcurl's multi interface (libcurl-multi(3)) in the prober's epoll: transfers in, their ends out. The drivers say what a
// transfer may do; here is only the waiting.
#pragma once

#include "ipc/epoll.hpp"
#include "prober/socket.hpp"

#include <curl/curl.h>

namespace holdfast::prober {

/// One transfer of a driver. It leaves the multi before it dies.
struct Transfer {
    Transfer();
    virtual ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    /// It is out of the multi already, and may destroy itself.
    virtual void ended(CURLcode result) = 0;
    template <typename Value>
    void set(CURLoption option, Value value) {
        curl_easy_setopt(easy, option, value);
    }
    /// For another request: nothing is left of the one before. Never curl_easy_reset(3): libcurl 7.88 keeps a pointer to the last
    /// header it stored, frees the header, and reads it when the next answer begins with a folded line.
    void renew();
    /// The socket was opened and what it said is bounded by `timeout`.
    void set_common(Duration timeout);
    /// Why it failed, for people; never a word of the other end's.
    std::string failure(CURLcode result) const;
    /// No descriptors, no memory, no such source: says nothing about the other end.
    bool is_our_fault(CURLcode result) const;

    CURL* easy;
    Time started{};
    Duration timeout{0};
    const model::ProbeSocket* how{nullptr}; ///< how its sockets are made; nothing: as they come
    curl_socket_t socket{CURL_SOCKET_BAD};  ///< the last one that was opened for it; perhaps closed again
    std::string socket_problem;             ///< why there is none
};

class CurlMulti {
  public:
    explicit CurlMulti(ipc::Epoll& epoll);
    ~CurlMulti();
    CurlMulti(const CurlMulti&) = delete;
    CurlMulti& operator=(const CurlMulti&) = delete;

    void add(Transfer&);
    void remove(Transfer&);

    void on_socket(int fd, std::uint32_t events);
    Time next_deadline() const { return deadline_; }
    void on_timer();

  private:
    static int socket_changed(CURL*, curl_socket_t, int what, void* self, void*);
    static int timer_changed(CURLM*, long milliseconds, void* self);
    void finish_all();

    ipc::Epoll& epoll_;
    CURLM* multi_;
    Time deadline_{never};
};

} // namespace holdfast::prober
