// keepalived's words of virtual servers, real servers and their checks, which say here what to write instead.
#include "config/foreign.hpp"

#include <array>

namespace holdfast::config {
namespace {

constexpr auto in_the_check = "write it in the check, with a unit: check: {interval: 10s, timeout: 5s}";

constexpr std::array server_words{
    ForeignWord{"lb_algo", "write scheduler"},
    ForeignWord{"lvs_sched", "write scheduler"},
    ForeignWord{"lb_kind", "write forwarding: nat, dr or tunnel"},
    ForeignWord{"lvs_method", "write forwarding: nat, dr or tunnel"},
    ForeignWord{"persistence_timeout", "write persistence, with a unit: 50s"},
    ForeignWord{"persistence_granularity", "write persistence_prefix: 24"},
    ForeignWord{"delay_loop", "write check: {interval: 10s, ...}"},
    ForeignWord{"connect_timeout", in_the_check},
    ForeignWord{"retry", "write it in the check: check: {retry: 3}"},
    ForeignWord{"delay_before_retry", "write it in the check: check: {retry_delay: 1s}"},
    ForeignWord{"warmup", "write it in the check: check: {warmup: 10s}"},
    ForeignWord{"ops", "write one_packet: true"},
    ForeignWord{"fwmark", "write mark"},
    ForeignWord{"ip_family", "write family: ipv4 or ipv6"},
    ForeignWord{"real_server", "write real_servers: {NAME: {address: ...}}"},
    ForeignWord{"virtualhost", "write it in the check: host"},
    ForeignWord{"ha_suspend", "write while_master: INSTANCE"},
    ForeignWord{"sorry_server_inhibit", "write sorry_server: {address: ..., inhibit_on_failure: true}"},
    ForeignWord{"sorry_server_lvs_method", "write sorry_server: {address: ..., forwarding: dr}"},
    ForeignWord{"smtp_alert", "write notify: {mail: true}, and mail: at the top level"},
};

constexpr std::array real_server_words{
    ForeignWord{"lvs_method", "write forwarding: nat, dr or tunnel"},
    ForeignWord{"uthreshold", "write upper_threshold"},
    ForeignWord{"lthreshold", "write lower_threshold"},
    ForeignWord{"delay_loop", in_the_check},
    ForeignWord{"connect_timeout", in_the_check},
    ForeignWord{"retry", "write it in the check: check: {retry: 3}"},
    ForeignWord{"delay_before_retry", "write it in the check: check: {retry_delay: 1s}"},
    ForeignWord{"warmup", "write it in the check: check: {warmup: 10s}"},
    ForeignWord{"virtualhost", "write it in the check: host"},
    ForeignWord{"alpha", "write it in the virtual server: all of its servers start alike"},
    ForeignWord{"smtp_alert", "write notify: {mail: true}, and mail: at the top level"},
    ForeignWord{"TCP_CHECK", "write check: {tcp: {}}"},
    ForeignWord{"HTTP_GET", "write check: {http: /health}"},
    ForeignWord{"SSL_GET", "write check: {https: /health}"},
    ForeignWord{"SMTP_CHECK", "write check: {smtp: {}}"},
    ForeignWord{"DNS_CHECK", "write check: {dns: {name: example.org, type: A}}"},
    ForeignWord{"MISC_CHECK", "write check: {script: [/path/to/program, ARGUMENT]}"},
    ForeignWord{"PING_CHECK", "write check: {ping: {}}"},
    ForeignWord{"UDP_CHECK", "write check: {udp: {payload: 0a0b}}"},
    ForeignWord{"BFD_CHECK", "make a tracker {bfd: {neighbor: ...}}, and write check: {tracker: NAME}"},
    ForeignWord{"FILE_CHECK", "make a tracker {file: PATH}, and write check: {tracker: NAME, weight: 1}"},
};

constexpr std::array check_words{
    ForeignWord{"delay_loop", "write interval, with a unit: 10s"},
    ForeignWord{"connect_timeout", "write timeout, with a unit: 3s"},
    ForeignWord{"delay_before_retry", "write retry_delay"},
    ForeignWord{"nb_get_retry", "write retry"},
    ForeignWord{"connect_ip", "write connect"},
    ForeignWord{"bindto", "write source"},
    ForeignWord{"bind_port", "write source_port"},
    ForeignWord{"bind_if", "write interface"},
    ForeignWord{"fwmark", "write mark"},
    ForeignWord{"url", "write http: [{path: /, status: [200]}]"},
    ForeignWord{"virtualhost", "write host"},
    ForeignWord{"http_protocol", "write version: \"1.0\" or \"1.1\""},
    ForeignWord{"enable_sni", "write server_name: NAME, or host: NAME"},
    ForeignWord{"sni_name", "write server_name"},
    ForeignWord{"fast_recovery", "all requests of a check are made each time: remove it"},
    ForeignWord{"status_code", "write status: [200-299]"},
    ForeignWord{"regex", "write body: {regex: ...}"},
    ForeignWord{"regex_no_match", "write body: {regex: ..., absent: true}"},
    ForeignWord{"misc_path", "write script: [/path/to/program, ARGUMENT]"},
    ForeignWord{"misc_timeout", "write timeout"},
    ForeignWord{"misc_dynamic", "write dynamic: true"},
    ForeignWord{"helo_name", "write smtp: {helo: NAME}"},
    ForeignWord{"payload", "write udp: {payload: HEX}"},
    ForeignWord{"require_reply", "write udp: {require_reply: true}, or udp: {reply: HEX}"},
    ForeignWord{"min_reply_length", "write udp: {min_length: 2}"},
    ForeignWord{"max_reply_length", "write udp: {max_length: 255}"},
    ForeignWord{"bfd", "write tracker: NAME of a bfd tracker"},
    ForeignWord{"file", "write tracker: NAME of a file tracker"},
    ForeignWord{"track_file", "make a tracker {file: PATH}, and write tracker: NAME, weight: 1"},
    ForeignWord{"alpha", "write it in the virtual server: all of its servers start alike"},
    ForeignWord{"log_all_failures", "each reason is told: remove it"},
};

} // namespace

std::span<const ForeignWord> foreign_server_words() {
    return server_words;
}
std::span<const ForeignWord> foreign_real_server_words() {
    return real_server_words;
}
std::span<const ForeignWord> foreign_check_words() {
    return check_words;
}

} // namespace holdfast::config
