#include "metrics/request.hpp"

#include <algorithm>

namespace holdfast::metrics {
namespace {

constexpr std::string_view blank = " \t";

std::string_view trim(std::string_view text) {
    const auto begin = text.find_first_not_of(blank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

/// What stands before the separator; `rest` goes on behind it.
std::string_view cut(std::string_view& rest, char separator) {
    const auto at = rest.find(separator);
    const auto part = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
    return part;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// RFC 9110 5.6.2
bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_header_value(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; });
}

/// "q=0", "q=0.000"
bool is_refusal(std::string_view parameter) {
    parameter = trim(parameter);
    if (parameter.size() < 3 || lower(parameter[0]) != 'q' || parameter[1] != '=') return false;
    return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

} // namespace

bool accepts_open_metrics(std::string_view accept) {
    while (!accept.empty()) {
        auto range = cut(accept, ',');
        if (!same_word(trim(cut(range, ';')), "application/openmetrics-text")) continue;
        bool refused = false;
        while (!range.empty())
            refused = is_refusal(cut(range, ';')) || refused;
        return !refused;
    }
    return false;
}

void Request::feed(std::string_view bytes) {
    if (status_ != 0) return;
    head_.append(bytes.substr(0, most + 1 - std::min(head_.size(), most + 1)));
    const auto end = head_.find("\r\n\r\n");
    if (end != std::string::npos && end + 4 <= most)
        status_ = parse(std::string_view{head_}.substr(0, end));
    else if (head_.size() > most)
        status_ = 431;
    else if (head_.find('\0') != std::string::npos)
        status_ = 400;
}

int Request::parse(std::string_view head) {
    for (bool first = true; first || !head.empty(); first = false) {
        const auto end = head.find("\r\n");
        const auto line = head.substr(0, end);
        head = end == std::string_view::npos ? std::string_view{} : head.substr(end + 2);
        if (const int status = first ? parse_line(line) : parse_header(line); status != 0) return status;
    }
    return 200;
}

int Request::parse_line(std::string_view line) {
    const auto method = cut(line, ' '), target = cut(line, ' '), version = line;
    if (!is_token(method) || !target.starts_with('/') || !is_visible(target) || !version.starts_with("HTTP/"))
        return 400;
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return 505;
    if (method != "GET") return 405;
    path_ = target.substr(0, target.find('?'));
    return 0;
}

int Request::parse_header(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return 400; // folded lines too
    const auto name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (!is_header_value(value)) return 400;
    if (same_word(name, "accept")) open_metrics_ = open_metrics_ || accepts_open_metrics(value);
    if (same_word(name, "transfer-encoding")) return 400; // a GET with a body
    if (same_word(name, "content-length") && value != "0") return 400;
    return 0;
}

} // namespace holdfast::metrics
