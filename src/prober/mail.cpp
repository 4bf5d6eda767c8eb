#include "prober/mail.hpp"

#include "ipc/service.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::prober {

struct MailDriver::Attempt : Transfer {
    MailDriver& driver;
    ipc::SendMail mail;
    std::string url;
    std::size_t sent{0};
    curl_slist* recipients{nullptr};

    Attempt(MailDriver& owner, ipc::SendMail what) : driver{owner}, mail{std::move(what)} {}
    ~Attempt() override { curl_slist_free_all(recipients); }
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;

    void set_up();
    void set_tls();
    void ended(CURLcode result) override;
    std::string outcome(CURLcode result) const;
    static std::size_t give_text(char* into, std::size_t size, std::size_t count, void* self);
};

std::size_t MailDriver::Attempt::give_text(char* into, std::size_t size, std::size_t count, void* self) {
    auto& attempt = *static_cast<Attempt*>(self);
    const auto part = std::string_view{attempt.mail.text}.substr(attempt.sent, size * count);
    std::memcpy(into, part.data(), part.size());
    attempt.sent += part.size();
    return part.size();
}

void MailDriver::Attempt::set_up() {
    url = mail.server + "/" + mail.hello; // libcurl says this name in EHLO
    for (const auto& each : mail.to)
        recipients = curl_slist_append(recipients, each.c_str());
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_MAIL_FROM, mail.from.c_str());
    set(CURLOPT_MAIL_RCPT, recipients);
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &give_text);
    set(CURLOPT_READDATA, this);
    if (!mail.user.empty()) {
        set(CURLOPT_USERNAME, mail.user.c_str());
        set(CURLOPT_PASSWORD, mail.password.c_str());
    }
    set_tls();
}

void MailDriver::Attempt::set_tls() {
    const bool smtps = mail.server.starts_with("smtps://");
    const bool verified = mail.verified || smtps;
    set(CURLOPT_USE_SSL, static_cast<long>(mail.verified   ? CURLUSESSL_ALL
                                           : mail.starttls ? CURLUSESSL_TRY
                                                           : CURLUSESSL_NONE));
    set(CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
    if (!mail.ca_file.empty()) set(CURLOPT_CAINFO, mail.ca_file.c_str());
}

/// The server's last answer is a number; its words stay here.
std::string MailDriver::Attempt::outcome(CURLcode result) const {
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    if (result == CURLE_OK) return fmt::format("accepted ({})", code);
    const bool refused = code >= 400 && code <= 599;
    return refused ? fmt::format("the server refused it ({})", code) : failure(result);
}

void MailDriver::Attempt::ended(CURLcode result) {
    auto& owner = driver;
    const auto id = mail.id;
    const Outcome what{.ok = result == CURLE_OK,
                       .detail = ipc::printable(outcome(result)),
                       .latency = std::max(ipc::clock_now() - started, Duration{0})};
    owner.attempts_.erase(id); // and with it this
    owner.done_(id, what);
}

MailDriver::MailDriver(CurlMulti& curl, Done done) : curl_{curl}, done_{std::move(done)} {}

MailDriver::~MailDriver() {
    while (!attempts_.empty())
        cancel(attempts_.begin()->first);
}

void MailDriver::send(const ipc::SendMail& mail) {
    cancel(mail.id);
    auto& attempt = *attempts_.emplace(mail.id, std::make_unique<Attempt>(*this, mail)).first->second;
    attempt.set_common(mail.timeout);
    attempt.set_up();
    curl_.add(attempt);
}

void MailDriver::cancel(ipc::WatchId id) {
    const auto it = attempts_.find(id);
    if (it == attempts_.end()) return;
    curl_.remove(*it->second);
    attempts_.erase(it);
}

} // namespace holdfast::prober
