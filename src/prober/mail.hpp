// The mail driver: one message, one attempt, by libcurl (SMTP, STARTTLS, SMTPS). Invariant: what the server says can only
// make it succeed or fail, and an attempt ends by its timeout.
#pragma once

#include "prober/curl.hpp"
#include "prober/outcome.hpp"

#include <map>
#include <memory>

namespace holdfast::prober {

class MailDriver {
  public:
    MailDriver(CurlMulti& curl, Done done);
    ~MailDriver();
    MailDriver(const MailDriver&) = delete;
    MailDriver& operator=(const MailDriver&) = delete;

    void send(const ipc::SendMail&);
    void cancel(ipc::WatchId id);
    bool busy(ipc::WatchId id) const { return attempts_.contains(id); }

  private:
    struct Attempt;

    CurlMulti& curl_;
    Done done_;
    std::map<ipc::WatchId, std::unique_ptr<Attempt>> attempts_;
};

} // namespace holdfast::prober
