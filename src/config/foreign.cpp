#include "config/foreign.hpp"

#include "base/text.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

constexpr std::array instance_words{
    ForeignWord{"state", "who is master is decided by priority: remove it"},
    ForeignWord{"virtual_router_id", "write vrid"},
    ForeignWord{"advert_int", "write advert_interval, with a unit: 1s"},
    ForeignWord{"virtual_ipaddress", "write addresses: [192.0.2.10/24]"},
    ForeignWord{"virtual_ipaddress_excluded", "write excluded_addresses: [192.0.2.11/24]"},
    ForeignWord{"nopreempt", "write preempt: false"},
    ForeignWord{"no_accept", "write accept: false"},
    ForeignWord{"auth_type", "write authentication: {type: pass, credential: NAME}"},
    ForeignWord{"auth_pass", "write authentication: {type: pass, credential: NAME}"},
    ForeignWord{"auth_hmac", "write authentication: {type: hmac, keys: {1: {credential: NAME}}}"},
    ForeignWord{"vrrp_version", "write version"},
    ForeignWord{"native_ipv6", "an IPv6 address in addresses is enough: remove it"},
    ForeignWord{"track_interface", "describe it under trackers: and name it in track"},
    ForeignWord{"linkbeat_interfaces", "make a tracker: {interface: eth0, poll: 1s}, and name it in track"},
    ForeignWord{"linkbeat_use_polling", "make a tracker: {interface: eth0, poll: 1s}, and name it in track"},
    ForeignWord{"interface_up_down_delays",
                "make a tracker: {interface: eth0, down_delay: 1s, up_delay: 1s}, and name it in track"},
    ForeignWord{"track_process", "describe it under trackers: and name it in track"},
    ForeignWord{"track_script", "describe it under trackers: and name it in track"},
    ForeignWord{"track_file", "describe it under trackers: and name it in track"},
    ForeignWord{"garp_master_refresh", "write announce_refresh, with a unit: 30s"},
    ForeignWord{"vrrp_garp_master_refresh", "write announce_refresh, with a unit: 30s"},
    ForeignWord{"garp_master_delay", "write announce_delay, with a unit: 5s"},
    ForeignWord{"vrrp_garp_master_delay", "write announce_delay, with a unit: 5s"},
    ForeignWord{"garp_master_repeat", "write announce_repeat"},
    ForeignWord{"vrrp_garp_master_repeat", "write announce_repeat"},
    ForeignWord{"garp_master_refresh_repeat", "write announce_refresh_repeat"},
    ForeignWord{"vrrp_garp_master_refresh_repeat", "write announce_refresh_repeat"},
    ForeignWord{"garp_lower_prio_delay", "write announce_lower_delay, with a unit: 5s"},
    ForeignWord{"vrrp_garp_lower_prio_delay", "write announce_lower_delay, with a unit: 5s"},
    ForeignWord{"garp_lower_prio_repeat", "write announce_lower_repeat"},
    ForeignWord{"vrrp_garp_lower_prio_repeat", "write announce_lower_repeat"},
    ForeignWord{"garp_interval", "write announce_interval, with a unit: 5ms"},
    ForeignWord{"vrrp_garp_interval", "write announce_interval, with a unit: 5ms"},
    ForeignWord{"gna_interval", "write announce_interval, with a unit: it is for NA too"},
    ForeignWord{"vrrp_gna_interval", "write announce_interval, with a unit: it is for NA too"},
    ForeignWord{"garp_extra_if", "write announce_other_links, with a unit: 1min, or all 1min"},
    ForeignWord{"vrrp_garp_extra_if", "write announce_other_links, with a unit: 1min, or all 1min"},
    ForeignWord{"vmac_garp_intvl", "write announce_other_links, with a unit: 1min, or all 1min"},
    ForeignWord{"vrrp_vmac_garp_intvl", "write announce_other_links, with a unit: 1min, or all 1min"},
    ForeignWord{"vrrp_min_garp", "announce_delay is 0s unless it is given: remove it"},
    ForeignWord{"vrrp_startup_delay", "write startup_delay, with a unit: 5s"},
    ForeignWord{"vrrp_delay_after_boot", "write boot_delay, with a unit: 30s"},
    ForeignWord{"dont_track_primary", "write track_link: off"},
    ForeignWord{"unicast_peer", "write unicast: {peers: [10.0.0.11, 10.0.0.12]}"},
    ForeignWord{"unicast_src_ip", "write source: {lb1: 10.0.0.11, lb2: 10.0.0.12}"},
    ForeignWord{"mcast_src_ip", "write source: {lb1: 10.0.0.11, lb2: 10.0.0.12}"},
    ForeignWord{"unicast_ttl", "write unicast: {peers: [...], ttl: 254}"},
    ForeignWord{"check_unicast_src",
                "it is on by default: write unicast: {peers: [...], check_source: false} to change it"},
    ForeignWord{"track_src_ip", "source is always tracked: remove it"},
    ForeignWord{"down_timer_adverts", "write down_adverts"},
    ForeignWord{"v3_checksum_as_v2", "write checksum: message"},
    ForeignWord{"skip_check_adv_addr", "a different list is named in the journal, never dropped: remove it"},
    ForeignWord{"mcast_dst_ip", "write multicast_group4: or multicast_group6:"},
    ForeignWord{"use_vmac", "write virtual_mac: on"},
    ForeignWord{"use_ipvlan", "write ipvlan: on"},
    ForeignWord{"vmac_xmit_base", "write virtual_mac: {adverts_from: parent}"},
    ForeignWord{"use_vmac_addr", "with virtual_mac: on every address is at the virtual MAC: remove it"},
    ForeignWord{"virtual_routes", "write routes: [{to: 10.1.0.0/16, via: 192.0.2.1}]"},
    ForeignWord{"virtual_rules", "write rules: [{from: 192.0.2.0/24, table: 100, priority: 1000}]"},
    ForeignWord{"notify_master", "write notify: {master: [/path/to/program]}"},
    ForeignWord{"notify_backup", "write notify: {backup: [/path/to/program]}"},
    ForeignWord{"notify_fault", "write notify: {fault: [/path/to/program]}"},
    ForeignWord{"notify_stop", "write notify: {stop: [/path/to/program]}"},
    ForeignWord{"notify_fifo", "write notify: {fifo: /path/to/fifo}"},
    ForeignWord{"smtp_alert", "write notify: {mail: true}, and mail: at the top level"},
};

constexpr std::array tracker_words{
    ForeignWord{"bfd_instance", "write bfd: {neighbor: 192.0.2.2}"},
    ForeignWord{"weight", "give it where the tracker is used: track: [{tracker: NAME, weight: -60}]"},
    ForeignWord{"full_command", "write command: [/usr/sbin/nginx, ...] instead of process"},
    ForeignWord{"param_match", "write match"},
    ForeignWord{"init_file", "write init: NUMBER, what a missing file counts as"},
};

constexpr std::array top_words{
    ForeignWord{"vrrp_instance", "write instances:"},
    ForeignWord{"vrrp_script", "write trackers:"},
    ForeignWord{"vrrp_mcast_group4", "write defaults: {multicast_group4: 224.0.0.18}"},
    ForeignWord{"vrrp_mcast_group6", "write defaults: {multicast_group6: \"ff02::12\"}"},
    ForeignWord{"vrrp_track_process", "write trackers:"},
    ForeignWord{"vrrp_sync_group", "write sync_groups:"},
    ForeignWord{"virtual_server", "write virtual_servers: {NAME: {address: 192.0.2.10:80, protocol: tcp, ...}}"},
    ForeignWord{"virtual_server_group", "write addresses: [...] in the virtual server"},
    ForeignWord{"lvs_sync_daemon", "write ipvs: {sync: {interface: eth0, while_master: NAME}}"},
    ForeignWord{"lvs_timeouts", "write ipvs: {timeouts: {tcp: 15min}}"},
    ForeignWord{"lvs_flush", "what the last daemon left is removed, what is of others stays: remove it"},
    ForeignWord{"lvs_flush_on_stop", "a stop removes all services of ours and none of others: remove it"},
    ForeignWord{"nftables_ipvs", "a range is a service for each address: remove it"},
    ForeignWord{"lvs_notify_fifo", "write notify: {fifo: PATH} in the virtual server"},
    ForeignWord{"smtp_alert_checker", "write notify: {mail: true} in the virtual server"},
    ForeignWord{"no_checker_emails", "write notify: {} in a real server that nobody wants mail of"},
    ForeignWord{"global_defs", "write defaults:"},
    ForeignWord{"router_id", "write node_name"},
    ForeignWord{"garp_group", "write announce_groups: {NAME: {interfaces: [eth0], interval: 5ms}}"},
};

} // namespace

std::span<const ForeignWord> foreign_instance_words() {
    return instance_words;
}
std::span<const ForeignWord> foreign_tracker_words() {
    return tracker_words;
}
std::span<const ForeignWord> foreign_top_words() {
    return top_words;
}

std::string some(std::span<const std::string> names) {
    constexpr std::size_t most = 8;
    std::vector<std::string> shown;
    for (const auto& name : names.first(std::min(most, names.size())))
        shown.push_back(printable(name));
    if (names.size() > most) return join(shown, ", ") + ", ...";
    if (shown.size() < 2) return join(shown, "");
    const auto last = shown.back();
    shown.pop_back();
    return join(shown, ", ") + " and " + last;
}

void unknown_key(Context& context, const Entry& entry, std::span<const std::string_view> known,
                 std::span<const ForeignWord> foreign, std::string_view where) {
    const auto word = std::ranges::find(foreign, std::string_view{entry.key}, &ForeignWord::word);
    const auto message = fmt::format("{} is not a directive of {}", in_quotes(entry.key), where);
    if (word != foreign.end()) {
        context.problems.error(entry.mark, message, std::string{word->hint});
        return;
    }
    if (entry.key == "<<") {
        context.problems.error(entry.mark, message, "what all instances share goes under 'defaults:'");
        return;
    }
    const std::vector<std::string> words{known.begin(), known.end()};
    const auto slip = nearest(entry.key, words);
    context.problems.error(entry.mark, message,
                           slip               ? fmt::format("did you mean '{}'?", *slip)
                           : words.size() < 8 ? fmt::format("there is {}", some(words))
                                              : "docs/directives.md has all of them");
}

} // namespace holdfast::config
