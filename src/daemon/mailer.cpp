#include "daemon/mailer.hpp"

#include "daemon/mail_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace holdfast::daemon {
namespace {

constexpr Duration first_pause = 5s, longest_pause = 5min;

Duration pause_after(unsigned failures) {
    auto pause = first_pause;
    for (unsigned i = 1; i < failures && pause < longest_pause; ++i)
        pause *= 2;
    return std::min<Duration>(pause, longest_pause);
}

} // namespace

void Mailer::configure(const std::optional<model::Mail>& mail) {
    if (mail == mail_) return;
    mail_ = mail;
    if (!mail_) waiting_.clear();
    failures_ = 0;
    retry_at_ = never;
    begin();
}

void Mailer::tell(const engine::Transition& edge, const std::string& node) {
    if (!mail_) return;
    if (waiting_.size() == mails_kept) {
        // Not the one that is under way.
        waiting_.erase(waiting_.begin() + 1);
        door_.warn(fmt::format("a mail is lost: {} wait for {} already", mails_kept, mail_->server));
    }
    waiting_.push_back({edge.instance, mail_text(*mail_, edge, node, std::time(nullptr)), node, door_.now()});
    if (failures_ == 0) begin();
}

void Mailer::begin() {
    if (under_way_ || waiting_.empty() || !mail_) return;
    under_way_ = true;
    retry_at_ = never;
    const auto& message = waiting_.front();
    door_.attempt(
        [&](ipc::WatchId id) {
            ipc::SendMail mail{.id = id,
                               .server = mail_->server,
                               .hello = mail_->hello.empty() ? message.node : mail_->hello,
                               .from = mail_->from,
                               .to = mail_->to,
                               .user = {},
                               .password = {},
                               .ca_file = mail_->ca_file,
                               .starttls = mail_->tls != model::MailTls::off,
                               .verified = mail_->tls == model::MailTls::required,
                               .text = message.text,
                               .timeout = mail_->timeout};
            if (mail_->login) std::tie(mail.user, mail.password) = std::tie(mail_->login->user, mail_->login->password);
            return mail;
        },
        [this](const ipc::Ended& result) { ended(result); });
}

void Mailer::ended(const ipc::Ended& result) {
    under_way_ = false;
    if (!mail_ || waiting_.empty()) return;
    const auto now = door_.now();
    const auto& message = waiting_.front();
    const bool given_up = !result.ok && now - message.since >= mail_->retry_for;
    if (given_up)
        door_.warn(fmt::format("the mail about {} is given up after {} attempt(s): {}: {}", message.object,
                               failures_ + 1, mail_->server, result.detail));
    else if (!result.ok && failures_ == 0)
        door_.warn(fmt::format("the mail about {} has to wait: {}: {}; it is tried again for {}", message.object,
                               mail_->server, result.detail, to_string(mail_->retry_for)));
    if (result.ok || given_up) {
        waiting_.pop_front();
        failures_ = 0;
        return begin();
    }
    retry_at_ = now + pause_after(++failures_);
}

void Mailer::on_deadline() {
    if (door_.now() >= retry_at_) begin();
}

} // namespace holdfast::daemon
