// Plain HTTP by hand (prober/web) beside libcurl (prober/http): the requests are the same bytes, the answers mean the same, and where
// they do not it is written here. Then what a socket does to a conversation: short writes, resets, deadlines, several connections.
#include "server.hpp"

#include "prober/http.hpp"
#include "prober/web.hpp"

#include <fcntl.h>

namespace holdfast::prober {
namespace {

using namespace testing;

using Plan = std::shared_ptr<const HttpPlan>;

Plan plan_of(const model::HttpCheck& what, std::uint16_t port) {
    return std::make_shared<HttpPlan>(what, Endpoint{loopback, port}, model::ProbeSocket{});
}

/// Both ways to make a probe, in this process.
class Ways {
  public:
    Outcome by_hand(const Plan& plan, std::uint16_t port, Duration timeout = 2s) {
        start(plan, port, timeout);
        return finish();
    }
    Outcome by_curl(const Plan& plan, Duration timeout = 2s) {
        http.start(id, plan, timeout);
        return finish();
    }

    void start(const Plan& plan, std::uint16_t port, Duration timeout) {
        sockets.start(id, {loopback, port}, plan->socket, web_probe(plan), timeout, ipc::clock_now());
    }
    Outcome finish() {
        for (const Time end = ipc::clock_now() + 5s; outcomes.empty() && ipc::clock_now() < end;)
            turn();
        EXPECT_EQ(outcomes.size(), 1U);
        const auto outcome = outcomes.empty() ? Outcome{} : outcomes.front();
        outcomes.clear();
        return outcome;
    }
    void turn() {
        look();
        const Time now = ipc::clock_now();
        if (now >= curl.next_deadline()) curl.on_timer();
        if (now >= http.next_deadline()) http.on_timer(now);
        if (now >= sockets.next_deadline()) sockets.on_timer(now);
    }
    void look() {
        for (const auto& event : epoll.wait(5ms))
            if (sockets.owns(event.data.fd))
                sockets.on_socket(event.data.fd, event.events);
            else
                curl.on_socket(event.data.fd, event.events);
    }

    static constexpr ipc::WatchId id{1};
    std::vector<Outcome> outcomes;

  private:
    Done keep = [this](ipc::WatchId, const Outcome& outcome) { outcomes.push_back(outcome); };
    ipc::Epoll epoll;
    CurlMulti curl{epoll};

  public:
    HttpDriver http{curl, keep};
    SocketProbes sockets{epoll, keep};
};

// ---- the same as libcurl ------------------------------------------------------------------------------------------------

TEST(PlainHttp, TheRequestIsTheSameAsLibcurls) {
    using model::HttpVersion;
    const std::vector<model::HttpCheck> checks = {
        {},
        {.version = HttpVersion::v1_0},
        {.method = "HEAD"},
        {.method = "OPTIONS"},
        {.requests = {{.path = "/a/../b/./c?d=e&f=%20g?h"}}},
        {.requests = {{.path = "//x/{y}[z]|\"<>^`\\"}}},
        {.host = "web.example"},
        {.host = "web.example:8080"},
        {.headers = {"X-Probe: yes", "x-probe: twice", "Connection: close", "Cookie: a=b",
                     "Authorization: Basic eA=="}},
        {.headers = {"Host: other.example"}},
        {.headers = {"host:other.example", "Host: third.example"}},
        {.host = "web.example", .headers = {"Host: other.example", "X: y"}},
        {.headers = {"Host:"}},
        {.headers = {"User-Agent: somebody", "accept: text/html"}},
        {.headers = {"User-Agent:", "Accept:", "X-Empty:", "X-Blank: \t "}},
        {.headers = {"Accept-Encoding: gzip", "Upgrade: websocket", "X: \xc3\xa9"}},
    };
    Ways ways;
    for (const auto& what : checks) {
        std::vector<std::string> heard;
        std::mutex mutex;
        const Server server{[&](int fd, const std::stop_token& stop) {
            const std::lock_guard lock{mutex};
            heard.push_back(hear(fd));
            say(fd, page(""), stop);
        }};
        const auto plan = plan_of(what, server.port);
        EXPECT_EQ(ways.by_hand(plan, server.port).detail, "status 200");
        EXPECT_EQ(ways.by_curl(plan).detail, "status 200");
        const std::lock_guard lock{mutex};
        ASSERT_EQ(heard.size(), 2U);
        EXPECT_EQ(heard[0], heard[1]);
        EXPECT_EQ(heard[0], plan->steps[0].request);
    }
}

TEST(PlainHttp, ThePortOfTheHostIsLeftOutWhereItIsTheUsual) {
    const auto request = [](const char* address, std::uint16_t port) {
        return HttpPlan{{}, {*parse_ip(address), port}, {}}.steps[0].request;
    };
    EXPECT_TRUE(request("192.0.2.1", 80).starts_with("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n"));
    EXPECT_TRUE(request("2001:db8::1", 80).starts_with("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n"));
    EXPECT_TRUE(request("2001:db8::1", 443).starts_with("GET / HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"));
}

/// It is never good: the detail of a whole answer tells all of the body.
model::HttpCheck asking(std::string method = "GET") {
    const model::BodyDigest none{.kind = model::DigestKind::sha256, .hex = std::string(64, '0')};
    return {.requests = {{.digest = none}}, .method = std::move(method)};
}
/// Of an answer that was not whole the two have their own words.
std::string meaning(const Outcome& outcome) {
    EXPECT_FALSE(outcome.ok || outcome.our_fault) << outcome.detail;
    const bool is_whole = outcome.detail.starts_with("status ") || outcome.detail.starts_with("the digest ");
    return is_whole ? outcome.detail : "not whole";
}

struct Told {
    std::string by_hand, by_curl;
};
/// The server hangs up behind this, or says nothing more.
Told both_about(const std::string& reply, const model::HttpCheck& what, bool hangs_up) {
    const Server server{[&](int fd, const std::stop_token& stop) {
        hear(fd);
        if (say(fd, reply, stop) && !hangs_up) stall(fd, stop);
    }};
    Ways ways;
    const auto plan = plan_of(what, server.port);
    const Duration timeout = hangs_up ? 2s : 100ms;
    return {meaning(ways.by_hand(plan, server.port, timeout)), meaning(ways.by_curl(plan, timeout))};
}

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\n";
std::string with(std::string_view headers, std::string_view body) {
    return fmt::format("{}{}\r\n{}", ok, headers, body);
}
std::string in_chunks(std::string_view body) {
    return with("Transfer-Encoding: chunked\r\n", body);
}

TEST(PlainHttp, AnAnswerMeansTheSameAsByLibcurl) {
    const std::vector<std::string> replies = {
        with("Content-Length: 5\r\n", "hello"),
        with("Content-Length: 5\r\n", "hello and more"),
        with("Content-Length: 5\r\n", "hell"),
        with("Content-Length: 0\r\n", ""),
        with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        with("Content-Length: -5\r\n", "hello"),
        with("Content-Length: x\r\n", "hello"),
        with("Content-Length : 4\r\n", "hello"),
        with("", "hello"),
        with("", ""),
        with("Content-Encoding: gzip\r\nContent-Length: 3\r\n", "\x1f\x8b\x08"),
        with("Location: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n", "ok"),
        with("X: a\r\n folded\r\nContent-Length: 2\r\n", "ok"),
        with("no header\r\n", "ok"),
        with(std::string_view{"X: \0\r\n", 6}, "ok"),
        in_chunks("5\r\nhello\r\n0\r\n\r\n"),
        in_chunks("3\r\nhel\r\n2;x=y\r\nlo\r\n00\r\nX: y\r\n\r\n"),
        in_chunks("2\nok\n0\n\n"),
        in_chunks("5\r\nhel"),
        in_chunks("5\r\nhello\r\n"),
        in_chunks("5\r\nhello\r\n0\r\n"),
        in_chunks("g\r\n"),
        in_chunks("\r\n"),
        in_chunks("00000000000000005\r\nhello\r\n0\r\n\r\n"),
        in_chunks("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        in_chunks("2\r\nokay\r\n0\r\n\r\n"),
        with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "2\r\nok\r\n0\r\n\r\n"),
        with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 999 Own\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.12 200 OK\r\n\r\n",
        "<html>HTTP/0.9</html>",
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "",
    };
    for (const auto& reply : replies) {
        const auto hung_up = both_about(reply, asking(), true);
        EXPECT_EQ(hung_up.by_hand, hung_up.by_curl) << reply;
        const auto open = both_about(reply, asking(), false);
        EXPECT_EQ(open.by_hand, open.by_curl) << "kept open: " << reply;
    }
    for (const auto& reply : {with("Content-Length: 5\r\n", ""), in_chunks(""), with("", "")}) {
        const auto open = both_about(reply, asking("HEAD"), false);
        EXPECT_EQ(open.by_hand, open.by_curl) << "of HEAD: " << reply;
    }
}

/// Where libcurl (7.88 and 8.14) is more patient than RFC 9112, and takes an answer that is none, or not to its end.
TEST(PlainHttp, SomeAnswersAreBadThatLibcurlTakes) {
    const std::vector<std::string> replies = {
        // The connection ended among the headers: any server that dies there would be good.
        "HTTP/1.1 200 OK\r\nX: y\r\n",
        // Whoever counts on the other number of the two sees another answer (RFC 9112 6.3).
        with("Content-Length: 2\r\nContent-Length: 5\r\n", "hello"),
        with("Content-Length: 5, 2\r\n", "hello"),
        with("Content-Length: 5x\r\n", "hello"),
        with("Content-Length: 99999999999999999999\r\n", "hello"),
        with("Content-Length: 5\r\n 6\r\n", "hello"),
        with("Transfer-Encoding: \r\n chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
        // What stands behind the size of a chunk begins with a semicolon.
        in_chunks("2 and more\r\nok\r\n0\r\n\r\n"),
    };
    for (const auto& reply : replies) {
        const auto told = both_about(reply, asking(), true);
        EXPECT_EQ(told.by_hand, "not whole") << reply;
        const bool is_newer = curl_version_info(CURLVERSION_NOW)->version_num > 0x080e01; // nobody has looked
        EXPECT_TRUE(is_newer || told.by_curl != "not whole") << reply;
    }
}

/// Whose end libcurl waits for. 101 has no body (RFC 9110 15.2.2), and what follows is another protocol's; `identity` is no encoding
/// (RFC 2616 3.6).
TEST(PlainHttp, SomeAnswersAreWholeThatLibcurlWaitsFor) {
    const std::vector<std::string> replies = {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        with("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "ok"),
    };
    for (const auto& reply : replies)
        EXPECT_NE(both_about(reply, asking(), false).by_hand, "not whole") << reply;
}

TEST(PlainHttp, WhyAnAnswerIsNoneIsSaid) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "the server hung up before its answer"},
        {with("Content-Length: 9\r\n", "hell"), "the server hung up in the middle of its answer"},
        {"SSH-2.0-OpenSSH_9.2p1\r\n", "the answer is no HTTP/1"},
        {with("Transfer-Encoding: gzip, chunked\r\n", ""), "the answer has a transfer encoding that nobody asked for"},
        {in_chunks("ffffffffffffffffff\r\n"), "the answer has a malformed chunk"},
    };
    for (const auto& [reply, detail] : cases) {
        const Server server{http(reply)};
        expect_bad(check(model::HttpCheck{}, server.port), detail);
        expect_bad(check(model::HttpCheck{.requests = {{}, {}}}, server.port), "request 1: " + detail);
    }
    expect_bad(check(model::HttpCheck{.requests = {{}, {}}}, closed_port(SOCK_STREAM)),
               "request 1: cannot connect: Connection refused");
}

// ---- a socket's ways ----------------------------------------------------------------------------------------------------

/// It takes the server's side of the connection and ends it with RST.
void reset(int fd) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

TEST(PlainHttp, AResetCountsBehindWhatWasSaidBefore) {
    const auto resetting = [](std::string reply) {
        return [reply = std::move(reply)](int fd, const std::stop_token& stop) {
            hear(fd);
            say(fd, reply, stop);
            reset(fd);
        };
    };
    const Server whole{resetting(page("x"))};
    expect_good(check(model::HttpCheck{}, whole.port), "status 200");
    const Server half{resetting(with("Content-Length: 5\r\n", "he"))};
    expect_bad(check(model::HttpCheck{}, half.port), "cannot read: Connection reset by peer");
    const Server endless{resetting(with("", "hello"))};
    expect_bad(check(model::HttpCheck{}, endless.port), "cannot read: Connection reset by peer");
}

TEST(PlainHttp, AChunkThatNeverBeginsIsCutOff) {
    const Server extension{[](int fd, const std::stop_token& stop) {
        hear(fd);
        if (say(fd, in_chunks("1;"), stop)) flood(fd, "xxxxxxxxxxxxxxxx", stop);
    }};
    expect_bad(check(model::HttpCheck{}, extension.port), "the answer has a malformed chunk");
    const Server trailers{[](int fd, const std::stop_token& stop) {
        hear(fd);
        if (say(fd, in_chunks("0\r\n"), stop)) flood(fd, "X: y\r\n", stop);
    }};
    expect_bad(check(model::HttpCheck{}, trailers.port), "headers longer than 64 KiB");
}

/// The two ends of a conversation without a network, the client's with as small a buffer as there is.
struct Pair {
    Pair() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        client.reset(fds[0]);
        server.reset(fds[1]);
        const int smallest = 1;
        ::setsockopt(client.get(), SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    }
    std::string heard() const {
        std::string text(65536, '\0');
        const ssize_t size = ::recv(server.get(), text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }
    Fd client, server;
};

/// More than any such buffer takes at once.
model::HttpCheck long_request() {
    return {.headers = std::vector<std::string>(20, "X: " + std::string(2000, 'x'))};
}

TEST(PlainHttp, ALongRequestGoesOutInPieces) {
    const Pair pair;
    const auto plan = plan_of(long_request(), 80);
    const auto talk = web_probe(plan).talk;
    EXPECT_EQ(talk->at_deadline(1s).detail, "no connection within 1s");
    std::string heard;
    int pieces = 0;
    for (; (talk->wants & EPOLLOUT) != 0 && pieces < 1000; ++pieces) {
        EXPECT_FALSE(talk->on_ready(pair.client.get()));
        heard += pair.heard();
    }
    EXPECT_GT(pieces, 1);
    EXPECT_EQ(heard, plan->steps[0].request);
    EXPECT_EQ(talk->at_deadline(1s).detail, "no complete answer within 1s");
    say(pair.server.get(), page("x"));
    const auto outcome = talk->on_ready(pair.client.get());
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->detail, "status 200");
}

TEST(PlainHttp, AnAnswerMayComeBeforeTheWholeRequestHasGone) {
    const std::string reply = "HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n";
    for (const bool hangs_up : {false, true}) {
        Pair pair;
        const auto talk = web_probe(plan_of(long_request(), 80)).talk;
        EXPECT_FALSE(talk->on_ready(pair.client.get()));
        ASSERT_EQ(talk->wants, EPOLLIN | EPOLLOUT);
        say(pair.server.get(), reply);
        if (hangs_up) pair.server.reset();
        auto outcome = talk->on_ready(pair.client.get());
        if (!outcome) outcome = talk->on_ready(pair.client.get());
        ASSERT_TRUE(outcome);
        EXPECT_EQ(outcome->detail, "status 431");
    }
}

/// All of an answer is there at the deadline, and is more than one read takes.
TEST(PlainHttp, ALongAnswerThatCameInTimeCountsThoughNobodyLooked) {
    std::atomic<bool> said{false};
    const Server server{[&](int fd, const std::stop_token& stop) {
        hear(fd);
        said = say(fd, page(std::string(100'000, 'x')), stop);
        stall(fd, stop);
    }};
    Ways ways;
    ways.start(plan_of({}, server.port), server.port, 200ms);
    ways.look(); // the request goes out
    std::this_thread::sleep_for(300ms);
    ASSERT_TRUE(said);
    ways.sockets.on_timer(ipc::clock_now());
    ASSERT_EQ(ways.outcomes.size(), 1U);
    EXPECT_EQ(ways.outcomes.front().detail, "status 200");
}

TEST(PlainHttp, AFloodAtTheDeadlineKeepsNobodyWaiting) {
    const Server server{[](int fd, const std::stop_token& stop) {
        hear(fd);
        if (say(fd, with("", ""), stop)) flood(fd, "and on and on", stop);
    }};
    auto what = asking(); // of 64 MiB
    Ways ways;
    ways.start(plan_of(what, server.port), server.port, 50ms);
    ways.look();
    std::this_thread::sleep_for(100ms);
    const Time began = ipc::clock_now();
    ways.sockets.on_timer(began);
    EXPECT_LT(ipc::clock_now() - began, 50ms);
    ASSERT_EQ(ways.outcomes.size(), 1U);
    EXPECT_EQ(ways.outcomes.front().detail, "no complete answer within 50ms");
}

// ---- several requests -----------------------------------------------------------------------------------------------------

const model::HttpCheck twice{.requests = {{.path = "/a"}, {.path = "/b"}}};

TEST(PlainHttp, TheNextRequestOfALateProbeHasNoConnectionAnyMore) {
    const Server server{[](int fd, const std::stop_token& stop) {
        hear(fd);
        say(fd, page("x"), stop);
    }};
    Ways ways;
    ways.start(plan_of(twice, server.port), server.port, 100ms);
    ways.look();
    std::this_thread::sleep_for(150ms);
    ways.sockets.on_timer(ipc::clock_now());
    ASSERT_EQ(ways.outcomes.size(), 1U);
    EXPECT_EQ(ways.outcomes.front().detail, "request 2: no connection within 100ms");
    EXPECT_EQ(server.connections, 1);
}

/// One request is answered, and the connection of the next is not made yet.
TEST(PlainHttp, AProbeMayBeCancelledBetweenItsRequests) {
    const Server server{http(page("x"))};
    Ways ways;
    const auto plan = plan_of(twice, server.port);
    const auto until_between = [&] {
        ways.start(plan, server.port, 2s);
        for (int i = 0; i < 400 && ways.sockets.next_deadline() != Time{}; ++i)
            ways.look();
        ASSERT_EQ(ways.sockets.next_deadline(), Time{});
        ways.sockets.cancel(Ways::id);
        EXPECT_FALSE(ways.sockets.busy(Ways::id));
    };
    until_between();
    ways.turn();
    EXPECT_TRUE(ways.outcomes.empty());
    until_between();
    EXPECT_EQ(ways.by_hand(plan, server.port).detail, "request 2: status 200");
    ways.turn();
    EXPECT_TRUE(ways.outcomes.empty());
}

TEST(PlainHttp, ManyRequestsOfManyChecksLeaveNothingOpen) {
    const auto descriptors = [] {
        int count = 0;
        for (int fd = 0; fd < 256; ++fd)
            count += ::fcntl(fd, F_GETFD) >= 0;
        return count;
    };
    const Server server{http(page("x"))};
    Ways ways;
    const auto plan = plan_of({.requests = std::vector<model::HttpRequest>(8)}, server.port);
    ways.by_hand(plan, server.port);
    std::this_thread::sleep_for(50ms); // so long the server's side of the last connection stays
    const int before = descriptors();
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(ways.by_hand(plan, server.port).detail, "request 8: status 200");
    std::this_thread::sleep_for(50ms);
    EXPECT_LE(descriptors(), before);
}

} // namespace
} // namespace holdfast::prober
