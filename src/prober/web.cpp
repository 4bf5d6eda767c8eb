#include "prober/web.hpp"

#include "base/assert.hpp"
#include "prober/http_reply.hpp"

#include <array>
#include <cerrno>

namespace holdfast::prober {

namespace {

constexpr std::size_t one_read = 16UZ * 1024; // bytes; then the others' turn

class WebTalk : public Talk {
  public:
    explicit WebTalk(std::shared_ptr<const HttpPlan> plan) : plan_{std::move(plan)} {
        HF_ASSERT(plan_->is_plain);
        begin_step();
    }

    std::optional<Outcome> on_ready(int fd) override {
        is_connected_ = true;
        if (!unsent_.empty()) {
            send(fd);
            if (unsent_.empty()) return std::nullopt;
        }
        return receive(fd);
    }
    bool ends(Outcome& outcome) override {
        if (outcome.ok && at_ + 1 < plan_->steps.size()) {
            ++at_;
            begin_step();
            return false;
        }
        outcome = plan_->told(at_, std::move(outcome));
        return true;
    }
    Outcome at_deadline(Duration timeout) const override {
        return {.detail = HttpPlan::overdue(is_connected_, timeout)};
    }

  private:
    void begin_step();
    void send(int fd);
    std::optional<Outcome> receive(int fd);
    std::optional<Outcome> read(std::string_view text);
    std::optional<Outcome> outcome_of(HttpReader::Found found);

    std::shared_ptr<const HttpPlan> plan_;
    std::size_t at_{0}; ///< of the steps
    bool is_connected_{false};
    std::string_view unsent_; ///< of the request
    HttpReader reader_{false};
    Body body_;
};

void WebTalk::begin_step() {
    wants = EPOLLOUT;
    is_connected_ = false;
    unsent_ = plan_->steps[at_].request;
    reader_ = HttpReader{plan_->check.method == "HEAD"};
    plan_->begin(body_, at_);
}

/// A server that wants no more of the request may have said why: what it said is read.
void WebTalk::send(int fd) {
    const ssize_t size = ::send(fd, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0)
        unsent_.remove_prefix(static_cast<std::size_t>(size));
    else if (errno != EAGAIN && errno != EINTR)
        unsent_ = {};
    wants = unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
}

/// One read a call, so that a server which floods keeps nobody waiting.
std::optional<Outcome> WebTalk::receive(int fd) {
    std::array<char, one_read> buffer; // NOLINT: filled by recv
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) return read({buffer.data(), static_cast<std::size_t>(size)});
    if (size == 0) return outcome_of(reader_.hung_up());
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return failure("cannot read", errno);
}

std::optional<Outcome> WebTalk::read(std::string_view text) {
    for (;;) {
        const auto found = reader_.take(text);
        if (found != HttpReader::Found::body) return outcome_of(found);
        if (!body_.take(reader_.part())) return outcome_of(HttpReader::Found::complete); // it has had enough
    }
}

std::optional<Outcome> WebTalk::outcome_of(HttpReader::Found found) {
    switch (found) {
    case HttpReader::Found::complete: return plan_->judge(at_, reader_.status(), body_);
    case HttpReader::Found::malformed: return Outcome{.detail = std::string{reader_.problem()}};
    case HttpReader::Found::too_long: return Outcome{.detail = HttpPlan::too_long()};
    default: return std::nullopt;
    }
}

} // namespace

Conversation web_probe(std::shared_ptr<const HttpPlan> plan) {
    return {.talk = std::make_unique<WebTalk>(std::move(plan))};
}

} // namespace holdfast::prober
