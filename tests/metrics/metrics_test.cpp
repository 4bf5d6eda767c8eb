// A request's bytes, families as text in both formats, and what the daemon says as families.

#include "metrics/families.hpp"
#include "metrics/request.hpp"

#include <gtest/gtest.h>

namespace holdfast::metrics {
namespace {

Request fed(std::string_view bytes, std::size_t piece = 1'000'000) {
    Request request;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
        request.feed(bytes.substr(0, piece));
    return request;
}

TEST(Request, OfAScraperIsUnderstoodWhateverThePieces) {
    constexpr std::string_view bytes = "GET /metrics?x=1 HTTP/1.1\r\nHost: lb1:9810\r\nAccept: "
                                       "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2\r\n\r\n";
    for (const std::size_t piece : {1UL, 7UL, 4096UL}) {
        const auto request = fed(bytes, piece);
        EXPECT_EQ(request.status(), 200);
        EXPECT_EQ(request.path(), "/metrics");
        EXPECT_TRUE(request.open_metrics());
    }
    EXPECT_EQ(fed(bytes.substr(0, bytes.size() - 1)).status(), 0) << "not whole yet";
}

TEST(Request, ThatIsNoGetIsRefusedByName) {
    EXPECT_EQ(fed("POST /metrics HTTP/1.1\r\n\r\n").status(), 405);
    EXPECT_EQ(fed("GET /metrics HTTP/2.0\r\n\r\n").status(), 505);
    for (const char* bytes :
         {"GET\r\n\r\n", "GET metrics HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "\r\n\r\n",
          "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
          "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n",
          "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"})
        EXPECT_EQ(fed(bytes).status(), 400) << bytes;
}

TEST(Request, IsBounded) {
    const std::string line = "GET /metrics HTTP/1.1\r\nA: ";
    const std::string rest(Request::most - line.size() - 4, 'a');
    EXPECT_EQ(fed(line + rest + "\r\n\r\n").status(), 200) << "8 KiB, to the byte";
    EXPECT_EQ(fed(line + rest + "a\r\n\r\n").status(), 431);
    EXPECT_EQ(fed(std::string(100'000, 'a'), 1000).status(), 431);
    EXPECT_EQ(fed(std::string_view{"GET /\0", 6}).status(), 400) << "at once";
}

TEST(Accept, NamesOpenMetricsOrNot) {
    EXPECT_TRUE(accepts_open_metrics("text/plain, Application/OpenMetrics-Text"));
    EXPECT_FALSE(accepts_open_metrics("application/openmetrics-text;q=0.0"));
    EXPECT_FALSE(accepts_open_metrics("text/plain;version=0.0.4, */*;q=0.1"));
    EXPECT_FALSE(accepts_open_metrics("application/openmetrics-textual"));
}

const std::vector<Family> sample{
    {"a", Type::counter, "Help \"me\"\nnow \\", {{{{"name", "x\"y\\z\n"}, {"other", "b"}}, 3}}},
    {"b", Type::gauge, "Half.", {{{}, 0.5}, {{{"n", "1"}}, 12345678901}}},
    {"c", Type::info, "Version.", {{{{"version", "1"}}, 1}}},
    {"d", Type::gauge, "Nothing is known of it.", {}}};

TEST(Render, WritesTheClassicFormat) {
    EXPECT_EQ(render(sample, Format::classic), R"(# HELP a_total Help "me"\nnow \\
# TYPE a_total counter
a_total{name="x\"y\\z\n",other="b"} 3
# HELP b Half.
# TYPE b gauge
b 0.5
b{n="1"} 12345678901
# HELP c_info Version.
# TYPE c_info gauge
c_info{version="1"} 1
)");
}

TEST(Render, WritesOpenMetrics) {
    EXPECT_EQ(render(sample, Format::open_metrics), R"(# HELP a Help \"me\"\nnow \\
# TYPE a counter
a_total{name="x\"y\\z\n",other="b"} 3
# HELP b Half.
# TYPE b gauge
b 0.5
b{n="1"} 12345678901
# HELP c Version.
# TYPE c info
c_info{version="1"} 1
# EOF
)");
}

constexpr const char* node =
    R"({"Version":"1","StartedTimestamp":500000,"ConfigHash":"abc","LastReloadResult":"ok","Instances":[{"Name":"web",
"Interface":"eth0","VirtualRouterId":51,"Family":"ipv4","State":"master","BasePriority":250,"EffectivePriority":190,
"Addresses":[{"Address":"192.0.2.10/24","State":"assigned"}],
"ObservedPeers":[{"Address":"10.0.0.2","LastSeenUSec":1000000,"Priority":100},{"Address":"10.0.0.3","LastSeenUSec":0}],
"MasterDownIntervalUSec":3000000,"LeaseUntil":8000000,
"Counters":{"adverts_sent":7,"rejected_hop_limit":2,"entered_master_master_silent":1,"entered_backup_ready":2,
"advert_lateness_100us":5,"advert_lateness_1ms":2,"advert_lateness_10ms":0,"advert_lateness_more":1,"advert_lateness_usec":2500000}}],
"Trackers":[{"Name":"nginx","Kind":"unit","Status":"down"},{"Name":"new","Kind":"unit","Status":"unknown",
"Counters":{"runs":0,"run_time_more":0,"run_time_usec":0}},{"Name":"app","Kind":"script","Status":"up",
"Counters":{"runs":3,"run_time_1ms":1,"run_time_10s":1,"run_time_more":1,"run_time_usec":15000000}}],
"VirtualServers":[{"Name":"vs","State":"sorry","Quorate":true,"Weight":3,"Counters":{"connections":5},"RealServers":[
{"Name":"a","State":"draining","Weight":1,"Checks":[{"Kind":"tcp","Verdict":"up","Probes":2,"Bad":1,"LatencyUSec":1500}],"Counters":{"active_connections":4}},
{"Name":"b","Weight":1,"Checks":[{"Kind":"tcp","Verdict":"unknown","Probes":0,"Bad":0,"LatencyUSec":0}]}]}]})";

std::string text_of(Names names) {
    const auto found = families(node, names, 3'500'000);
    return found ? render(*found, Format::classic) : "nothing";
}

TEST(Families, AreWhatTheDaemonSays) {
    const auto text = text_of(Names::holdfast);
    for (const char* line :
         {"holdfast_up_since_seconds 3\n",
          "holdfast_up 1\n",
          "holdfast_build_info{version=\"1\"} 1\n",
          "holdfast_config_last_reload_success 1\n",
          R"(holdfast_vrrp_state{vrrp="web",interface="eth0",vrid="51",family="ipv4",state="master"} 1)",
          R"(holdfast_vrrp_state{vrrp="web",interface="eth0",vrid="51",family="ipv4",state="fault"} 0)",
          R"(holdfast_vrrp_effective_priority{vrrp="web"} 190)",
          R"(holdfast_vrrp_adverts_sent_total{vrrp="web"} 7)",
          R"(holdfast_vrrp_adverts_dropped_total{vrrp="web",reason="hop_limit"} 2)",
          R"(holdfast_vip_assigned{vrrp="web",address="192.0.2.10/24"} 1)",
          R"(holdfast_vrrp_peer_last_advert_seconds{vrrp="web",peer="10.0.0.2"} 2.5)",
          R"(holdfast_vrrp_masters_seen{vrrp="web"} 2)",
          R"(holdfast_vrrp_transitions_total{vrrp="web",to="master",reason="master_silent"} 1)",
          "# TYPE holdfast_vrrp_advert_lateness_seconds histogram\n",
          R"(holdfast_vrrp_advert_lateness_seconds_bucket{vrrp="web",le="0.0001"} 5)",
          R"(holdfast_vrrp_advert_lateness_seconds_bucket{vrrp="web",le="0.01"} 7)",
          R"(holdfast_vrrp_advert_lateness_seconds_bucket{vrrp="web",le="+Inf"} 8)",
          R"(holdfast_vrrp_advert_lateness_seconds_sum{vrrp="web"} 2.5)",
          R"(holdfast_vrrp_advert_lateness_seconds_count{vrrp="web"} 8)",
          R"(holdfast_tracker_runs_total{tracker="app",kind="script"} 3)",
          R"(holdfast_tracker_duration_seconds_bucket{tracker="app",kind="script",le="10.0"} 2)",
          R"(holdfast_tracker_duration_seconds_bucket{tracker="app",kind="script",le="+Inf"} 3)",
          R"(holdfast_tracker_duration_seconds_sum{tracker="app",kind="script"} 15)",
          R"(holdfast_vip_lease_remaining_seconds{vrrp="web",address="192.0.2.10/24"} 4.5)",
          R"(holdfast_virtual_server_sorry_active{virtual_server="vs"} 1)",
          R"(holdfast_real_server_admin_state{virtual_server="vs",real_server="a",state="draining"} 1)",
          R"(holdfast_real_server_admin_state{virtual_server="vs",real_server="a",state="enabled"} 0)",
          R"(holdfast_tracker_up{tracker="nginx",kind="unit"} 0)",
          R"(holdfast_virtual_server_quorum_up{virtual_server="vs"} 1)",
          R"(holdfast_real_server_up{virtual_server="vs",real_server="a"} 1)",
          R"(holdfast_real_server_check_duration_seconds{virtual_server="vs",real_server="a",check="tcp"} 0.0015)"})
        EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

TEST(Families, HaveNoSampleOfWhatIsNotKnown) {
    const auto text = text_of(Names::holdfast);
    for (const char* part : {"tracker=\"new\"", "10.0.0.3", "priority_zero", "holdfast_maintenance",
                             R"(holdfast_real_server_up{virtual_server="vs",real_server="b"})",
                             R"(duration_seconds{virtual_server="vs",real_server="b")"})
        EXPECT_EQ(text.find(part), std::string::npos) << part;
}

TEST(Families, CanBeThoseOfTheKeepalivedExporter) {
    const auto text = text_of(Names::keepalived);
    for (const char* line :
         {"keepalived_up 1\n",
          R"(keepalived_vrrp_state{iname="web",intf="eth0",vrid="51",ip_address="192.0.2.10/24"} 2)",
          R"(keepalived_advertisements_sent_total{iname="web",intf="eth0",vrid="51",state="master"} 7)",
          R"(keepalived_ip_ttl_errors_total{iname="web",intf="eth0",vrid="51",state="master"} 2)"})
        EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
    EXPECT_EQ(text.find("holdfast_"), std::string::npos);
}

TEST(Families, OfNobodySayThatAndNothingElse) {
    EXPECT_EQ(render(families_of_nobody(Names::holdfast), Format::classic),
              "# HELP holdfast_up The daemon answers.\n# TYPE holdfast_up gauge\nholdfast_up 0\n");
}

TEST(Families, OfWhatIsNoDaemonsTextAreNone) {
    for (const char* described : {"", "[]", "{}", R"({"Instances":3})", "\xff"})
        EXPECT_FALSE(families(described, Names::holdfast, 0)) << described;
    EXPECT_TRUE(families(R"({"Instances":[3,null,{"Addresses":{"a":1},"Counters":[1]}],"VirtualServers":"x"})",
                         Names::holdfast, 0))
        << "odd, and no crash";
}

} // namespace
} // namespace holdfast::metrics
