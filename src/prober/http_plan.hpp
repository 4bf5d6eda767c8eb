// An HTTP check made ready once for all of its probes: URLs, headers, compiled patterns. Invariant: the URLs lead to the
// address that the check names, whatever name is said to the server.
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
    };
    struct Free {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    using List = std::unique_ptr<curl_slist, Free>;

    std::vector<Step> steps;
    model::HttpCheck check; ///< but for its requests
    model::ProbeSocket socket;
    unsigned scope{0}; ///< of a link-local address
    List headers, connect_to;
    std::string problem; ///< why no probe can be made; empty: none

    /// Of a tracker.
    explicit HttpPlan(const std::string& url);
    HttpPlan(const model::HttpCheck&, const Endpoint&, const model::ProbeSocket&);

  private:
    void add_header(const std::string& line);
};

} // namespace holdfast::prober
