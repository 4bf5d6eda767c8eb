// `virtual_servers:` whole: the design's own file, every directive there and back, and what is refused with its cure.
#include "fixture.hpp"
#include "model/check_limits.hpp"

namespace holdfast::config::testing {
namespace {

/// One virtual server `v`, flow style, on line 3.
std::string server_with(const std::string& directives) {
    return "instances: {}\nvirtual_servers:\n  v: {" + directives + "}\n";
}
std::string real_with(const std::string& directives,
                      const std::string& server = "address: 192.0.2.10:80, protocol: tcp") {
    return server_with(server + ", real_servers: {a: {address: 10.0.0.1, " + directives + "}}");
}
/// Each of them fits, all together do not.
std::string long_requests() {
    std::string text;
    const std::string word(1000, 'x');
    for (std::size_t bytes = 0; bytes < model::max_check; bytes += 2 * word.size())
        text += "{path: /" + word + ", body: {regex: " + word + "}}, ";
    return text;
}
std::string check_with(const std::string& directives) {
    return real_with("check: {" + directives + "}");
}

model::VirtualServer server(const std::string& text) {
    const auto config = good(text);
    return config.virtual_servers.empty() ? model::VirtualServer{} : config.virtual_servers[0];
}
model::Check check(const std::string& directives) {
    const auto read = server(check_with(directives));
    return read.real_servers.empty() || read.real_servers[0].checks.empty() ? model::Check{}
                                                                            : read.real_servers[0].checks[0];
}
template <typename Kind>
Kind kind(const std::string& directives) {
    const auto one = check(directives);
    const auto* const found = std::get_if<Kind>(&one.kind);
    EXPECT_NE(found, nullptr) << directives;
    return found ? *found : Kind{};
}

constexpr auto design = R"(
instances:
  web: {interface: eth0, vrid: 51, addresses: [192.0.2.10/24]}
virtual_servers:
  web-http:
    address: 192.0.2.10:80
    protocol: tcp
    scheduler: wrr
    forwarding: dr
    while_master: web
    persistence: 50s
    quorum: 1
    sorry_server: 192.0.2.99:80
    check: {http: /health, status: [200-299], interval: 2s, timeout: 1s, retry: 2}
    real_servers:
      lb1: {address: 192.0.2.1, weight: 2, host: lb1}
      lb2: {address: 192.0.2.2, weight: 1, host: lb2}
  mail:
    address: 192.0.2.20:25
    protocol: tcp
    forwarding: nat
    check: {smtp: {helo: lb.example}, interval: 10s}
    real_servers:
      m1: {address: 10.0.0.21:2525}
      m2: {address: 10.0.0.22:2525, check: {tcp: {}, interval: 3s}}
)";

TEST(VirtualServer, ReadsTheDesignsFile) {
    const auto config = good(design);
    ASSERT_EQ(config.virtual_servers.size(), 2U);
    const auto &mail = config.virtual_servers[0], &web = config.virtual_servers[1];
    EXPECT_EQ(
        web.services,
        (std::vector{model::ServiceKey{.family = Family::ipv4, .address = IpAddress::v4(192, 0, 2, 10), .port = 80}}));
    EXPECT_EQ(web.scheduler, "wrr");
    EXPECT_EQ(web.persistence, 50s);
    EXPECT_EQ(web.while_master, "web");
    ASSERT_TRUE(web.sorry_server);
    EXPECT_EQ(web.sorry_server->forwarding.method, model::Forwarding::Method::dr) << "as the others";
    EXPECT_EQ(web.real_servers[0].weight, 2U);
    EXPECT_EQ(web.real_servers[0].host, "lb1");
    const auto& http = web.real_servers[1].checks.at(0);
    EXPECT_EQ(std::get<model::HttpCheck>(http.kind).requests[0].path, "/health");
    EXPECT_EQ(http.interval, 2s);
    EXPECT_EQ(http.timeout, 1s);
    EXPECT_EQ(http.retry, 2U);
    EXPECT_EQ(mail.real_servers[0].port, 2525);
    EXPECT_EQ(std::get<model::SmtpCheck>(mail.real_servers[0].checks.at(0).kind).helo, "lb.example");
    EXPECT_TRUE(std::holds_alternative<model::TcpCheck>(mail.real_servers[1].checks.at(0).kind)) << "its own instead";
    EXPECT_EQ(mail.real_servers[1].checks[0].timeout, 3s) << "the default, but no longer than the interval";
    EXPECT_EQ(good(dump(config)), config);
}

TEST(VirtualServer, TakesEveryDirectiveAndIsWrittenBack) {
    const auto text = server_with("address: 192.0.2.10:80, protocol: udp, scheduler: mh, scheduler_flags: [mh-port, "
                                  "mh-fallback], persistence: 5min, "
                                  "persistence_prefix: 24, persistence_engine: sip, one_packet: true, quorum: 3, "
                                  "hysteresis: 1, quorum_up: [/bin/up, x], "
                                  "quorum_down: [/bin/down], sorry_server: {address: 10.0.0.9:8080, "
                                  "inhibit_on_failure: true, weight: 5}, all_down: keep, "
                                  "alpha: true, omega: true, drain_timeout: 5min, slow_start: 30s, forwarding: nat, "
                                  "weight: 4, inhibit_on_failure: true, "
                                  "checks: [{tcp: {}}, {ping: {}}], real_servers: {a: {address: 10.0.0.1:8080, "
                                  "upper_threshold: 100, lower_threshold: 50, "
                                  "notify_up: [/bin/u], notify_down: [/bin/d]}, b: {address: 10.0.0.2, weight: 0, "
                                  "inhibit_on_failure: false, checks: []}}");
    const auto config = good(text);
    const auto read = server(text);
    EXPECT_EQ(read.scheduler_flags, 0x18U);
    EXPECT_EQ(read.persistence_prefix, 24);
    EXPECT_EQ(read.real_servers[0].weight, 4U);
    EXPECT_EQ(read.real_servers[0].checks.size(), 2U);
    EXPECT_TRUE(read.real_servers[0].inhibit_on_failure);
    EXPECT_EQ(read.real_servers[1].weight, 0U);
    EXPECT_TRUE(read.real_servers[1].checks.empty());
    EXPECT_EQ(read.all_down, model::AllDown::keep);
    EXPECT_EQ(read.quorum_up, (model::Words{"/bin/up", "x"}));
    EXPECT_EQ(good(dump(config)), config) << dump(config);
}

TEST(VirtualServer, SaysWhoIsToldAndARealServerMayHaveItsOwn) {
    const auto text = server_with("address: 192.0.2.10:80, protocol: tcp, notify: {mail: true, fifo: /run/edges, user: "
                                  "www-data, timeout: 5s}, real_servers: {a: {address: 10.0.0.1}, b: {address: "
                                  "10.0.0.2, notify: {fifo: /run/b}}, c: {address: 10.0.0.3, notify: {}}}") +
                      "mail: {server: smtp://localhost, from: a@example.org, to: [b@example.org]}\n";
    const auto config = good(text);
    const auto read = server(text);
    EXPECT_EQ(read.notify, (model::ServerNotify{true, "/run/edges", "www-data", 5s}));
    EXPECT_EQ(read.real_servers[0].notify, read.notify);
    EXPECT_EQ(read.real_servers[1].notify, (model::ServerNotify{.fifo = "/run/b"})) << "its own, as a whole";
    EXPECT_EQ(read.real_servers[2].notify, model::ServerNotify{}) << "nobody";
    EXPECT_EQ(good(dump(config)), config) << dump(config);
    expect_refused(real_with("notify: {mail: true}"), "virtual server 'v' has mail: true, and there is no 'mail:'",
                   "add mail: {server: smtp://localhost, from: ADDRESS, to: [ADDRESS]} at the top level");
    expect_refused(server_with("address: 192.0.2.10:80, protocol: tcp, sorry_server: {address: 10.0.0.9, notify: "
                               "{fifo: /run/x}}, real_servers: {a: {address: 10.0.0.1}}"),
                   "the sorry server is the last resort: it is not checked", "remove check and notify");
}

TEST(VirtualServer, CanBeMarksRangesAndSeveralAddresses) {
    EXPECT_EQ(
        server(server_with("mark: 7, family: ipv6, protocol: tcp, real_servers: {a: {address: \"fd00::1\"}}")).services,
        (std::vector{model::ServiceKey{.family = Family::ipv6, .mark = 7}}));
    const auto addresses = [](const std::string& where) {
        std::string out;
        for (const auto& key :
             server(server_with(where + ", protocol: tcp, real_servers: {a: {address: 10.0.0.1}}")).services)
            out += model::to_string(key) + "; ";
        return out;
    };
    EXPECT_EQ(addresses("address: 192.0.2.254-192.0.3.1:80"),
              "tcp 192.0.2.254:80; tcp 192.0.2.255:80; tcp 192.0.3.0:80; tcp 192.0.3.1:80; ");
    EXPECT_EQ(addresses("address: 192.0.2.9-10:80"), "tcp 192.0.2.9:80; tcp 192.0.2.10:80; ");
    EXPECT_EQ(addresses("address: 192.0.2.18/31:80"), "tcp 192.0.2.18:80; tcp 192.0.2.19:80; ");
    EXPECT_EQ(addresses("addresses: [192.0.2.1:443, 192.0.2.1:80]"), "tcp 192.0.2.1:80; tcp 192.0.2.1:443; ");
    EXPECT_EQ(addresses("address: {lb1: 192.0.2.1:80, default: 192.0.2.2:80}"), "tcp 192.0.2.1:80; ");
    EXPECT_EQ(addresses("address: 192.0.2.1, persistence: 5min"), "tcp 192.0.2.1:0; ");
    const auto config = good(server_with(
        "address: \"[2001:db8::1-2001:db8::3]:53\", protocol: udp, real_servers: {a: {address: \"fd00::1\"}}"));
    EXPECT_EQ(config.virtual_servers[0].services.size(), 3U);
    EXPECT_EQ(good(dump(config)), config);
}

TEST(VirtualServer, ReachesItsServersThroughTunnelsOfEveryKind) {
    const auto tunnel = [](const std::string& text) {
        return server(real_with("forwarding: tunnel" + text)).real_servers.at(0).forwarding;
    };
    EXPECT_EQ(tunnel(""), (model::Forwarding{model::Forwarding::Method::tunnel, {}}));
    EXPECT_EQ(tunnel(", tunnel: {kind: gue, port: 5555, checksum: remote}").tunnel,
              (model::Tunnel{model::TunnelKind::gue, 5555, model::TunnelChecksum::remote}));
    EXPECT_EQ(tunnel(", tunnel: {kind: gre, checksum: full}").tunnel,
              (model::Tunnel{model::TunnelKind::gre, 0, model::TunnelChecksum::full}));
}

TEST(Check, OfEveryKindIsWrittenBack) {
    for (const std::string text :
         {"tcp: {}", "http: /",
          "http: [/a, {path: /b, status: [200, 300-399], body: \"^OK\"}], host: example.org, version: \"1.0\"",
          "https: /x, server_name: a.example, verify: true, ca_file: /etc/ca.pem, certificate_file: /c.pem, key_file: "
          "/k.pem, version: \"2\", method: HEAD",
          "http: /, headers: [\"X-A: b\", \"Accept: */*\"]", "smtp: {}", "smtp: {helo: a.b}", "dns: {}",
          "dns: {name: example.org, type: AAAA}", "udp: {}",
          "udp: {payload: 0a0b, require_reply: true, min_length: 2, max_length: 500}", "udp: {reply: \"00XXff\"}",
          "ping: {}", "script: [/bin/check, -x], user: nobody, dynamic: true",
          "tcp: {}, connect: 10.1.0.1, connect_port: 81, source: 10.1.0.2, source_port: 1000, interface: eth1, mark: "
          "5, interval: 1s, timeout: 500ms, "
          "retry: 0, retry_delay: 100ms, rise: 3, warmup: 2s"}) {
        const auto config = good(check_with(text));
        ASSERT_EQ(config.virtual_servers.size(), 1U) << text;
        EXPECT_EQ(good(dump(config)), config) << text << "\n" << dump(config);
    }
}

TEST(Check, SaysForAllItsRequestsWhatTheyDoNotSayThemselves) {
    const auto http = kind<model::HttpCheck>(
        "http: [/a, {path: /b, status: [204]}], status: [200-299, 401], body: {regex: x, absent: true, max_offset: 5}, "
        "digest: \"md5:D41D8CD98F00B204E9800998ECF8427E\"");
    ASSERT_EQ(http.requests.size(), 2U);
    EXPECT_EQ(http.requests[0].status, (std::vector<model::StatusRange>{{200, 299}, {401, 401}}));
    EXPECT_EQ(http.requests[1].status, (std::vector<model::StatusRange>{{204, 204}}));
    EXPECT_EQ(http.requests[1].body->regex, "x");
    EXPECT_TRUE(http.requests[1].body->absent);
    EXPECT_EQ(http.requests[0].digest->hex, "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Check, HasWildcardsInAnExpectedReply) {
    const auto udp = kind<model::UdpCheck>("udp: {payload: 01FF, reply: \"00xxff\"}");
    EXPECT_EQ(udp.payload, (Bytes{1, 255}));
    EXPECT_EQ(udp.reply, (Bytes{0, 0, 255}));
    EXPECT_EQ(udp.mask, (Bytes{255, 0, 255}));
    EXPECT_TRUE(udp.require_reply);
}

TEST(Check, CanBeATrackersWord) {
    const auto config =
        good("instances: {}\ntrackers: {load: {file: /run/load}}\nvirtual_servers:\n  v: {address: 192.0.2.1:80, "
             "protocol: tcp, "
             "real_servers: {a: {address: 10.0.0.1, check: {tracker: load, weight: -2, reverse: true}}}}\n");
    EXPECT_EQ(std::get<model::TrackerCheck>(config.virtual_servers.at(0).real_servers.at(0).checks.at(0).kind),
              (model::TrackerCheck{"load", -2, true}));
    EXPECT_EQ(good(dump(config)), config);
}

struct Refused {
    std::string text, message, hint;
};
class VirtualServerRefused : public ::testing::TestWithParam<Refused> {};
TEST_P(VirtualServerRefused, SaysWhatIsWrongAndTheCure) {
    expect_refused(GetParam().text, GetParam().message, GetParam().hint);
}

const std::string reals = ", real_servers: {a: {address: 10.0.0.1}}";

INSTANTIATE_TEST_SUITE_P(
    , VirtualServerRefused,
    ::testing::Values(
        Refused{server_with("protocol: tcp" + reals), "virtual server 'v' does not say where clients connect",
                "give one of address, addresses and mark"},
        Refused{server_with("address: 192.0.2.1:80, mark: 1, protocol: tcp" + reals),
                "virtual server 'v' says in two ways where clients connect", "give one of address, addresses and mark"},
        Refused{server_with("address: 192.0.2.1:80" + reals), "virtual server 'v' has no protocol",
                "add protocol: tcp, udp or sctp"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp"), "virtual server 'v' has no real_servers",
                "add real_servers: a map from name to real server"},
        Refused{server_with("address: 192.0.2.1, protocol: tcp" + reals),
                "virtual server 'v' serves every port, and nothing keeps a client on one server",
                "give a port, or persistence: 5min"},
        Refused{server_with("address: web:80, protocol: tcp" + reals),
                "address must be an address, with a port or without: 192.0.2.1:80 or [2001:db8::1]:80, not 'web:80'",
                "a range is 192.0.2.20-192.0.2.30:80 or 192.0.2.16/28:80"},
        Refused{server_with("address: 192.0.2.9-192.0.2.1:80, protocol: tcp" + reals),
                "address ends before it begins: '192.0.2.9-192.0.2.1:80'", "give the lower address first"},
        Refused{server_with("address: 10.0.0.0/8:80, protocol: tcp" + reals),
                "address is a range of more than 4096 addresses",
                "each address is a service of its own in the kernel: use a firewall mark (mark: 1) for so many"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, scheduler: magic" + reals),
                "scheduler must be a scheduler of ip_vs, not 'magic'",
                "there are rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, fo, ovf, mh, twos"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, scheduler_flags: [sh-port]" + reals),
                "an entry of scheduler_flags must be a flag of the scheduler wlc, not 'sh-port'",
                "sh has sh-fallback and sh-port, mh the same with mh-"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, one_packet: true" + reals),
                "virtual server 'v' has one_packet, which only udp can have", "remove it"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, while_master: web" + reals),
                "there is no instance or sync group 'web'", "describe it under 'instances:'"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, quorum: 2" + reals),
                "virtual server 'v' never reaches its quorum: all servers together weigh 1, and 2 are needed",
                "quorum and hysteresis are sums of weights"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, lb_kind: DR" + reals),
                "'lb_kind' is not a directive of a virtual server", "write forwarding: nat, dr or tunnel"},
        Refused{real_with("forwarding: dr, weight: 1", "address: 10.0.0.1:80, protocol: tcp"),
                "virtual server 'v' forwards to itself: real server 'a' is its own address",
                "a real server has an address of its own"},
        Refused{
            server_with(
                "address: 192.0.2.1:80, protocol: tcp, forwarding: dr, real_servers: {a: {address: 10.0.0.1:8080}}"),
            "virtual server 'v' maps ports to real server 'a', which dr can't: packets keep theirs",
            "remove the port, or use forwarding: nat"},
        Refused{server_with("address: 192.0.2.1:80, protocol: tcp, real_servers: {a: {address: \"fd00::1\"}}"),
                "virtual server 'v' is ipv4, and real server 'a' is ipv6", "only forwarding: tunnel crosses families"},
        Refused{
            server_with(
                "address: 192.0.2.1:80, protocol: tcp, real_servers: {a: {address: 10.0.0.1}, b: {address: 10.0.0.1}}"),
            "virtual server 'v' has 10.0.0.1 twice: 'a' and 'b'", "keep one, with the weight of both"},
        Refused{real_with("forwarding: tunnel, tunnel: {kind: gue}"), "a gue tunnel needs a port",
                "add port: 5555, where the real servers listen for it"},
        Refused{server_with("mark: 7, protocol: tcp, check: {tcp: {}}" + reals),
                "virtual server 'v' has no port for the check of real server 'a'", "add connect_port to the check"},
        Refused{check_with("tcp: {}, source: \"2001:db8::1\""),
                "virtual server 'v' checks real server 'a', 10.0.0.1, from 2001:db8::1",
                "give a source of the same family"},
        Refused{check_with("http: [" + long_requests() + "]"), "a check of more than 48000 bytes",
                "the prober would refuse such a check"},
        Refused{real_with("weight: 70000"), "weight must be a number from 0 to 65535, not '70000'", ""},
        Refused{check_with("interval: 1s"), "a check does not say what it does",
                "add one of tcp, http, https, smtp, dns, udp, ping, tracker and script"},
        Refused{check_with("tcp: {}, ping: {}"), "the check has tcp already, and ping would be a second one",
                "write two: checks: [{...}, {...}]"},
        Refused{check_with("tcp: {}, status: [200]"), "status goes with http, not with tcp", "remove it"},
        Refused{check_with("http: /, status: [99]"),
                "an entry of status must be a status from 100 to 999 or a range, like 200-299, not '99'", ""},
        Refused{check_with("http: health"),
                "http must be a path that begins with '/', without spaces and '#', not 'health'", ""},
        Refused{check_with("http: /, digest: abc"),
                "digest must be md5: and 32, or sha256: and 64 hexadecimal digits, not 'abc'",
                "holdfastctl digest URL prints it"},
        Refused{check_with("udp: {payload: 0}"), "payload must be bytes in hexadecimal: 01ff, not '0'", ""},
        Refused{check_with("tcp: {}, interval: 1s, timeout: 2s"), "timeout 2s is longer than the interval, 1s",
                "a probe ends before the next begins"},
        Refused{check_with("tcp: {}, delay_loop: 6"), "'delay_loop' is not a directive of a check",
                "write interval, with a unit: 10s"},
        Refused{check_with("tracker: load"), "tracker must be the name of a tracker, not 'load'",
                "describe it under 'trackers:'"},
        Refused{check_with("ping: {}, connect_port: 80"), "connect_port has no meaning for ping", "remove it"}));

TEST(Ipvs, HasSyncAndTimeouts) {
    const auto config =
        good("instances: {web: {interface: eth0, vrid: 1, addresses: [192.0.2.1/24]}}\nipvs: {sync: {interface: eth1, "
             "while_master: web, id: 7, port: 9000, "
             "ttl: 3, group: 224.0.0.82, max_length: 1400}, timeouts: {tcp: 1h, tcp_fin: 30s, udp: 1min}}\n");
    ASSERT_TRUE(config.ipvs.sync);
    EXPECT_EQ(*config.ipvs.sync,
              (model::ConnectionSync{"eth1", "web", 7, 9000, 3, IpAddress::v4(224, 0, 0, 82), 1400}));
    EXPECT_EQ(config.ipvs.timeouts, (model::ConnectionTimeouts{1h, 30s, 1min}));
    EXPECT_EQ(good(dump(config)), config);
    expect_refused("instances: {}\nipvs: {sync: {id: 1}}\n", "sync has no interface",
                   "add interface: the name of a network interface");
    expect_refused("instances: {}\nipvs: {sync: {interface: eth0, group: 10.0.0.1}}\n",
                   "group must be a multicast address, not '10.0.0.1'", "leave it out for 224.0.0.81");
    expect_refused("instances: {}\nipvs: {sync: {interface: eth0, while_master: web}}\n",
                   "there is no instance or sync group 'web'", "describe it under 'instances:'");
}

TEST(VirtualServer, ShareNoService) {
    expect_refused("instances: {}\nvirtual_servers:\n  v: {address: 192.0.2.1-9:80, protocol: tcp" + reals +
                       "}\n  w: {address: 192.0.2.5:80, protocol: tcp" + reals + "}\n",
                   "tcp 192.0.2.5:80 is a service of virtual server 'v' already",
                   "it stands at holdfast.yaml:3:3; a service has one pool");
}

} // namespace
} // namespace holdfast::config::testing
