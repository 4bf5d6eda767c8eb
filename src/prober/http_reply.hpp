// The replies to one HTTP/1 request (RFC 9112) out of bytes as they come. Pure. Invariant: what is found does not depend on the
// pieces that the bytes come in, nothing of a body is kept, and of everything else at most max_headers bytes are. It is strict
// about how long a body is, and elsewhere as patient as libcurl (bare line feeds, folded lines).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::prober {

inline constexpr std::size_t max_headers = 64UZ * 1024; ///< bytes of all replies to a request; more is a failure

class HttpReader {
  public:
    static constexpr std::size_t max_chunk_line = 4096; ///< bytes; what stands behind a size is passed over

    enum class Found : std::uint8_t {
        more,
        body, ///< a part() of it
        complete,
        malformed, ///< problem() says why
        too_long,  ///< the headers are
    };

    /// A reply to HEAD has no body, whatever it says.
    explicit HttpReader(bool is_head) : is_head_{is_head} {}

    /// Takes bytes off the front of `text`; to be called until it finds `more`, which has taken them all, or an end.
    Found take(std::string_view& text);
    /// The other end says nothing more: `complete` or `malformed`.
    Found hung_up();

    unsigned status() const { return status_; }
    /// Lies in what was given to `take`.
    std::string_view part() const { return part_; }
    std::string_view problem() const { return problem_; }

  private:
    enum class State : std::uint8_t { status_line, headers, body, chunk_size, chunk, chunk_end, trailers };

    bool is_between_chunks() const { return state_ == State::chunk_size || state_ == State::chunk_end; }
    bool may_have_body() const { return status_ >= 200 && status_ != 204 && status_ != 304; }
    std::string_view take_front(std::string_view& text, std::size_t size);
    Found take_part(std::string_view& text);
    Found take_line(std::string_view& text);
    Found on_line(std::string_view line);
    Found on_status_line(std::string_view line);
    Found on_header(std::string_view line);
    Found on_length(std::string_view value);
    Found on_encoding(std::string_view value);
    Found end_of_headers();
    Found on_chunk_size(std::string_view line);
    Found end_of_body();
    Found malformed(std::string_view why);

    bool is_head_;
    State state_{State::status_line};
    unsigned status_{0};   ///< of the last reply that has begun
    bool may_fold_{false}; ///< the last header may go on in another line: it says nothing of the body
    bool is_chunked_{false};
    std::optional<std::uint64_t> length_; ///< of the body; nothing: it ends with the connection
    std::uint64_t left_{0};               ///< of the body, or of this chunk
    std::size_t header_bytes_{0};         ///< of all replies, and of the trailers
    std::string begun_;                   ///< a line whose end has not come yet
    std::string_view part_, problem_;
};

} // namespace holdfast::prober
