// HTTP and HTTPS checks against servers of this test: what is asked for, what counts as good, and certificates.
#include "tls.hpp"

#include "prober/http_body.hpp"

#include <fstream>
#include <sys/wait.h>

namespace holdfast::prober {
namespace {

using namespace testing;

model::HttpCheck one(model::HttpRequest request) {
    return {.requests = {std::move(request)}};
}
/// What the server hears.
std::string request_of(const model::HttpCheck& what) {
    std::string heard;
    std::mutex mutex;
    const Server server{[&](int fd, const std::stop_token& stop) {
        auto text = hear(fd);
        {
            const std::lock_guard lock{mutex};
            heard = std::move(text);
        }
        say(fd, page("x"), stop);
    }};
    expect_good(check(what, server.port), "status 200");
    const std::lock_guard lock{mutex};
    const auto port = fmt::format(":{}", server.port);
    if (const auto at = heard.find(port); at != std::string::npos) heard.replace(at, port.size(), ":PORT");
    return heard;
}

TEST(HttpCheck, TheRequestIsExactlyWhatWasAskedFor) {
    EXPECT_EQ(request_of({}), "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUser-Agent: holdfast\r\nAccept: */*\r\n\r\n");
    model::HttpCheck what{.requests = {{.path = "/a/../b?c=d"}},
                          .version = model::HttpVersion::v1_0,
                          .method = "OPTIONS",
                          .host = "web.example",
                          .headers = {"X-Probe: yes"}};
    EXPECT_EQ(request_of(what),
              "OPTIONS /a/../b?c=d HTTP/1.0\r\nHost: web.example\r\nUser-Agent: holdfast\r\nAccept: */*\r\n"
              "X-Probe: yes\r\n\r\n");
    what = {.method = "HEAD"};
    EXPECT_TRUE(request_of(what).starts_with("HEAD / HTTP/1.1\r\n"));
}

TEST(HttpCheck, TheEnvironmentHasNoSay) {
    ::setenv("http_proxy", "http://127.0.0.1:1/", 1);
    ::setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    EXPECT_TRUE(request_of({}).starts_with("GET / HTTP/1.1\r\n"));
    ::unsetenv("http_proxy");
    ::unsetenv("ALL_PROXY");
}

TEST(HttpCheck, TheStatusIsWithinOneOfTheRanges) {
    const Server missing{http(page("", "404 Not Found"))};
    expect_bad(check(model::HttpCheck{}, missing.port), "status 404");
    expect_good(check(one({.status = {{200, 299}, {404, 404}}}), missing.port), "status 404");
    const Server redirect{http("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")};
    expect_bad(check(model::HttpCheck{}, redirect.port), "status 302");
    expect_good(check(one({.status = {{302, 302}}}), redirect.port), "status 302");
    expect_bad(check(model::HttpCheck{}, closed_port(SOCK_STREAM)), "cannot connect: Connection refused");
}

TEST(HttpCheck, AllRequestsHaveToBeAnsweredWell) {
    std::atomic<int> served{0};
    const Server server{[&](int fd, const std::stop_token& stop) {
        ++served;
        const auto request = hear(fd);
        say(fd, request.starts_with("GET /bad ") ? page("", "500 No") : page("fine"), stop);
    }};
    model::HttpCheck what{.requests = {{.path = "/a"}, {.path = "/b"}, {.path = "/c"}}};
    expect_good(check(what, server.port), "request 3: status 200");
    EXPECT_EQ(served, 3);
    what.requests[1].path = "/bad";
    expect_bad(check(what, server.port), "request 2: status 500");
    EXPECT_EQ(served, 5) << "the third is not made any more";
}

TEST(HttpCheck, TheDeadlineIsThatOfAllRequestsTogether) {
    const Server slow{[](int fd, const std::stop_token& stop) {
        hear(fd);
        if (!ipc::testing::readable(fd, 120ms)) say(fd, page("x"), stop);
    }};
    const model::HttpCheck what{.requests = std::vector<model::HttpRequest>(5)};
    const auto verdict = verdict_of(check(what, slow.port, 300ms));
    EXPECT_FALSE(verdict.ok);
    EXPECT_EQ(verdict.detail, "request 3: no complete answer within 300ms");
    EXPECT_LT(verdict.latency, 400ms);
}

TEST(HttpCheck, TheDigestOfTheBodyCounts) {
    const Server server{http(page("hello"))};
    using model::BodyDigest;
    using enum model::DigestKind;
    const std::string md5_of_hello = "5d41402abc4b2a76b9719d911017c592";
    const std::string sha256_of_hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    expect_good(check(one({.digest = BodyDigest{md5, md5_of_hello}}), server.port), "status 200");
    expect_good(check(one({.digest = BodyDigest{sha256, sha256_of_hello}}), server.port), "status 200");
    expect_bad(check(one({.digest = BodyDigest{md5, std::string(32, '0')}}), server.port),
               "the digest of the body is " + md5_of_hello);
}

TEST(HttpCheck, ThePatternIsLookedForInTheBody) {
    const Server server{
        http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nWel\r\n8\r\ncome all\r\n0\r\n\r\n")};
    const auto what = [](std::string regex, bool absent) {
        return one({.body = model::BodyPattern{.regex = std::move(regex), .absent = absent}});
    };
    expect_good(check(what("Welcome .ll", false), server.port), "status 200");
    expect_bad(check(what("goodbye", false), server.port), "the pattern is not in the body");
    expect_good(check(what("goodbye", true), server.port), "status 200");
    expect_bad(check(what("come", true), server.port), "the body has what it must not have");
    expect_unknown(check(what("a(b", false), server.port),
                   "the pattern is wrong at byte 3: missing closing parenthesis");
}

Result<void> looked(model::BodyPattern what, std::string_view body, bool cut_off = false) {
    return Pattern::compile(what)->judge(body, cut_off);
}

TEST(Pattern, OptionsAndOffsets) {
    EXPECT_FALSE(looked({.regex = "ABC"}, "xabc"));
    EXPECT_TRUE(looked({.regex = "ABC", .caseless = true}, "xabc"));
    EXPECT_FALSE(looked({.regex = "^b"}, "a\nb"));
    EXPECT_TRUE(looked({.regex = "^b", .multiline = true}, "a\nb"));
    EXPECT_FALSE(looked({.regex = "a.b"}, "a\nb"));
    EXPECT_TRUE(looked({.regex = "a.b", .dotall = true}, "a\nb"));
    EXPECT_TRUE(looked({.regex = "a b # both", .extended = true}, "ab"));
    EXPECT_TRUE(looked({.regex = "b", .min_offset = 1}, "abc"));
    EXPECT_FALSE(looked({.regex = "a", .min_offset = 1}, "abc"));
    EXPECT_FALSE(looked({.regex = "c", .min_offset = 9}, "abc"));
    EXPECT_TRUE(looked({.regex = "c", .max_offset = 2}, "abc"));
    EXPECT_FALSE(looked({.regex = "c", .max_offset = 1}, "abc"));
}

TEST(Pattern, WhatWasCutOffIsNeverGoodForWhatWasNotSeen) {
    EXPECT_TRUE(looked({.regex = "a"}, "abc", true));
    EXPECT_FALSE(looked({.regex = "x"}, "abc", true));
    EXPECT_FALSE(looked({.regex = "x", .absent = true}, "abc", true));
}

TEST(Pattern, LookingIsBounded) {
    const Time begin = ipc::clock_now();
    const auto seen = looked({.regex = "(a+)+$"}, std::string(5000, 'a') + "b");
    EXPECT_LT(ipc::clock_now() - begin, 1s);
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error(), "cannot look for the pattern: match limit exceeded");
}

// ---- TLS ----------------------------------------------------------------------------------------------------------------

class Https : public ::testing::Test {
  protected:
    static model::HttpCheck verified(std::string name, std::string ca) {
        return {.tls = true, .server_name = std::move(name), .verify = true, .ca_file = std::move(ca)};
    }
    Files files;
    Identity ca = make_identity({.name = "ca.example"});
    std::string ca_file = files.certificate("ca.pem", ca);
};

TEST_F(Https, TheCertificateIsOfNoMatterUntilItIsVerified) {
    const auto own = make_identity({.name = "other.example", .valid_for = -60});
    const auto context = tls_context(own);
    const Server server{https(context.get())};
    expect_good(check(model::HttpCheck{.tls = true}, server.port), "status 200");
    const auto verdict = verdict_of(check(verified("other.example", ca_file), server.port));
    EXPECT_FALSE(verdict.ok);
    EXPECT_TRUE(verdict.detail.starts_with("the server's certificate: ")) << verdict.detail;
}

TEST_F(Https, AVerifiedCertificateIsInTimeAndOfTheName) {
    const auto good = make_identity({}, &ca);
    const auto context = tls_context(good);
    const Server server{https(context.get())};
    auto what = verified("good.example", ca_file);
    what.requests[0].body = model::BodyPattern{.regex = "^sni good.example$"};
    expect_good(check(what, server.port), "status 200");
    what.server_name.clear();
    what.host = "good.example:8443"; // whose name it then is
    expect_good(check(what, server.port), "status 200");
    expect_bad(check(verified("bad.example", ca_file), server.port),
               "the server's certificate: it is not for this name");
    const auto expired = make_identity({.valid_for = -60}, &ca);
    const auto old_context = tls_context(expired);
    const Server old{https(old_context.get())};
    expect_bad(check(verified("good.example", ca_file), old.port), "the server's certificate: certificate has expired");
    expect_unknown(check(verified("good.example", files.path("none.pem")), server.port),
                   "cannot use the CA file " + files.path("none.pem"));
}

TEST_F(Https, AClientCertificateIsShown) {
    const auto good = make_identity({}, &ca);
    const auto context = tls_context(good, &ca);
    const Server server{https(context.get())};
    const auto verdict = verdict_of(check(model::HttpCheck{.tls = true}, server.port));
    EXPECT_FALSE(verdict.ok) << verdict.detail;
    const auto mine = make_identity({.name = "prober.example"}, &ca);
    const auto file = files.certificate("mine.pem", mine);
    expect_good(check(model::HttpCheck{.tls = true, .certificate_file = file}, server.port), "status 200");
    expect_unknown(check(model::HttpCheck{.tls = true, .certificate_file = files.path("none.pem")}, server.port),
                   "cannot use the certificate " + files.path("none.pem") + " and its key");
}

TEST_F(Https, AServerThatIsNoTlsIsBad) {
    const Server plain{http(page("x"))};
    const auto verdict = verdict_of(check(model::HttpCheck{.tls = true}, plain.port));
    EXPECT_FALSE(verdict.ok);
    EXPECT_FALSE(verdict.unknown);
    const Server http2{http(page("x"))};
    EXPECT_FALSE(verdict_of(check(model::HttpCheck{.version = model::HttpVersion::v2}, http2.port)).ok);
}

TEST_F(Https, HttpTwoIsWantedAndNotMerelyOffered) {
    const auto good = make_identity({}, &ca);
    const auto context = tls_context(good);
    const Server server{https(context.get())};
    expect_bad(check(model::HttpCheck{.version = model::HttpVersion::v2, .tls = true}, server.port),
               "status 200, but not by HTTP/2");
}

// A real nginx: HTTP/2 by TLS and without.
TEST_F(Https, HttpTwoOfARealNginxIsGood) {
    if (::access("/usr/sbin/nginx", X_OK) != 0) GTEST_SKIP() << "nginx is not installed";
    const auto good = make_identity({}, &ca);
    const auto pem = files.certificate("good.pem", good);
    const auto plain = closed_port(SOCK_STREAM);
    const auto tls = closed_port(SOCK_STREAM);
    std::ofstream{files.path("nginx.conf")} << fmt::format(
        "daemon off; master_process off; pid {0}; error_log {1}; events {{}}\n"
        "http {{ access_log off; client_body_temp_path {1}.b; proxy_temp_path {1}.p; fastcgi_temp_path {1}.f; "
        "uwsgi_temp_path {1}.u; scgi_temp_path {1}.s; server {{ listen 127.0.0.1:{2} http2; listen 127.0.0.1:{3} ssl "
        "http2; ssl_certificate {4}; ssl_certificate_key {4}; location / {{ return 200 $server_protocol$http_host; }} "
        "}} "
        "}}\n",
        files.path("pid"), files.path("error.log"), plain, tls, pem);
    const pid_t nginx = ::fork();
    if (nginx == 0) {
        const auto config = files.path("nginx.conf");
        ::execl("/usr/sbin/nginx", "nginx", "-c", config.c_str(), nullptr);
        ::_exit(127);
    }
    auto by_two = one({.body = model::BodyPattern{.regex = "^HTTP/2.0good.example$"}});
    by_two.version = model::HttpVersion::v2;
    by_two.host = "good.example";
    auto what = check(by_two, plain);
    what.interval = 50ms;
    Driver driver{ipc::testing::prober_options()};
    driver.subscribe(what);
    EXPECT_TRUE(driver.until([&] { return !driver.verdicts.empty() && driver.verdicts.back().ok; }, 10s))
        << driver.verdicts.back().detail;
    by_two.tls = by_two.verify = true;
    by_two.ca_file = ca_file;
    expect_good(check(by_two, tls), "status 200");
    ::kill(nginx, SIGKILL);
    ::waitpid(nginx, nullptr, 0);
}

} // namespace
} // namespace holdfast::prober
