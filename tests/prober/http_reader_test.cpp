// What replies of HTTP/1 mean, whatever the pieces that they come in: every reply of the table is fed whole, byte by byte and cut at
// every point.
#include "prober/http_reply.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace holdfast::prober {
namespace {

using namespace std::string_literals;
using Found = HttpReader::Found;

const std::string no_http = "the answer is no HTTP/1";
const std::string bad_header = "the answer has a malformed header";
const std::string bad_length = "the answer has a malformed Content-Length";
const std::string two_lengths = "the answer has two lengths";
const std::string bad_encoding = "the answer has a transfer encoding that nobody asked for";
const std::string bad_chunk = "the answer has a malformed chunk";
const std::string nothing_came = "the server hung up before its answer";
const std::string cut_short = "the server hung up in the middle of its answer";
const std::string too_long = "too long";

struct Seen {
    std::string problem; ///< nothing: it is complete
    unsigned status{0};
    std::string body;
    bool operator==(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
    *out << seen.status << " '" << seen.problem << "' with " << seen.body.substr(0, 80);
}

Seen read(const std::vector<std::string_view>& pieces, bool is_head) {
    HttpReader reader{is_head};
    std::string body;
    auto found = Found::more;
    for (auto text : pieces)
        do {
            found = reader.take(text);
            if (found == Found::body) body += reader.part();
            if (found == Found::complete) return {{}, reader.status(), body};
            if (found == Found::malformed) return {std::string{reader.problem()}, 0, {}};
            if (found == Found::too_long) return {too_long, 0, {}};
        } while (found != Found::more);
    if (reader.hung_up() == Found::complete) return {{}, reader.status(), body};
    return {std::string{reader.problem()}, 0, {}};
}

/// The same whatever the pieces; then the server hangs up.
Seen read(std::string_view text, bool is_head = false) {
    const auto whole = read(std::vector{text}, is_head);
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < text.size(); ++i)
        bytes.push_back(text.substr(i, 1));
    EXPECT_EQ(read(bytes, is_head), whole) << "byte by byte: " << text.substr(0, 200);
    for (std::size_t cut = 0; cut <= text.size() && text.size() < 4096; ++cut)
        EXPECT_EQ(read({text.substr(0, cut), text.substr(cut)}, is_head), whole) << "cut at " << cut << ": " << text;
    return whole;
}

Seen good(unsigned status, std::string body = {}) {
    return {{}, status, std::move(body)};
}
Seen bad(std::string problem) {
    return {std::move(problem), 0, {}};
}

struct Case {
    std::string text;
    Seen seen;
};
void expect(const std::vector<Case>& cases, bool is_head = false) {
    for (const auto& each : cases)
        EXPECT_EQ(read(each.text, is_head), each.seen) << each.text;
}

TEST(HttpReader, TheStatusLineIsThatOfTheStandard) {
    expect({
        {"HTTP/1.1 200 OK\r\n\r\n", good(200)},       {"HTTP/1.0 404 \r\n\r\n", good(404)},
        {"HTTP/1.1 999\r\n\r\n", good(999)},          {"HTTP/1.1 200 \xff\xfe\r\n\r\n", good(200)},
        {"HTTP/1.1 200 OK\n\n", good(200)},           {"HTTP/1.1 200 OK\r\n\n", good(200)},
        {"HTTP/1.1 2000 OK\r\n\r\n", bad(no_http)},   {"HTTP/1.1 20 OK\r\n\r\n", bad(no_http)},
        {"HTTP/1.1 099 OK\r\n\r\n", bad(no_http)},    {"HTTP/1.1 +20 OK\r\n\r\n", bad(no_http)},
        {"HTTP/1.1 200OK\r\n\r\n", bad(no_http)},     {"HTTP/1.1  200 OK\r\n\r\n", bad(no_http)},
        {"HTTP/1.1\t200 OK\r\n\r\n", bad(no_http)},   {"HTTP/1.x 200 OK\r\n\r\n", bad(no_http)},
        {"HTTP/1.11 200 OK\r\n\r\n", bad(no_http)},   {"HTTP/2 200 OK\r\n\r\n", bad(no_http)},
        {"HTTP/2.0 200 OK\r\n\r\n", bad(no_http)},    {"http/1.1 200 OK\r\n\r\n", bad(no_http)},
        {" HTTP/1.1 200 OK\r\n\r\n", bad(no_http)},   {"\r\nHTTP/1.1 200 OK\r\n\r\n", bad(no_http)},
        {"HTTP/1.1 200 O\0K\r\n\r\n"s, bad(no_http)}, {"<html>so it was in HTTP/0.9</html>", bad(no_http)},
        {"SSH-2.0-OpenSSH_9.2p1", bad(no_http)},      {"\r\n", bad(no_http)},
    });
}

TEST(HttpReader, WhatIsNoHttpNeedNotEndToBeNone) {
    HttpReader reader{false};
    std::string_view text = "SSH";
    EXPECT_EQ(reader.take(text), Found::malformed);
}

TEST(HttpReader, ABodyIsAsLongAsItsLengthSays) {
    const auto with = [](const std::string& headers, const std::string& body) {
        return "HTTP/1.1 200 OK\r\n" + headers + "\r\n" + body;
    };
    expect({
        {with("Content-Length: 5\r\n", "hello"), good(200, "hello")},
        {with("content-LENGTH:5\r\n", "hello, and more"), good(200, "hello")},
        {with("Content-Length: \t 5\t \r\n", "hello"), good(200, "hello")},
        {with("Content-Length: 005\r\n", "hello"), good(200, "hello")},
        {with("Content-Length: 0\r\n", "hello"), good(200)},
        {with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), good(200, "hello")},
        {with("Content-Length: 5, 5 ,5\r\n", "hello"), good(200, "hello")},
        {with("X-Content-Length: 2\r\n", "hello"), good(200, "hello")},
        {with("Content-Length: 5\r\n", "hell"), bad(cut_short)},
        {with("Content-Length: 9223372036854775807\r\n", "hello"), bad(cut_short)},
        {with("Content-Length: 9223372036854775808\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: 99999999999999999999\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: -1\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: +5\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: 0x5\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: 5 5\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: five\r\n", "hello"), bad(bad_length)},
        {with("Content-Length:\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: 5,\r\n", "hello"), bad(bad_length)},
        {with("Content-Length: 5\r\nContent-Length: 4\r\n", "hello"), bad(two_lengths)},
        {with("Content-Length: 4, 5\r\n", "hello"), bad(two_lengths)},
    });
}

TEST(HttpReader, WithoutALengthABodyEndsWithTheConnection) {
    expect({
        {"HTTP/1.0 200 OK\r\n\r\nhello", good(200, "hello")},
        {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", good(200)},
        {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 No\r\n\r\n", good(200, "HTTP/1.1 500 No\r\n\r\n")},
    });
}

TEST(HttpReader, SomeRepliesHaveNoBodyWhateverTheySay) {
    expect({
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", good(204)},
        {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", good(304)},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", good(304)},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x01\x02", good(101)},
    });
    expect(
        {
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", good(200)},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", good(200)},
            {"HTTP/1.1 200 OK\r\n\r\nhello", good(200)},
            {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", bad(bad_length)},
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", bad(cut_short)},
        },
        true);
}

TEST(HttpReader, ChunksAreOneBody) {
    const auto with = [](const std::string& body) {
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
    };
    expect({
        {with("5\r\nhello\r\n0\r\n\r\n"), good(200, "hello")},
        {with("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\nand more"), good(200, "hello")},
        {with("3\nhel\n2\nlo\n0\n\n"), good(200, "hello")},
        {with("0000000000000005\r\nhello\r\n000\r\n\r\n"), good(200, "hello")},
        {with("5;name=value\r\nhello\r\n0;x\r\n\r\n"), good(200, "hello")},
        {with("5 ; name=\"a;b\"\r\nhello\r\n0\r\n\r\n"), good(200, "hello")},
        {with("5\r\n5\r\n\r\n\r\n0\r\n\r\n"), good(200, "5\r\n\r\n")},
        {with("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), good(200, "01234567890123456789")},
        {with("0\r\nX-Trailer: yes\r\n folded\r\nContent-Length: 9\r\n\r\n"), good(200)},
        {with("5\r\nhello\r\n0\r\n"), bad(cut_short)},
        {with("5\r\nhello\r\n"), bad(cut_short)},
        {with("5\r\nhello"), bad(cut_short)},
        {with("5\r\nhel"), bad(cut_short)},
        {with("5"), bad(cut_short)},
        {with(""), bad(cut_short)},
        {with("7fffffffffffffff\r\nhello"), bad(cut_short)},
        {with("8000000000000000\r\nhello"), bad(bad_chunk)},
        {with("ffffffffffffffffff\r\nhello"), bad(bad_chunk)},
        {with("00000000000000005\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("5\r\nhelloo\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("-5\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("0x5\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with(" 5\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("5 5\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with(";x\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("g\r\nhello\r\n0\r\n\r\n"), bad(bad_chunk)},
        {with("0\r\nno trailer\r\n\r\n"), bad(bad_header)},
    });
}

TEST(HttpReader, NothingButChunkedComesUnasked) {
    const auto with = [](const std::string& headers) {
        return "HTTP/1.1 200 OK\r\n" + headers + "\r\n2\r\nok\r\n0\r\n\r\n";
    };
    expect({
        {with("transfer-encoding:CHUNKED\r\n"), good(200, "ok")},
        {with("Transfer-Encoding: identity, chunked\r\n"), good(200, "ok")},
        {with("Transfer-Encoding: identity\r\n"), good(200, "2\r\nok\r\n0\r\n\r\n")},
        {with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), good(200, "ok")},
        {with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), good(200, "ok")},
        {with("Transfer-Encoding: gzip, chunked\r\n"), bad(bad_encoding)},
        {with("Transfer-Encoding: chunkedd\r\n"), bad(bad_encoding)},
        {with("Transfer-Encoding: chunked;q=1\r\n"), bad(bad_encoding)},
    });
}

TEST(HttpReader, HeadersMayBeFoldedUnlessTheyTellALength) {
    const auto with = [](const std::string& headers) { return "HTTP/1.1 200 OK\r\n" + headers + "\r\nok"; };
    expect({
        {with("X: a\r\n b\r\n\tc\r\nContent-Length: 2\r\n"), good(200, "ok")},
        {with("X: a\r\n Content-Length: 1\r\n"), good(200, "ok")},
        {with(" folded: onto nothing\r\n"), bad(bad_header)},
        {with("Content-Length: 2\r\n 5\r\n"), bad(bad_header)},
        {with("Transfer-Encoding: identity,\r\n chunked\r\n"), bad(bad_header)},
        {with("no header\r\n"), bad(bad_header)},
        {with("X: \0\r\n"s), bad(bad_header)},
        {with(": no name\r\n"), good(200, "ok")},
        {with("Content-Length : 1\r\n"), good(200, "ok")},
    });
}

TEST(HttpReader, InterimRepliesArePassedOver) {
    expect({
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", good(200, "ok")},
        {"HTTP/1.1 103 Hints\r\nContent-Length: 9\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", good(204)},
        {"HTTP/1.1 100 Continue\r\n\r\n", bad(cut_short)},
        {"HTTP/1.1 100 Continue\r\n\r\ngarbage", bad(no_http)},
        {"", bad(nothing_came)},
        {"H", bad(cut_short)},
        {"HTTP/1.1 200 OK\r\nX: y\r\n", bad(cut_short)},
    });
}

/// A reply whose headers have this many bytes.
std::string of_size(std::size_t size) {
    const std::string begin = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ", end = "\r\n\r\n";
    return begin + std::string(size - begin.size() - end.size(), 'x') + end + "ok";
}

TEST(HttpReader, HeadersAreAsLongAsTheyMayBe) {
    EXPECT_EQ(read(of_size(max_headers)), good(200, "ok"));
    EXPECT_EQ(read(of_size(max_headers + 1)), bad(too_long));
    const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_EQ(read(interim + of_size(max_headers - interim.size())), good(200, "ok"));
    EXPECT_EQ(read(interim + of_size(max_headers - interim.size() + 1)), bad(too_long)) << "all of them together";
    EXPECT_EQ(read("HTTP/1.1 200 OK\r\nX: " + std::string(max_headers, 'x')), bad(too_long));
    std::string endless;
    while (endless.size() <= max_headers)
        endless += interim;
    EXPECT_EQ(read(endless), bad(too_long));
}

TEST(HttpReader, TrailersAndExtensionsAreBoundedToo) {
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string trailers = chunked + "0\r\n";
    while (trailers.size() <= max_headers + 100)
        trailers += "X: y\r\n";
    EXPECT_EQ(read(trailers), bad(too_long));
    const auto extended = [&](std::size_t size) {
        return chunked + "2;" + std::string(size - 4, 'x') + "\r\nok\r\n0\r\n\r\n";
    };
    EXPECT_EQ(read(extended(HttpReader::max_chunk_line)), good(200, "ok"));
    EXPECT_EQ(read(extended(HttpReader::max_chunk_line + 1)), bad(bad_chunk));
    EXPECT_EQ(read(chunked + std::string(HttpReader::max_chunk_line + 1, '0')), bad(bad_chunk));
}

} // namespace
} // namespace holdfast::prober
