// An HTTP check made ready once for all of its probes: URLs, requests, compiled patterns, and what an answer to them means. It is
// the one truth of the two ways to make a probe, prober/web and prober/http. Invariant: the URLs lead to the address that the check
// names, whatever name is said to the server, and both ways say and judge the same.
#pragma once

#include "prober/http_body.hpp"
#include "prober/socket.hpp"

#include <curl/curl.h>
#include <vector>

namespace holdfast::prober {

struct HttpPlan {
    struct Step {
        std::string url;
        std::vector<model::StatusRange> status;
        std::optional<model::BodyDigest> digest;
        std::optional<Pattern> body;
        std::string request; ///< its bytes; empty where libcurl makes them
    };
    struct Free {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    using List = std::unique_ptr<curl_slist, Free>;

    static constexpr const char* user_agent = "holdfast";

    std::vector<Step> steps;
    model::HttpCheck check; ///< but for its requests
    model::ProbeSocket socket;
    unsigned scope{0}; ///< of a link-local address
    List headers, connect_to;
    std::string problem;  ///< why no probe can be made; empty: none
    bool is_plain{false}; ///< HTTP/1 without TLS, to an address: prober/web makes its probes, libcurl all others

    /// Of a tracker.
    explicit HttpPlan(const std::string& url);
    HttpPlan(const model::HttpCheck&, const Endpoint&, const model::ProbeSocket&);

    void begin(Body&, std::size_t step) const;
    /// What a whole answer means.
    Outcome judge(std::size_t step, unsigned status, const Body&) const;
    /// As it is told: with the step, where there are several.
    Outcome told(std::size_t step, Outcome) const;
    static std::string overdue(bool is_connected, Duration timeout);
    static std::string too_long();

  private:
    void add_header(const std::string& line);
    void write_requests(const model::HttpCheck&, const std::string& header_section);
};

} // namespace holdfast::prober
