// The HTTP driver: libcurl does the protocol, this says what a probe may do.
// Invariant: what a server sends can only make a probe good or bad: it is never kept, followed, unpacked or waited for
// beyond the timeout, and at most max_headers + max_body bytes of it are taken.
#pragma once

#include "prober/curl.hpp"
#include "prober/outcome.hpp"

#include <map>
#include <memory>

namespace holdfast::prober {

inline constexpr std::size_t max_headers = 64 * 1024; ///< bytes; more is a failure
inline constexpr std::size_t max_body = 1024 * 1024;  ///< bytes; more is cut off, the status has been seen by then

class HttpDriver {
  public:
    using Done = prober::Done;

    HttpDriver(CurlMulti& curl, Done done);
    ~HttpDriver();
    HttpDriver(const HttpDriver&) = delete;
    HttpDriver& operator=(const HttpDriver&) = delete;

    /// GET `url`; the outcome comes within `timeout` (whole milliseconds, at least one). One probe per id at a time.
    void start(ipc::WatchId id, const std::string& url, Duration timeout);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return probes_.contains(id); }

  private:
    struct Probe;

    CurlMulti& curl_;
    Done done_;
    curl_slist* headers_;
    std::map<ipc::WatchId, std::unique_ptr<Probe>> probes_;
};

} // namespace holdfast::prober
