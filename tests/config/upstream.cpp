// Virtual servers of the kind nginx: every directive there and back, and what is refused with its cure.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

std::string nginx_with(const std::string& directives, const std::string& real = "address: 10.0.0.1:80") {
    return "instances: {}\nvirtual_servers:\n  v: {kind: nginx, " + directives + (directives.empty() ? "" : ", ") +
           "real_servers: {a: {" + real + "}}}\n";
}
model::VirtualServer server(const std::string& text) {
    const auto config = good(text);
    return config.virtual_servers.empty() ? model::VirtualServer{} : config.virtual_servers[0];
}

TEST(UpstreamText, NeedsNothingButItsServers) {
    const auto read = server(nginx_with(""));
    ASSERT_TRUE(read.nginx);
    EXPECT_EQ(read.nginx->file, "v.conf");
    EXPECT_EQ(read.nginx->nginx(), "nginx.service");
    EXPECT_TRUE(read.services.empty());
}

TEST(UpstreamText, IsReadAndWrittenBack) {
    const auto text =
        nginx_with("nginx: {file: shop.conf, pid_file: /run/nginx.pid, balance: least_conn, keepalive: 16}, "
                   "sorry_server: 10.0.0.9:80, quorum: 1, check: {tcp: {}}");
    const auto config = good(text);
    ASSERT_EQ(config.virtual_servers.size(), 1U);
    const auto& nginx = config.virtual_servers[0].nginx;
    ASSERT_TRUE(nginx);
    EXPECT_EQ(*nginx, (model::Upstream{.file = "shop.conf",
                                       .pid_file = "/run/nginx.pid",
                                       .balance = model::Upstream::Balance::least_conn,
                                       .keepalive = 16}));
    EXPECT_EQ(nginx->nginx(), "/run/nginx.pid");
    EXPECT_EQ(good(dump(config)).virtual_servers, config.virtual_servers) << dump(config);
}

TEST(UpstreamText, NamesAFileOutsideItsDirectoryWithItsPlace) {
    const auto diagnostic = expect_refused(
        nginx_with("nginx: {file: /etc/nginx/nginx.conf}"),
        "file '/etc/nginx/nginx.conf' is outside the directory of upstreams",
        "holdfast writes into /var/lib/holdfast/nginx alone: give a name, and include it from nginx.conf");
    EXPECT_EQ(diagnostic.line, 3U);
    EXPECT_EQ(diagnostic.column, 34U);
    expect_refused(nginx_with("nginx: {file: ../nginx.conf}"),
                   "file '../nginx.conf' is outside the directory of upstreams",
                   "holdfast writes into /var/lib/holdfast/nginx alone: give a name, and include it from nginx.conf");
    expect_refused(nginx_with("nginx: {file: .hidden}"),
                   "file must be the name of a file, like web.conf, not '.hidden'", "");
    expect_refused(nginx_with("nginx: {file: \"a;b\"}"), "file must be the name of a file, like web.conf, not 'a;b'",
                   "");
}

TEST(UpstreamText, RefusesWhatOnlyTheKernelDoes) {
    const std::string cure = "nginx has its own listen and proxy_pass: remove it";
    for (const auto& [word, directive] : std::map<std::string, std::string>{{"address", "address: 192.0.2.1:80"},
                                                                            {"scheduler", "scheduler: rr"},
                                                                            {"forwarding", "forwarding: dr"},
                                                                            {"persistence", "persistence: 50s"},
                                                                            {"slow_start", "slow_start: 30s"}})
        expect_refused(nginx_with(directive),
                       "virtual server 'v' has " + word + ", which is for services of the kernel", cure);
}

TEST(UpstreamText, RefusesWhatNginxCanNotHave) {
    expect_refused(nginx_with("", "address: 10.0.0.1"), "virtual server 'v' has no port for real server 'a'",
                   "write address: 10.0.0.1:80");
    expect_refused(nginx_with("sorry_server: 10.0.0.9"), "virtual server 'v' has no port for its sorry server",
                   "write address: 10.0.0.9:80");
    expect_refused(nginx_with("", "address: 10.0.0.1:80, forwarding: dr"),
                   "virtual server 'v' says for real server 'a' how the kernel reaches it",
                   "nginx makes connections of its own: remove forwarding, tunnel and host");
    expect_refused(nginx_with("nginx: {unit: nginx}"),
                   "unit must be the name of a service of systemd, like nginx.service, not 'nginx'", "");
    expect_refused(nginx_with("nginx: {pid_file: nginx.pid}"),
                   "pid_file must be the absolute path of a file, like /run/nginx.pid, not 'nginx.pid'", "");
    expect_refused(nginx_with("nginx: {unit: a.service, pid_file: /run/nginx.pid}"), "nginx has both unit and pid_file",
                   "give the one by which it is reloaded");
}

TEST(UpstreamText, IsOfItsKindAlone) {
    expect_refused("instances: {}\nvirtual_servers:\n  v: {address: 192.0.2.1:80, protocol: tcp, nginx: {}, "
                   "real_servers: {a: {address: 10.0.0.1}}}\n",
                   "virtual server 'v' has nginx, and is of the kind ipvs", "add kind: nginx, or remove it");
}

TEST(UpstreamText, GivesEachItsOwnFile) {
    expect_refused("instances: {}\nvirtual_servers:\n  a: {kind: nginx, real_servers: {x: {address: 10.0.0.1:80}}}\n"
                   "  b: {kind: nginx, nginx: {file: a.conf}, real_servers: {x: {address: 10.0.0.1:80}}}\n",
                   "a.conf is the file of virtual server 'a' already",
                   "it stands at holdfast.yaml:3:3; give file: another name");
}

} // namespace
} // namespace holdfast::config::testing
