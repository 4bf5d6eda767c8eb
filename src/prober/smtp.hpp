// SMTP (RFC 5321): the banner says 220, HELO is answered with 250, then QUIT. Invariant: nothing of what the server says
// is kept but three digits, and no reply may be longer than max_reply.
#pragma once

#include "prober/talk.hpp"

#include <string_view>

namespace holdfast::prober {

/// Replies out of bytes as they come (RFC 5321 4.2.1): the code of the last line of each.
class SmtpReader {
  public:
    static constexpr std::size_t max_reply = 16UZ * 1024; ///< bytes; RFC 5321 wants 512 a line
    enum class Found : std::uint8_t { more, reply, malformed, too_long };

    /// Takes bytes off the front of `text`, to the end of a reply at most.
    Found take(std::string_view& text);
    unsigned code() const { return code_; }

  private:
    Found end_of_line();

    std::size_t bytes_{0};  ///< of this reply
    std::size_t column_{0}; ///< of this line
    unsigned code_{0};
    bool last_{false}; ///< no hyphen after the code
};

/// `check` outlives the probe.
Conversation smtp_probe(const model::SmtpCheck& check);

} // namespace holdfast::prober
