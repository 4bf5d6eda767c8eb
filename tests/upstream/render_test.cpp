// Upstream blocks as literal text: what nginx reads.
#include "upstream/render.hpp"

#include <gtest/gtest.h>

namespace holdfast::upstream {
namespace {

using model::Upstream;
using model::UpstreamPeer;

constexpr std::string_view head =
    "# holdfast writes this file anew whenever the health of 'web' changes: what you write here is lost.\n"
    "upstream web {\n";

UpstreamPeer peer(std::string name, std::uint8_t last, std::uint32_t weight) {
    return {.name = std::move(name), .address = IpAddress::v4(10, 0, 0, last), .port = 80, .weight = weight};
}

TEST(Upstream, WritesWeightsAndWhoIsDown) {
    EXPECT_EQ(render("web", {}, std::vector{peer("s1", 1, 1), peer("s2", 2, 3), peer("s3", 3, 0)}),
              std::string{head} + "    server 10.0.0.1:80; # s1\n"
                                  "    server 10.0.0.2:80 weight=3; # s2\n"
                                  "    server 10.0.0.3:80 down; # s3\n"
                                  "}\n");
}

TEST(Upstream, WritesItsMethodFirstAndKeepaliveLastAsNginxWantsThem) {
    auto limited = peer("s1", 1, 2);
    limited.most_connections = 100;
    auto sorry = peer("sorry_server", 9, 1);
    sorry.backup = true;
    EXPECT_EQ(render("web", {.balance = Upstream::Balance::least_conn, .keepalive = 16}, std::vector{limited, sorry}),
              std::string{head} + "    least_conn;\n"
                                  "    server 10.0.0.1:80 weight=2 max_conns=100; # s1\n"
                                  "    server 10.0.0.9:80 backup; # sorry_server\n"
                                  "    keepalive 16;\n"
                                  "}\n");
}

TEST(Upstream, WritesIpv6InBrackets) {
    const UpstreamPeer six{.name = "s6", .address = *parse_ip("2001:db8::6"), .port = 8080, .weight = 1};
    EXPECT_EQ(render("web", {.balance = Upstream::Balance::ip_hash}, std::vector{six}),
              std::string{head} + "    ip_hash;\n    server [2001:db8::6]:8080; # s6\n}\n");
}

} // namespace
} // namespace holdfast::upstream
