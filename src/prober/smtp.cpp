#include "prober/smtp.hpp"

#include <array>
#include <cerrno>
#include <fmt/format.h>

namespace holdfast::prober {

SmtpReader::Found SmtpReader::end_of_line() {
    const bool whole = column_ >= 3;
    column_ = 0;
    if (!whole) return Found::malformed;
    if (!last_) return Found::more;
    bytes_ = 0;
    return Found::reply;
}

SmtpReader::Found SmtpReader::take(std::string_view& text) {
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (++bytes_ > max_reply) return Found::too_long;
        if (c == '\n') {
            if (const auto found = end_of_line(); found != Found::more) return found;
            continue;
        }
        if (c == '\r') continue;
        if (column_ < 3) {
            if (c < '0' || c > '9') return Found::malformed;
            code_ = (column_ == 0 ? 0 : code_ * 10) + static_cast<unsigned>(c - '0');
            last_ = true;
        } else if (column_ == 3) {
            if (c != ' ' && c != '-') return Found::malformed;
            last_ = c == ' ';
        }
        if (column_ < 4) ++column_;
    }
    return Found::more;
}

namespace {

class SmtpTalk : public Talk {
  public:
    explicit SmtpTalk(const model::SmtpCheck& check) : check_{check} { wants = EPOLLOUT; }
    std::optional<Outcome> on_ready(int fd) override;
    Outcome at_deadline(Duration timeout) const override;

  private:
    enum class Stage : std::uint8_t { connecting, banner, helo, quit };
    std::optional<Outcome> on_reply(int fd);
    static std::optional<Outcome> say(int fd, const std::string& line);
    std::string_view awaited() const { return stage_ == Stage::banner ? "banner" : "answer to HELO"; }

    const model::SmtpCheck& check_;
    SmtpReader reader_;
    Stage stage_{Stage::connecting};
};

constexpr std::string_view good = "250 to HELO";

std::optional<Outcome> SmtpTalk::say(int fd, const std::string& line) {
    const ssize_t sent = ::send(fd, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(line.size())) return std::nullopt; // an empty buffer takes a line
    return failure("cannot send", sent < 0 ? errno : EAGAIN);
}

std::optional<Outcome> SmtpTalk::on_reply(int fd) {
    const unsigned wanted = stage_ == Stage::banner ? 220 : 250;
    if (reader_.code() != wanted) return Outcome{.detail = fmt::format("the {} is {}", awaited(), reader_.code())};
    if (stage_ == Stage::banner) {
        stage_ = Stage::helo;
        return say(fd, "HELO " + check_.helo + "\r\n");
    }
    stage_ = Stage::quit;
    if (say(fd, "QUIT\r\n")) return Outcome{.ok = true, .detail = std::string{good}};
    return std::nullopt;
}

/// One read a call, so that a server which floods keeps nobody waiting.
std::optional<Outcome> SmtpTalk::on_ready(int fd) {
    if (stage_ == Stage::connecting) {
        stage_ = Stage::banner;
        wants = EPOLLIN;
        return std::nullopt;
    }
    std::array<char, 4096> buffer; // NOLINT: filled by recv
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (stage_ == Stage::quit) return Outcome{.ok = true, .detail = std::string{good}}; // whatever it is
    if (size < 0) return failure("cannot read", errno);
    if (size == 0) return Outcome{.detail = fmt::format("the server hung up before its {}", awaited())};
    std::string_view text{buffer.data(), static_cast<std::size_t>(size)};
    while (!text.empty() && stage_ != Stage::quit) {
        switch (reader_.take(text)) {
        case SmtpReader::Found::more: return std::nullopt;
        case SmtpReader::Found::malformed: return Outcome{.detail = fmt::format("the {} is no SMTP", awaited())};
        case SmtpReader::Found::too_long: return Outcome{.detail = fmt::format("the {} does not end", awaited())};
        case SmtpReader::Found::reply:
            if (auto outcome = on_reply(fd)) return outcome;
        }
    }
    return std::nullopt;
}

Outcome SmtpTalk::at_deadline(Duration timeout) const {
    switch (stage_) {
    case Stage::connecting: return {.detail = fmt::format("no connection within {}", to_string(timeout))};
    case Stage::quit: return {.ok = true, .detail = std::string{good}};
    default: return {.detail = fmt::format("no {} within {}", awaited(), to_string(timeout))};
    }
}

} // namespace

Conversation smtp_probe(const model::SmtpCheck& check) {
    return {.talk = std::make_unique<SmtpTalk>(check)};
}

} // namespace holdfast::prober
