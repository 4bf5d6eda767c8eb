// The HTTP driver of TLS, of HTTP/2 and of URLs (prober/web makes the plain probes): libcurl does the protocol, this says what a
// probe may do. The requests of a check are made one after
// another, each on a connection of its own. Invariant: what a server sends can only make a probe good or bad: it is never
// followed, unpacked or waited for beyond the timeout, and no more of it is taken than Body wants.
#pragma once

#include "prober/curl.hpp"
#include "prober/deadlines.hpp"
#include "prober/http_plan.hpp"
#include "prober/outcome.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace holdfast::prober {

class HttpDriver {
  public:
    HttpDriver(CurlMulti& curl, Done done);
    ~HttpDriver();
    HttpDriver(const HttpDriver&) = delete;
    HttpDriver& operator=(const HttpDriver&) = delete;

    /// The outcome comes within `timeout` (whole milliseconds, at least one). One probe per id at a time.
    void start(ipc::WatchId id, std::shared_ptr<const HttpPlan> plan, Duration timeout);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return probes_.contains(id); }

    Time next_deadline() const { return deadlines_.next(); }
    void on_timer(Time now);

  private:
    struct Probe;

    CurlMulti& curl_;
    Done done_;
    std::unordered_map<ipc::WatchId, std::unique_ptr<Probe>> probes_;
    Deadlines deadlines_;
};

} // namespace holdfast::prober
