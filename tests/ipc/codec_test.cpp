// Messages survive the way there and back, and nothing but a message decodes.
#include "ipc/codec.hpp"
#include "model/check_limits.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <random>

namespace holdfast::ipc {
namespace {

using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t limit) {
    return random() % limit;
}
bool coin(Random& random) {
    return below(random, 2) == 1;
}
std::string text(Random& random, std::size_t least, std::size_t most, bool is_printable) {
    std::string out(least + below(random, most - least + 1), ' ');
    for (char& c : out)
        c = static_cast<char>(is_printable ? ' ' + below(random, 95) : 1 + below(random, 255));
    return out;
}
Duration probe_time(Random& random) {
    const auto range = static_cast<std::uint64_t>((longest_probe - shortest_probe).count());
    return shortest_probe + Duration{static_cast<Duration::rep>(below(random, range))};
}

model::Words words(Random& random) {
    model::Words out(below(random, 8));
    for (auto& each : out)
        each = text(random, 0, 200, false);
    return out;
}
model::Words script(Random& random) {
    auto out = words(random);
    out.insert(out.begin(), "/bin/" + text(random, 1, 40, false));
    return out;
}

std::string word(Random& random, std::size_t least, std::size_t most) {
    auto out = text(random, least, most, true);
    for (char& c : out)
        c = "abcxyz019-."[below(random, 11)];
    return out;
}
IpAddress address(Random& random, Family family) {
    IpAddress out{.family = family};
    for (std::size_t i = 0; i < address_size(family); ++i)
        out.bytes[i] = static_cast<std::uint8_t>(below(random, 256));
    return out;
}
Bytes bytes(Random& random, std::size_t size) {
    Bytes out(size);
    for (auto& byte : out)
        byte = static_cast<std::uint8_t>(below(random, 256));
    return out;
}
std::uint16_t any16(Random& random) {
    return static_cast<std::uint16_t>(random());
}

model::HttpRequest http_request(Random& random) {
    model::HttpRequest out{.path = "/" + word(random, 0, 300)};
    out.status.clear();
    for (auto ranges = 1 + below(random, 4); ranges > 0; --ranges) {
        const auto first = static_cast<std::uint16_t>(100 + below(random, 900));
        out.status.emplace_back(first, static_cast<std::uint16_t>(first + below(random, 1000U - first)));
    }
    if (coin(random))
        out.digest =
            model::BodyDigest{model::DigestKind::sha256, std::string(64, "0123456789abcdef"[below(random, 16)])};
    if (coin(random)) {
        const auto least = static_cast<std::uint32_t>(below(random, 1000));
        out.body = model::BodyPattern{text(random, 1, 300, false),
                                      coin(random),
                                      coin(random),
                                      coin(random),
                                      coin(random),
                                      coin(random),
                                      least,
                                      {}};
        if (coin(random)) out.body->max_offset = least + static_cast<std::uint32_t>(below(random, 1000));
    }
    return out;
}

model::CheckKind check_kind(Random& random) {
    switch (below(random, 6)) {
    case 0: return model::TcpCheck{};
    case 1: {
        model::HttpCheck http{.version = static_cast<model::HttpVersion>(below(random, 3)),
                              .method = word(random, 1, 20),
                              .host = word(random, 0, 100),
                              .tls = coin(random),
                              .server_name = word(random, 0, 100),
                              .verify = coin(random),
                              .ca_file = text(random, 0, 100, false)};
        http.requests.clear();
        for (auto count = 1 + below(random, 5); count > 0; --count)
            http.requests.push_back(http_request(random));
        for (auto count = below(random, 4); count > 0; --count)
            http.headers.push_back(word(random, 1, 20) + ": " + text(random, 0, 100, true));
        return http;
    }
    case 2: return model::SmtpCheck{word(random, 1, 200)};
    case 3: return model::DnsCheck{word(random, 1, 200), coin(random) ? model::DnsType::aaaa : model::DnsType::mx};
    case 4: {
        const auto size = below(random, 40);
        const auto least = static_cast<std::uint16_t>(below(random, 1000));
        return model::UdpCheck{bytes(random, below(random, model::max_datagram + 1)),
                               coin(random),
                               bytes(random, size),
                               bytes(random, size),
                               least,
                               static_cast<std::uint16_t>(least + below(random, 1000))};
    }
    default: return model::PingCheck{};
    }
}

StartCheck start_check(Random& random) {
    const auto family = coin(random) ? Family::ipv4 : Family::ipv6;
    StartCheck out{.id = WatchId{random()},
                   .what = check_kind(random),
                   .address = address(random, family),
                   .port = static_cast<std::uint16_t>(1 + below(random, 65535)),
                   .interval = probe_time(random),
                   .timeout = probe_time(random),
                   .retry = static_cast<std::uint32_t>(below(random, max_retry + 1)),
                   .retry_delay = probe_time(random),
                   .warmup = probe_time(random),
                   .tell = static_cast<std::uint16_t>(1 + below(random, 65535))};
    if (coin(random)) out.socket.source = address(random, family);
    out.socket.source_port = any16(random);
    out.socket.interface = text(random, 0, 15, false);
    out.socket.mark = static_cast<std::uint32_t>(random());
    return out;
}

Request any_request(Random& random) {
    const WatchId id{random()};
    switch (below(random, 14)) {
    case 13: return StartCarrier{id, text(random, 1, 15, false), probe_time(random)};
    case 10:
    case 11:
    case 12: return start_check(random);
    case 0: return StartHttp{id, text(random, 1, max_url, false), probe_time(random), probe_time(random)};
    case 1: return Stop{id};
    case 2:
        return WatchProcesses{id, text(random, 1, max_process_name, false),
                              static_cast<std::uint32_t>(below(random, 65536)), words(random),
                              static_cast<model::Match>(below(random, 3))};
    case 3: return StartTcp{id, text(random, 1, max_url, false), probe_time(random), probe_time(random)};
    case 4: return StartScript{id, script(random), text(random, 0, 32, false), probe_time(random), probe_time(random)};
    case 5: return RunScript{id, script(random), text(random, 0, 32, false), probe_time(random), words(random)};
    case 6: return WatchFile{id, text(random, 1, max_path, false)};
    case 7: return WriteLine{id, text(random, 1, max_path, false), text(random, 1, max_line, false)};
    case 8: {
        SendMail mail{.id = id, .server = "smtp://" + text(random, 1, 40, true), .hello = text(random, 1, 40, true)};
        mail.from = text(random, 1, 100, true);
        for (auto recipients = 1 + below(random, 5); recipients > 0; --recipients)
            mail.to.push_back(text(random, 1, 100, true));
        mail.user = text(random, 0, 40, true);
        mail.password = text(random, 0, 40, true);
        mail.ca_file = text(random, 0, 40, true);
        mail.starttls = coin(random);
        mail.verified = coin(random);
        mail.text = text(random, 1, max_mail, false);
        mail.timeout = probe_time(random);
        return mail;
    }
    default: return Unwatch{id};
    }
}

Report any_report(Random& random) {
    const WatchId id{random()};
    if (coin(random)) {
        Verdict verdict{id, coin(random), text(random, 0, max_detail, true), probe_time(random), random()};
        verdict.unknown = !verdict.ok && coin(random);
        verdict.value = static_cast<std::int32_t>(random());
        verdict.late = random();
        verdict.lateness = probe_time(random);
        return verdict;
    }
    if (coin(random))
        return FileFound{id, coin(random), coin(random), static_cast<std::int64_t>(random()),
                         text(random, 0, max_detail, true)};
    if (coin(random)) return Ended{id, coin(random), text(random, 0, max_detail, true), probe_time(random)};
    ProcessesFound found{id, coin(random), coin(random), {}};
    const auto count = below(random, coin(random) ? 10 : max_processes_a_message + 1);
    for (std::uint64_t i = 0; i < count; ++i)
        found.processes.push_back({static_cast<std::int32_t>(1 + below(random, 4194304)), random(), coin(random),
                                   coin(random), i < max_descriptors && coin(random)});
    return found;
}

TEST(Codec, RequestsComeBackEqual) {
    Random random{1};
    for (int i = 0; i < 2000; ++i) {
        const Request request = any_request(random);
        const auto bytes = encode(request);
        ASSERT_TRUE(bytes) << bytes.error();
        ASSERT_EQ(decode_request(*bytes), request);
    }
}

TEST(Codec, ReportsComeBackEqual) {
    Random random{2};
    for (int i = 0; i < 500; ++i) {
        const Report report = any_report(random);
        const auto bytes = encode(report);
        ASSERT_TRUE(bytes) << bytes.error();
        ASSERT_EQ(decode_report(*bytes), report);
    }
}

TEST(Codec, TheLargestReportFitsOnePacket) {
    ProcessesFound found{WatchId{1}, true, true, {}};
    found.processes.assign(max_processes_a_message, ProcessInfo{4194304, ~0ULL, true, true, false});
    EXPECT_TRUE(encode(Report{found}));
    found.processes.emplace_back(ProcessInfo{1, 1, false, false, false});
    EXPECT_FALSE(encode(Report{found}));
}

TEST(Codec, ATruncatedOrLengthenedMessageIsAnError) {
    Random random{3};
    for (int i = 0; i < 100; ++i) {
        auto bytes = *encode(any_request(random));
        for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 16)
            EXPECT_FALSE(decode_request(ByteView{bytes}.first(size)));
        bytes.push_back(0);
        EXPECT_FALSE(decode_request(bytes));
    }
    for (int i = 0; i < 100; ++i) {
        auto bytes = *encode(any_report(random));
        for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 16)
            EXPECT_FALSE(decode_report(ByteView{bytes}.first(size)));
        bytes.push_back(0);
        EXPECT_FALSE(decode_report(bytes));
    }
}

// What decodes by chance is a value like any other: it encodes to the very same bytes.
TEST(Codec, HostileBytesAreAnErrorOrAMessageOfTheSameBytes) {
    Random random{4};
    const auto judge = [](const Bytes& bytes) {
        if (const auto request = decode_request(bytes)) {
            EXPECT_EQ(encode(*request), bytes);
        }
        if (const auto report = decode_report(bytes)) {
            EXPECT_EQ(encode(*report), bytes);
        }
    };
    for (int i = 0; i < 20000; ++i) {
        Bytes bytes(below(random, 200));
        for (auto& byte : bytes)
            byte = static_cast<std::uint8_t>(below(random, 256));
        if (bytes.size() > 1 && coin(random))
            bytes[0] = 3, bytes[1] = std::array<std::uint8_t, 7>{1, 2, 3, 4, 11, 64, 65}[below(random, 7)];
        judge(bytes);
    }
    for (int i = 0; i < 5000; ++i) {
        Bytes bytes = coin(random) ? *encode(any_request(random)) : *encode(any_report(random));
        for (auto flips = 1 + below(random, 4); flips > 0; --flips)
            bytes[below(random, std::min<std::uint64_t>(bytes.size(), 64))] =
                static_cast<std::uint8_t>(below(random, 256));
        judge(bytes);
    }
}

TEST(Codec, ACountThatTheBytesDoNotCoverAllocatesNothing) {
    Bytes bytes{3, 65};
    bytes.insert(bytes.end(), {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0xff, 0xff});
    EXPECT_FALSE(decode_report(bytes));
}

TEST(Codec, ARequestIsNoReport) {
    EXPECT_FALSE(decode_report(*encode(Request{Stop{WatchId{1}}})));
    EXPECT_FALSE(decode_request(*encode(Report{Verdict{WatchId{1}, true, "", 1ms}})));
}

TEST(Codec, LimitsHoldOnBothEnds) {
    const WatchId id{1};
    EXPECT_FALSE(encode(Request{StartHttp{id, "", 1s, 1s}}));
    EXPECT_FALSE(encode(Request{StartHttp{id, std::string(max_url + 1, 'a'), 1s, 1s}}));
    EXPECT_FALSE(encode(Request{StartHttp{id, std::string("http://a/\0b", 11), 1s, 1s}}));
    EXPECT_FALSE(encode(Request{StartHttp{id, "http://a/", 0s, 1s}}));
    EXPECT_FALSE(encode(Request{StartHttp{id, "http://a/", 1s, -1s}}));
    EXPECT_FALSE(encode(Request{WatchProcesses{id, "nginx", 65536}}));
    EXPECT_FALSE(encode(Request{WatchProcesses{id, "", 1}}));
    EXPECT_FALSE(encode(Report{Verdict{id, true, "line\nbreak", 1ms}}));
    EXPECT_FALSE(encode(Report{ProcessesFound{id, true, true, {{0, 1, false, false, false}}}}));
    Bytes other_version = *encode(Request{Stop{id}});
    other_version[0] = 2;
    EXPECT_NE(decode_request(other_version).error().find("version 2"), std::string::npos);
}

StartCheck tcp_check() {
    return {.id = WatchId{1},
            .what = model::TcpCheck{},
            .address = IpAddress::v4(127, 0, 0, 1),
            .port = 80,
            .interval = 1s,
            .timeout = 1s};
}
std::string refusal(const std::function<void(StartCheck&)>& change) {
    auto check = tcp_check();
    change(check);
    const auto bytes = encode(Request{check});
    return bytes ? "" : bytes.error();
}
std::string refusal_of_http(const std::function<void(model::HttpCheck&)>& change) {
    return refusal([&](StartCheck& check) { change(check.what.emplace<model::HttpCheck>()); });
}

TEST(Codec, ACheckIsOneThatTheProberCanMake) {
    EXPECT_EQ(refusal([](StartCheck&) {}), "");
    EXPECT_EQ(refusal([](StartCheck& c) { c.what = model::TrackerCheck{}; }),
              "a tracker or a script is none of the prober's checks");
    EXPECT_EQ(refusal([](StartCheck& c) { c.what = model::ScriptCheck{}; }),
              "a tracker or a script is none of the prober's checks");
    EXPECT_EQ(refusal([](StartCheck& c) { c.port = 0; }), "a check without a port");
    EXPECT_EQ(refusal([](StartCheck& c) { c.port = 0, c.what = model::PingCheck{}; }), "");
    EXPECT_EQ(refusal([](StartCheck& c) { c.socket.port = 80; }), "the socket has an address to connect to of its own");
    EXPECT_EQ(refusal([](StartCheck& c) { c.socket.source = IpAddress{Family::ipv6, {}}; }),
              "source and address are of different families");
    EXPECT_EQ(refusal([](StartCheck& c) { c.tell = 0; }), "verdicts that are never told");
    EXPECT_EQ(refusal([](StartCheck& c) { c.retry = 1001; }), "retry 1001 is not within 0 to 1000");
    EXPECT_EQ(refusal([](StartCheck& c) { c.warmup = -1s; }).find("warm-up"), 0U);
}

TEST(Codec, NothingOfACheckCanEndALineOfItsProtocol) {
    EXPECT_EQ(refusal_of_http([](auto&) {}), "");
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests[0].path = "/a b"; }), "");
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests[0].path = "/a\r\nHost: x"; }), "");
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests[0].path = "a"; }), "");
    EXPECT_EQ(refusal_of_http([](auto& h) { h.host = "a/b"; }), "the host is no host name");
    EXPECT_EQ(refusal_of_http([](auto& h) { h.host = "a\r\n"; }), "the host is no host name");
    EXPECT_EQ(refusal_of_http([](auto& h) { h.host = "[2001:db8::1]:8080"; }), "");
    EXPECT_EQ(refusal_of_http([](auto& h) { h.headers = {"A: b\r\nC: d"}; }), "a header is not 'Name: value'");
    EXPECT_EQ(refusal_of_http([](auto& h) { h.headers = {"A b: c"}; }), "a header is not 'Name: value'");
    EXPECT_EQ(refusal_of_http([](auto& h) { h.method = "GET /"; }), "the method is none of HTTP");
    EXPECT_EQ(refusal([](StartCheck& c) { c.what = model::SmtpCheck{"a b"}; }), "the name to say is no word");
}

TEST(Codec, ACheckIsBoundedInAll) {
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests.clear(); }), "");
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests.resize(model::max_requests + 1); }), "");
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests[0].status = {{200, 1000}}; }), "");
    EXPECT_NE(refusal_of_http([](auto& h) { h.requests[0].digest = model::BodyDigest{model::DigestKind::md5, "A"}; }),
              "");
    EXPECT_EQ(refusal_of_http([](auto& h) {
                  h.requests.resize(model::max_requests);
                  for (auto& request : h.requests)
                      request.path = "/" + std::string(model::max_check_text - 1, 'x');
              }),
              "a check of more than 48000 bytes");
    EXPECT_NE(refusal([](StartCheck& c) { c.what = model::UdpCheck{.reply = {1}, .mask = {}}; }), "");
    EXPECT_NE(refusal([](StartCheck& c) { c.what = model::UdpCheck{.payload = Bytes(model::max_datagram + 1)}; }), "");
}

TEST(Codec, DetailsAreMadePrintableAndShort) {
    EXPECT_EQ(printable("a\x1b[1m\xc3\xa9"), "a?[1m??");
    EXPECT_EQ(printable(std::string(1000, 'x')).size(), max_detail);
}

} // namespace
} // namespace holdfast::ipc
