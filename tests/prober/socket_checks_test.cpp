// The checks that are conversations on one socket, against good, bad, slow and hostile servers: TCP, SMTP, DNS, UDP, ping.
#include "server.hpp"

#include "prober/dns.hpp"
#include "prober/smtp.hpp"
#include "prober/udp.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>

namespace holdfast::prober {
namespace {

using namespace testing;

// ---- TCP ----------------------------------------------------------------------------------------------------------------

TEST(TcpCheck, AConnectionIsGoodAndARefusalBad) {
    const Server server{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    expect_good(check(model::TcpCheck{}, server.port), "connected");
    expect_bad(check(model::TcpCheck{}, closed_port(SOCK_STREAM)), "cannot connect: Connection refused");
}

/// A queue of connections that is full answers no more.
TEST(TcpCheck, ASilentServerIsBadAtTheTimeout) {
    std::uint16_t port{0};
    const Fd full = listen_on_loopback(SOCK_STREAM, port);
    ::listen(full.get(), 0);
    std::vector<Fd> clients;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ::connect(clients.back().get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    expect_bad(check(model::TcpCheck{}, port, 200ms), "no connection within 200ms");
}

TEST(TcpCheck, TheSourceIsTheOneAskedFor) {
    const Server server{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    auto what = check(model::TcpCheck{}, server.port);
    what.socket.source = IpAddress::v4(127, 0, 0, 77);
    what.socket.source_port = closed_port(SOCK_STREAM);
    what.interval = 50ms; // again and again from one port
    what.tell = 100;
    Driver driver{ipc::testing::prober_options()};
    driver.subscribe(what);
    ASSERT_TRUE(driver.until([&] { return driver.verdicts.size() >= 5; }, 5s));
    for (const auto& verdict : driver.verdicts)
        EXPECT_TRUE(verdict.ok) << verdict.detail;
    EXPECT_EQ(server.peer(), fmt::format("127.0.0.77:{}", what.socket.source_port));
}

TEST(TcpCheck, WhatThisHostRefusesIsUnknownAndSaysTheCure) {
    const Server server{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    auto what = check(model::TcpCheck{}, server.port);
    what.socket.mark = 7;
    expect_unknown(what, "cannot set the mark 7: Operation not permitted; the prober has no right to that: "
                         "/usr/share/holdfast/probe-rights.conf gives it, or holdfastd --probe-rights");
    what.socket = {.source = IpAddress::v4(192, 0, 2, 1)};
    expect_unknown(what, "cannot use the source 192.0.2.1 port 0: Cannot assign requested address; it is no address of "
                         "this host");
    what.socket = {.source_port = 25};
    expect_unknown(what, "cannot use the source 0.0.0.0 port 25: Permission denied; the prober has no right to that: "
                         "/usr/share/holdfast/probe-rights.conf gives it, or holdfastd --probe-rights");
    what.socket = {.interface = "nowhere"};
    expect_unknown(what, "cannot use the interface nowhere: No such device");
    what.socket = {.interface = "lo"};
    expect_good(what, "connected");
}

// ---- SMTP ---------------------------------------------------------------------------------------------------------------

Server::Answer smtp(std::string banner, std::string to_helo) {
    return [=](int fd, const std::stop_token& stop) {
        say(fd, banner, stop);
        if (!hear(fd, "\r\n").starts_with("HELO lb.example\r\n")) return;
        say(fd, to_helo, stop);
        if (hear(fd, "\r\n") == "QUIT\r\n") say(fd, "221 bye\r\n", stop);
    };
}
const model::SmtpCheck helo{"lb.example"};

TEST(SmtpCheck, ABannerOf220AndAnAnswerOf250AreGood) {
    const Server plain{smtp("220 mail ESMTP\r\n", "250 mail\r\n")};
    expect_good(check(helo, plain.port), "250 to HELO");
    const Server lines{smtp("220-one\r\n220-two\r\n220 three\r\n", "250-mail\r\n250 HELP\r\n")};
    expect_good(check(helo, lines.port), "250 to HELO");
    const Server bare{smtp("220\r\n", "250\n")};
    expect_good(check(helo, bare.port), "250 to HELO");
}

TEST(SmtpCheck, SaysQuitBeforeItLeaves) {
    std::atomic<bool> quit{false};
    const Server server{[&](int fd, const std::stop_token& stop) {
        say(fd, "220 x\r\n", stop);
        hear(fd, "\r\n");
        say(fd, "250 x\r\n", stop);
        quit = hear(fd, "\r\n") == "QUIT\r\n";
    }};
    expect_good(check(helo, server.port), "250 to HELO");
    EXPECT_TRUE(quit);
}

TEST(SmtpCheck, OtherCodesAreBad) {
    const Server busy{smtp("421 busy\r\n", "")};
    expect_bad(check(helo, busy.port), "the banner is 421");
    const Server strict{smtp("220 x\r\n", "504 no such name\r\n")};
    expect_bad(check(helo, strict.port), "the answer to HELO is 504");
    const Server web{smtp("HTTP/1.1 200 OK\r\n", "")};
    expect_bad(check(helo, web.port), "the banner is no SMTP");
    const Server gone{[](int, const std::stop_token&) {}};
    expect_bad(check(helo, gone.port), "the server hung up before its banner");
    expect_bad(check(helo, closed_port(SOCK_STREAM)), "cannot connect: Connection refused");
}

TEST(SmtpCheck, HostileServersEndAtTheDeadlineOrBefore) {
    const Server silent{[](int fd, const std::stop_token& stop) { stall(fd, stop); }};
    expect_bad(check(helo, silent.port, 200ms), "no banner within 200ms");
    const Server slow{[](int fd, const std::stop_token& stop) { trickle(fd, "220-x\r\n", stop); }};
    expect_bad(check(helo, slow.port, 200ms), "no banner within 200ms");
    const Server lines{[](int fd, const std::stop_token& stop) { flood(fd, "220-and more\r\n", stop); }};
    expect_bad(check(helo, lines.port), "the banner does not end");
    const Server line{[](int fd, const std::stop_token& stop) { flood(fd, "220 xxxxxxxxxxxxxxxx", stop); }};
    expect_bad(check(helo, line.port), "the banner does not end");
}

TEST(SmtpReader, TakesRepliesWhateverTheirPieces) {
    const std::string text = "220-a\r\n220 b\r\n250 c\r\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        SmtpReader reader;
        std::vector<unsigned> codes;
        for (std::size_t at = 0; at < text.size(); at += piece) {
            std::string_view part = std::string_view{text}.substr(at, piece);
            while (!part.empty())
                if (reader.take(part) == SmtpReader::Found::reply) codes.push_back(reader.code());
        }
        EXPECT_EQ(codes, (std::vector<unsigned>{220, 250})) << piece;
    }
}

// ---- datagrams ----------------------------------------------------------------------------------------------------------

/// Answers each datagram with those that `answer` makes of it.
class DatagramServer {
  public:
    using Answer = std::function<std::vector<Bytes>(ByteView)>;
    explicit DatagramServer(Answer answer) : socket_{listen_on_loopback(SOCK_DGRAM, port)} {
        thread_ = std::jthread{[this, answer = std::move(answer)](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                if (!ipc::testing::readable(socket_.get(), 10ms)) continue;
                std::array<std::uint8_t, 2048> buffer{};
                sockaddr_in from{};
                socklen_t size = sizeof from;
                auto* peer = reinterpret_cast<sockaddr*>(&from);
                const ssize_t got = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, peer, &size);
                for (const auto& each : answer(ByteView{buffer}.first(static_cast<std::size_t>(got))))
                    ::sendto(socket_.get(), each.data(), each.size(), 0, peer, size);
            }
        }};
    }
    std::uint16_t port{0};

  private:
    Fd socket_;
    std::jthread thread_;
};

Bytes copy_of(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}
/// The query as an answer with this RCODE.
Bytes answered(ByteView query, unsigned code = 0) {
    auto out = copy_of(query);
    out[2] |= 0x80;
    out[3] = static_cast<std::uint8_t>(0x80 | code);
    return out;
}
const model::DnsCheck soa{"Example.org", model::DnsType::soa};

TEST(DnsCheck, RcodeZeroIsGoodAndAnyOtherBad) {
    const DatagramServer good{[](ByteView query) { return std::vector<Bytes>{answered(query)}; }};
    expect_good(check(soa, good.port), "NOERROR");
    const DatagramServer missing{[](ByteView query) { return std::vector<Bytes>{answered(query, 3)}; }};
    expect_bad(check(soa, missing.port), "NXDOMAIN");
    const DatagramServer short_refusal{[](ByteView query) {
        auto out = answered(query, 5);
        out.resize(12);
        out[5] = 0;
        return std::vector<Bytes>{out};
    }};
    expect_bad(check(soa, short_refusal.port), "REFUSED");
    expect_bad(check(soa, closed_port(SOCK_DGRAM)), "unreachable: Connection refused");
}

TEST(DnsCheck, WhatAnswersAnotherQueryIsPassedOver) {
    const auto wrong = [](ByteView query) {
        std::vector<Bytes> out;
        for (int i = 0; i < 20; ++i) {
            out.push_back(answered(query));
            out.back()[0] ^= 0xff; // another number
        }
        out.push_back(answered(query));
        out.back()[14] ^= 1; // another name
        out.push_back(answered(query));
        out.back()[out.back().size() - 3] ^= 1; // another type
        out.push_back(copy_of(query));          // no answer at all
        return out;
    };
    const DatagramServer only_wrong{wrong};
    expect_bad(check(soa, only_wrong.port, 200ms), "no answer within 200ms");
    const DatagramServer then_right{[wrong](ByteView query) {
        auto out = wrong(query);
        out.push_back(answered(query));
        return out;
    }};
    expect_good(check(soa, then_right.port), "NOERROR");
    const DatagramServer silent{[](ByteView) { return std::vector<Bytes>{}; }};
    expect_bad(check(soa, silent.port, 200ms), "no answer within 200ms");
}

TEST(DnsCheck, CompressionLoopsAndMissingRecordsAreNoAnswer) {
    const auto query = *dns_query(soa, 77);
    auto loop = answered(query);
    loop[7] = 1;                                               // one record
    put16(loop, 0xc000 | static_cast<unsigned>(query.size())); // whose name points at itself
    for (int i = 0; i < 4; ++i)
        put16(loop, 1);
    put16(loop, 0); // no data
    const auto outcome = dns_answer(query, loop);
    ASSERT_TRUE(outcome); // the name is never followed, so it can do no harm
    EXPECT_TRUE(outcome->ok);
    auto missing = answered(query);
    missing[7] = 9;
    EXPECT_EQ(dns_answer(query, missing)->detail, "a malformed answer");
    for (std::size_t size = 0; size < loop.size(); ++size)
        if (const auto seen = dns_answer(query, ByteView{loop}.first(size))) {
            EXPECT_FALSE(seen->ok) << size;
        }
}

TEST(DnsCheck, TheQueryIsTheOneOfTheStandard) {
    const auto query = dns_query({"a.bc", model::DnsType::aaaa}, 0x1234);
    EXPECT_EQ(query, (Bytes{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 2, 'b', 'c', 0, 0, 28, 0, 1}));
    EXPECT_EQ(dns_query({".", model::DnsType::soa}, 1)->size(), 17U);
    EXPECT_FALSE(dns_query({std::string(64, 'x'), model::DnsType::soa}, 1));
    expect_unknown(check(model::DnsCheck{"a..b", model::DnsType::a}, 53), "the name to ask for is no domain name");
}

TEST(UdpCheck, ARefusalIsBadAndSilenceIsGoodUnlessAReplyIsWanted) {
    const DatagramServer silent{[](ByteView) { return std::vector<Bytes>{}; }};
    expect_good(check(model::UdpCheck{.payload = {1, 2}}, silent.port, 200ms), "not refused");
    expect_bad(check(model::UdpCheck{.payload = {1}, .require_reply = true}, silent.port, 200ms),
               "no reply within 200ms");
    expect_bad(check(model::UdpCheck{.payload = {1}}, closed_port(SOCK_DGRAM)), "unreachable: Connection refused");
    const DatagramServer echo{[](ByteView what) { return std::vector<Bytes>{copy_of(what)}; }};
    expect_good(check(model::UdpCheck{.payload = {1, 2}}, echo.port), "a reply of 2 bytes");
    const Bytes payload{'p', 'i', 'n', 'g'};
    expect_good(check(model::UdpCheck{payload, true, {'p', 0, 'n'}, {0xff, 0, 0xff}}, echo.port), "a reply of 4 bytes");
    expect_bad(check(model::UdpCheck{payload, true, {'p', 0, 'n'}, {0xff, 0xff, 0xff}}, echo.port),
               "a reply of 4 bytes, other than expected at byte 1");
}

TEST(UdpCheck, TheReplyIsAsLongAsItMayBeAndItsMaskHolds) {
    const Bytes reply{0xab, 0xcd};
    const model::UdpCheck what{
        .require_reply = true, .reply = reply, .mask = {0xf0, 0xff}, .min_length = 1, .max_length = 3};
    EXPECT_TRUE(udp_reply(what, Bytes{0xa0, 0xcd}, 2).ok);
    EXPECT_TRUE(udp_reply(what, Bytes{0xa0, 0xcd, 1}, 3).ok);
    EXPECT_FALSE(udp_reply(what, Bytes{0xb0, 0xcd}, 2).ok);
    EXPECT_FALSE(udp_reply(what, Bytes{0xa0}, 1).ok);
    EXPECT_FALSE(udp_reply(what, Bytes{0xa0, 0xcd, 1, 2}, 4).ok);
    EXPECT_FALSE(udp_reply(what, {}, 0).ok);
}

// ---- ping ---------------------------------------------------------------------------------------------------------------

/// A network namespace of this thread's own, and of the prober that it starts.
class Ping : public ::testing::Test {
  protected:
    void SetUp() override {
        before_.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace of its own: not root";
        const Fd any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        ifreq up{};
        up.ifr_name[0] = 'l', up.ifr_name[1] = 'o';
        up.ifr_flags = IFF_UP;
        ASSERT_EQ(::ioctl(any.get(), SIOCSIFFLAGS, &up), 0);
    }
    void TearDown() override { ::setns(before_.get(), CLONE_NEWNET); }
    static void allow() { std::ofstream{"/proc/sys/net/ipv4/ping_group_range"} << "0 2147483647"; }

  private:
    Fd before_;
};

TEST_F(Ping, AnEchoIsGoodAndAnAddressWithoutARouteIsBad) {
    allow();
    expect_good(check(model::PingCheck{}, 0), "echo reply");
    auto what = check(model::PingCheck{}, 0);
    what.address = *parse_ip("::1");
    expect_good(what, "echo reply");
    what.address = IpAddress::v4(192, 0, 2, 1);
    expect_bad(what, "cannot connect: Network is unreachable");
}

TEST_F(Ping, WhereItIsNotPermittedItIsUnknownAndSaysTheCure) {
    expect_unknown(check(model::PingCheck{}, 0),
                   "cannot open a socket: Permission denied; the sysctl net.ipv4.ping_group_range "
                   "has to include the prober's group: \"0 2147483647\" is everybody");
}

} // namespace
} // namespace holdfast::prober
