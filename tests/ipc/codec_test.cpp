// Messages survive the way there and back, and nothing but a message decodes.
#include "ipc/codec.hpp"

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

Request any_request(Random& random) {
    const WatchId id{random()};
    switch (below(random, 10)) {
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
    if (coin(random)) return Verdict{id, coin(random), text(random, 0, max_detail, true), probe_time(random), random()};
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
            bytes[0] = 1, bytes[1] = std::array<std::uint8_t, 6>{1, 2, 3, 4, 64, 65}[below(random, 6)];
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
    Bytes bytes{2, 65};
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
    other_version[0] = 3;
    EXPECT_NE(decode_request(other_version).error().find("version 3"), std::string::npos);
}

TEST(Codec, DetailsAreMadePrintableAndShort) {
    EXPECT_EQ(printable("a\x1b[1m\xc3\xa9"), "a?[1m??");
    EXPECT_EQ(printable(std::string(1000, 'x')).size(), max_detail);
}

} // namespace
} // namespace holdfast::ipc
