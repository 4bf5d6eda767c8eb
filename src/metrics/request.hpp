// The one HTTP request that a scraper sends: strict, bounded, fed in pieces. What it does not understand it names by a
// status. Pure.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::metrics {

class Request {
  public:
    static constexpr std::size_t most = 8192; ///< bytes of request line and headers together

    /// Bytes behind the end of the headers are ignored: a GET has no body.
    void feed(std::string_view bytes);

    /// 0: more is needed. 200: whole and fine. Else the status that the client is told.
    int status() const { return status_; }
    const std::string& path() const { return path_; }
    /// The client takes OpenMetrics; if not, it gets the classic text format.
    bool open_metrics() const { return open_metrics_; }

  private:
    int parse(std::string_view head);
    int parse_line(std::string_view line);
    int parse_header(std::string_view line);

    std::string head_, path_;
    int status_{0};
    bool open_metrics_{false};
};

/// Whether an Accept header names OpenMetrics with a weight above 0.
bool accepts_open_metrics(std::string_view accept);

} // namespace holdfast::metrics
