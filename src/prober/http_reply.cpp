#include "prober/http_reply.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace holdfast::prober {

namespace {

constexpr std::string_view protocol = "HTTP/1.";
constexpr std::string_view no_http = "the answer is no HTTP/1";
constexpr std::string_view bad_header = "the answer has a malformed header";
constexpr std::string_view bad_length = "the answer has a malformed Content-Length";
constexpr std::string_view two_lengths = "the answer has two lengths";
constexpr std::string_view bad_encoding = "the answer has a transfer encoding that nobody asked for";
constexpr std::string_view bad_chunk = "the answer has a malformed chunk";

constexpr std::uint64_t longest_body = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
/// `word` is in lower case.
bool is_word(std::string_view text, std::string_view word) {
    return std::ranges::equal(text, word, {}, lower);
}

/// As far as it has come.
bool begins_like_http(std::string_view text) {
    return protocol.starts_with(text.substr(0, protocol.size()));
}

/// Digits of that base and nothing else, of a length that a body can have.
std::optional<std::uint64_t> length_of(std::string_view digits, int base) {
    std::uint64_t value = 0;
    const auto* const end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value, base);
    if (parsed.ec != std::errc{} || parsed.ptr != end || value > longest_body) return std::nullopt;
    return value;
}

} // namespace

HttpReader::Found HttpReader::take(std::string_view& text) {
    for (;;) {
        if (state_ == State::body && left_ == 0) return Found::complete;
        if (text.empty()) return Found::more;
        const bool is_body = state_ == State::body || state_ == State::chunk;
        if (const auto found = is_body ? take_part(text) : take_line(text); found != Found::more) return found;
    }
}

HttpReader::Found HttpReader::hung_up() {
    if (state_ == State::body && !length_) return Found::complete;
    return malformed(header_bytes_ == 0 ? "the server hung up before its answer"
                                        : "the server hung up in the middle of its answer");
}

HttpReader::Found HttpReader::malformed(std::string_view why) {
    problem_ = why;
    return Found::malformed;
}

std::string_view HttpReader::take_front(std::string_view& text, std::size_t size) {
    const auto front = text.substr(0, size);
    text.remove_prefix(front.size());
    return front;
}

// ---- lines --------------------------------------------------------------------------------------------------------------

/// Nothing beyond the limit is looked at, so that the limit is the same for bytes that come one by one.
HttpReader::Found HttpReader::take_line(std::string_view& text) {
    const auto room = is_between_chunks() ? max_chunk_line - begun_.size() : max_headers - header_bytes_;
    const auto end = text.substr(0, room).find('\n');
    const auto piece = take_front(text, end == std::string_view::npos ? room : end + 1);
    if (!is_between_chunks()) header_bytes_ += piece.size();
    if (end == std::string_view::npos) {
        begun_ += piece;
        if (state_ == State::status_line && !begins_like_http(begun_)) return malformed(no_http);
        if (text.empty()) return Found::more;
        return is_between_chunks() ? malformed(bad_chunk) : Found::too_long;
    }
    if (begun_.empty()) return on_line(piece.substr(0, end)); // the common case: nothing is copied
    begun_ += piece.substr(0, end);
    const auto found = on_line(begun_);
    begun_.clear();
    return found;
}

HttpReader::Found HttpReader::on_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    switch (state_) {
    case State::status_line: return on_status_line(line);
    case State::chunk_size: return on_chunk_size(line);
    case State::chunk_end: state_ = State::chunk_size; return line.empty() ? Found::more : malformed(bad_chunk);
    case State::trailers: return line.empty() ? end_of_body() : on_header(line);
    default: return line.empty() ? end_of_headers() : on_header(line);
    }
}

/// RFC 9112 4; the words behind the status are of no matter.
HttpReader::Found HttpReader::on_status_line(std::string_view line) {
    constexpr auto at = protocol.size() + 2; // of the status, behind a digit and a space
    constexpr auto size = at + 3;
    const bool fine = line.starts_with(protocol) && line.size() >= size && is_digit(line[at - 2]) &&
                      line[at - 1] == ' ' && std::ranges::all_of(line.substr(at, 3), is_digit) && line[at] != '0' &&
                      (line.size() == size || line[size] == ' ') && line.find('\0') == line.npos;
    if (!fine) return malformed(no_http);
    status_ = 0;
    for (const char digit : line.substr(at, 3))
        status_ = status_ * 10 + static_cast<unsigned>(digit - '0');
    may_fold_ = false;
    state_ = State::headers;
    return Found::more;
}

HttpReader::Found HttpReader::on_header(std::string_view line) {
    if (line.find('\0') != line.npos) return malformed(bad_header);
    if (is_blank(line.front())) return may_fold_ ? Found::more : malformed(bad_header);
    const auto colon = line.find(':');
    if (colon == line.npos) return malformed(bad_header);
    const auto name = line.substr(0, colon);
    const auto value = line.substr(colon + 1);
    const bool counts = may_have_body() && state_ == State::headers;
    const bool is_length = counts && is_word(name, "content-length");
    const bool is_encoding = counts && is_word(name, "transfer-encoding");
    may_fold_ = !is_length && !is_encoding;
    if (is_length) return on_length(value);
    return is_encoding && !is_head_ ? on_encoding(value) : Found::more;
}

/// Several that are equal are one (RFC 9110 8.6).
HttpReader::Found HttpReader::on_length(std::string_view value) {
    for (;;) {
        const auto comma = value.find(',');
        const auto length = length_of(trimmed(value.substr(0, comma)), 10);
        if (!length) return malformed(bad_length);
        if (length_.value_or(*length) != *length) return malformed(two_lengths);
        length_ = length;
        if (comma == value.npos) return Found::more;
        value.remove_prefix(comma + 1);
    }
}

/// Nothing but `chunked` may come unasked (RFC 9112 7).
HttpReader::Found HttpReader::on_encoding(std::string_view value) {
    for (;;) {
        const auto comma = value.find(',');
        const auto word = trimmed(value.substr(0, comma));
        if (is_word(word, "chunked"))
            is_chunked_ = true;
        else if (!word.empty() && !is_word(word, "identity"))
            return malformed(bad_encoding);
        if (comma == value.npos) return Found::more;
        value.remove_prefix(comma + 1);
    }
}

/// RFC 9112 6.3. Another reply follows one of 1xx, but for 101 (RFC 9110 15.2.2).
HttpReader::Found HttpReader::end_of_headers() {
    if (status_ < 200 && status_ != 101) {
        state_ = State::status_line;
        return Found::more;
    }
    if (is_head_ || !may_have_body()) return end_of_body();
    state_ = is_chunked_ ? State::chunk_size : State::body;
    left_ = is_chunked_ ? 0 : length_.value_or(endless);
    return Found::more;
}

// ---- a body -------------------------------------------------------------------------------------------------------------

HttpReader::Found HttpReader::on_chunk_size(std::string_view line) {
    constexpr std::size_t most_digits = 16;
    const auto digits = line.substr(0, line.find_first_of(" \t;"));
    const auto rest = trimmed(line.substr(digits.size()));
    const auto size = length_of(digits, 16);
    if (!size || digits.size() > most_digits || (!rest.empty() && rest.front() != ';')) return malformed(bad_chunk);
    left_ = *size;
    state_ = left_ == 0 ? State::trailers : State::chunk;
    may_fold_ = false;
    return Found::more;
}

HttpReader::Found HttpReader::take_part(std::string_view& text) {
    part_ = take_front(text, static_cast<std::size_t>(std::min<std::uint64_t>(left_, text.size())));
    left_ -= part_.size();
    if (state_ == State::chunk && left_ == 0) state_ = State::chunk_end;
    return Found::body;
}

HttpReader::Found HttpReader::end_of_body() {
    state_ = State::body;
    left_ = 0;
    return Found::complete;
}

} // namespace holdfast::prober
