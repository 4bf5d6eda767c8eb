#include "metrics/families.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace holdfast::metrics {
namespace {

using Json = nlohmann::json;

/// Families in the order of their making.
class Book {
  public:
    std::size_t add(const char* name, Type type, const char* help) {
        families.push_back({name, type, help, {}});
        return families.size() - 1;
    }
    /// A number, or a truth value; anything else is nothing that we know.
    void put(std::size_t family, Labels labels, const Json& value) {
        if (value.is_number())
            families[family].samples.push_back({std::move(labels), value.get<double>()});
        else if (value.is_boolean())
            families[family].samples.push_back({std::move(labels), value.get<bool>() ? 1.0 : 0.0});
    }
    std::vector<Family> families;
};

/// What of an object of Describe() becomes a family.
struct Row {
    const char *key, *name, *help;
};

const Json& at(const Json& object, std::string_view key) {
    static const Json none;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : none;
}

std::string text(const Json& object, std::string_view key) {
    const auto& value = at(object, key);
    if (value.is_string()) return value.get<std::string>();
    return value.is_number() ? value.dump() : std::string{};
}

const Json& counter(const Json& object, std::string_view key) {
    return at(at(object, "Counters"), key);
}

/// A family with one sample for each of the objects, which is told apart by its name.
void add_named(Book& book, const Row& row, Type type, const Json& objects, const char* label,
               const Json& (*value)(const Json&, std::string_view)) {
    const auto family = book.add(row.name, type, row.help);
    for (const auto& each : objects)
        book.put(family, {{label, text(each, "Name")}}, value(each, row.key));
}

/// Microseconds of CLOCK_REALTIME as seconds from now, negative for the past; nothing for 0, which is never.
std::optional<double> from_now(const Json& moment, std::uint64_t now) {
    if (!moment.is_number_unsigned() || moment.get<std::uint64_t>() == 0) return std::nullopt;
    return (moment.get<double>() - static_cast<double>(now)) / 1e6;
}

constexpr std::array states{"init", "backup", "master", "fault"};

// ---- our own names
// ------------------------------------------------------------------------------------------------------

void add_node(Book& book, const Json& node, std::uint64_t now) {
    book.put(book.add("holdfast_up", Type::gauge, "The daemon answers."), {}, true);
    book.put(book.add("holdfast_build", Type::info, "The daemon's version."), {{"version", text(node, "Version")}}, 1);
    book.put(book.add("holdfast_config_hash", Type::info, "The configuration in force."),
             {{"hash", text(node, "ConfigHash")}}, 1);
    if (const auto since = from_now(at(node, "StartedTimestamp"), now))
        book.put(book.add("holdfast_up_since_seconds", Type::gauge, "How long the daemon has run."), {},
                 std::max(0.0, -*since));
    const auto reload = book.add("holdfast_config_last_reload_success", Type::gauge, "The last reload was accepted.");
    book.put(reload, {}, text(node, "LastReloadResult") == "ok");
    book.put(book.add("holdfast_maintenance", Type::gauge, "The host is taken out of service."), {},
             at(node, "Maintenance"));
}

constexpr std::array instance_counters{
    Row{"adverts_sent", "holdfast_vrrp_adverts_sent", "Adverts sent."},
    Row{"adverts_received", "holdfast_vrrp_adverts_received", "Valid adverts received."},
    Row{"priority_zero_sent", "holdfast_vrrp_priority_zero_sent", "Adverts of priority 0 sent."},
    Row{"priority_zero_received", "holdfast_vrrp_priority_zero_received", "Adverts of priority 0 received."},
    Row{"announcements_sent", "holdfast_vrrp_announcements_sent", "Gratuitous ARP and unsolicited NA sent."},
    Row{"became_master", "holdfast_vrrp_became_master", "Times that this host became master."},
    Row{"left_master", "holdfast_vrrp_left_master", "Times that this host ceased to be master."},
    Row{"addresses_restored", "holdfast_vip_removed_by_foreign", "Addresses that others deleted."},
    Row{"lease_renewals", "holdfast_vip_lease_renewals", "Leases renewed."},
};

void add_instance_states(Book& book, const Json& instances) {
    const auto state = book.add("holdfast_vrrp_state", Type::gauge, "1 for the state that the instance is in.");
    for (const auto& each : instances)
        for (const char* name : states)
            book.put(state,
                     {{"vrrp", text(each, "Name")},
                      {"interface", text(each, "Interface")},
                      {"vrid", text(each, "VirtualRouterId")},
                      {"family", text(each, "Family")},
                      {"state", name}},
                     text(each, "State") == name);
    for (const Row row :
         {Row{"BasePriority", "holdfast_vrrp_priority", "The configured priority."},
          Row{"EffectivePriority", "holdfast_vrrp_effective_priority", "The priority with all weights."}})
        add_named(book, row, Type::gauge, instances, "vrrp", at);
}

void add_instance_counters(Book& book, const Json& instances) {
    for (const auto& row : instance_counters)
        add_named(book, row, Type::counter, instances, "vrrp", counter);
    constexpr std::string_view prefix = "rejected_";
    const auto dropped = book.add("holdfast_vrrp_adverts_dropped", Type::counter, "Packets that failed a check.");
    for (const auto& each : instances)
        for (const auto& [key, value] : at(each, "Counters").items())
            if (key.starts_with(prefix))
                book.put(dropped, {{"vrrp", text(each, "Name")}, {"reason", key.substr(prefix.size())}}, value);
}

/// "entered_backup_higher_priority": neither states nor the first words of reasons have a '_' in them.
void add_transitions(Book& book, const Json& instances) {
    constexpr std::string_view prefix = "entered_";
    const auto family =
        book.add("holdfast_vrrp_transitions", Type::counter, "State edges, by the state that was entered.");
    for (const auto& each : instances)
        for (const auto& [key, value] : at(each, "Counters").items()) {
            const auto split = key.find('_', prefix.size());
            if (!key.starts_with(prefix) || split == std::string::npos) continue;
            book.put(family,
                     {{"vrrp", text(each, "Name")},
                      {"to", key.substr(prefix.size(), split - prefix.size())},
                      {"reason", key.substr(split + 1)}},
                     value);
        }
}

/// The daemon's counters are each of one bucket; a histogram's are of all up to it.
void put_histogram(Family& family, const Labels& who, const Json& object, const std::string& counted) {
    struct Bucket {
        const char *key, *bound;
    };
    constexpr std::array buckets{Bucket{"_100us", "0.0001"}, Bucket{"_1ms", "0.001"}, Bucket{"_10ms", "0.01"},
                                 Bucket{"_100ms", "0.1"},    Bucket{"_1s", "1.0"},    Bucket{"_10s", "10.0"},
                                 Bucket{"_more", "+Inf"}};
    const auto& total = counter(object, counted + "_usec");
    if (!total.is_number()) return;
    double count = 0;
    for (const auto& bucket : buckets) {
        const auto& in = counter(object, counted + bucket.key);
        if (!in.is_number()) continue; // it has no such bound
        count += in.get<double>();
        auto labels = who;
        labels.emplace_back("le", bucket.bound);
        family.samples.push_back({std::move(labels), count, "_bucket"});
    }
    family.samples.push_back({who, total.get<double>() / 1e6, "_sum"});
    family.samples.push_back({who, count, "_count"});
}

void add_lateness(Book& book, const Json& instances) {
    const auto family = book.add("holdfast_vrrp_advert_lateness_seconds", Type::histogram,
                                 "How late adverts left, of those that were due by the clock.");
    for (const auto& each : instances)
        put_histogram(book.families[family], {{"vrrp", text(each, "Name")}}, each, "advert_lateness");
}

void add_instance_lists(Book& book, const Json& instances, std::uint64_t now) {
    const auto assigned = book.add("holdfast_vip_assigned", Type::gauge, "The kernel has the address.");
    for (const auto& each : instances)
        for (const auto& address : at(each, "Addresses"))
            book.put(assigned, {{"vrrp", text(each, "Name")}, {"address", text(address, "Address")}},
                     text(address, "State") == "assigned");
    const auto lease = book.add("holdfast_vip_lease_remaining_seconds", Type::gauge,
                                "Until the kernel drops the address, if nobody renews its lease.");
    for (const auto& each : instances)
        if (const auto rest = from_now(at(each, "LeaseUntil"), now))
            for (const auto& address : at(each, "Addresses"))
                book.put(lease, {{"vrrp", text(each, "Name")}, {"address", text(address, "Address")}},
                         std::max(0.0, *rest));
}

void add_peers(Book& book, const Json& instances, std::uint64_t now) {
    const auto heard =
        book.add("holdfast_vrrp_peer_last_advert_seconds", Type::gauge, "Seconds since the last advert of a peer.");
    const auto masters = book.add("holdfast_vrrp_masters_seen", Type::gauge,
                                  "Who says to be master: this host, and each peer whose advert is not too old.");
    for (const auto& each : instances) {
        const auto& patience = at(each, "MasterDownIntervalUSec");
        int seen = text(each, "State") == "master" ? 1 : 0;
        for (const auto& peer : at(each, "ObservedPeers")) {
            const auto age = from_now(at(peer, "LastSeenUSec"), now);
            if (!age) continue;
            book.put(heard, {{"vrrp", text(each, "Name")}, {"peer", text(peer, "Address")}}, std::max(0.0, -*age));
            const auto& priority = at(peer, "Priority");
            if (patience.is_number() && -*age * 1e6 <= patience.get<double>() && priority.is_number() && priority > 0)
                ++seen;
        }
        if (patience.is_number()) book.put(masters, {{"vrrp", text(each, "Name")}}, seen);
    }
}

/// Trackers that run nothing (a unit, an interface) have no runs.
void add_trackers(Book& book, const Json& trackers) {
    const auto up = book.add("holdfast_tracker_up", Type::gauge, "The tracker's verdict; none while it is unknown.");
    const auto runs = book.add("holdfast_tracker_runs", Type::counter, "Runs of its script, or probes.");
    const auto duration =
        book.add("holdfast_tracker_duration_seconds", Type::histogram, "How long a run or a probe took.");
    for (const auto& each : trackers) {
        const Labels who{{"tracker", text(each, "Name")}, {"kind", text(each, "Kind")}};
        if (const auto status = text(each, "Status"); status == "up" || status == "down")
            book.put(up, who, status == "up");
        const auto& count = counter(each, "runs");
        if (!count.is_number() || count == 0) continue;
        book.put(runs, who, count);
        put_histogram(book.families[duration], who, each, "run_time");
    }
}

constexpr std::array server_counters{
    Row{"connections", "holdfast_virtual_server_connections", "Connections balanced."},
    Row{"packets_in", "holdfast_virtual_server_packets_in", "Packets from clients."},
    Row{"packets_out", "holdfast_virtual_server_packets_out", "Packets to clients."},
    Row{"bytes_in", "holdfast_virtual_server_bytes_in", "Bytes from clients."},
    Row{"bytes_out", "holdfast_virtual_server_bytes_out", "Bytes to clients."},
};

void add_virtual_servers(Book& book, const Json& servers) {
    for (const Row row : {Row{"Quorate", "holdfast_virtual_server_quorum_up", "The quorum is reached."},
                          Row{"Weight", "holdfast_virtual_server_weight_up", "Weight of the servers that are up."}})
        add_named(book, row, Type::gauge, servers, "virtual_server", at);
    const auto sorry =
        book.add("holdfast_virtual_server_sorry_active", Type::gauge, "Clients are sent to the sorry server.");
    for (const auto& each : servers)
        book.put(sorry, {{"virtual_server", text(each, "Name")}}, text(each, "State") == "sorry");
    for (const auto& row : server_counters)
        add_named(book, row, Type::counter, servers, "virtual_server", counter);
}

/// What all checks together say; nothing while one of them does not know.
std::optional<bool> health(const Json& real) {
    bool up = true;
    for (const auto& check : at(real, "Checks")) {
        const auto verdict = text(check, "Verdict");
        if (verdict == "down") return false;
        up = up && verdict == "up";
    }
    return up ? std::optional{true} : std::nullopt;
}

void add_real_servers(Book& book, const Json& servers) {
    const auto up = book.add("holdfast_real_server_up", Type::gauge, "The checks' verdict; none while it is unknown.");
    const auto admin = book.add("holdfast_real_server_admin_state", Type::gauge, "1 for what people have ordered.");
    const auto weight = book.add("holdfast_real_server_weight", Type::gauge, "The weight in force.");
    const auto connections = book.add("holdfast_real_server_connections", Type::gauge, "Connections now.");
    const auto failures = book.add("holdfast_real_server_check_failures", Type::counter, "Probes that failed.");
    const auto duration =
        book.add("holdfast_real_server_check_duration_seconds", Type::gauge, "The last probe's time.");
    for (const auto& server : servers)
        for (const auto& real : at(server, "RealServers")) {
            const Labels who{{"virtual_server", text(server, "Name")}, {"real_server", text(real, "Name")}};
            const auto with = [&](const char* label, std::string value) {
                auto labels = who;
                labels.emplace_back(label, std::move(value));
                return labels;
            };
            if (const auto healthy = health(real)) book.put(up, who, *healthy);
            const auto state = text(real, "State");
            for (const std::string_view ordered : {"enabled", "disabled", "draining"})
                book.put(admin, with("state", std::string{ordered}),
                         ordered == state || (ordered == "enabled" && state != "disabled" && state != "draining"));
            book.put(weight, who, at(real, "Weight"));
            book.put(connections, with("state", "active"), counter(real, "active_connections"));
            book.put(connections, with("state", "inactive"), counter(real, "inactive_connections"));
            std::size_t index = 0;
            for (const auto& check : at(real, "Checks")) {
                auto labels = with("check", text(check, "Kind") + (index > 0 ? "_" + std::to_string(index) : ""));
                book.put(failures, labels, at(check, "Bad"));
                if (at(check, "Probes").is_number() && at(check, "Probes") > 0 && at(check, "LatencyUSec").is_number())
                    book.put(duration, std::move(labels), at(check, "LatencyUSec").get<double>() / 1e6);
                ++index;
            }
        }
}

// ---- the names of the keepalived exporter
// --------------------------------------------------------------------------------

constexpr std::array compatible_counters{
    Row{"became_master", "keepalived_become_master", "Times that this host became master."},
    Row{"left_master", "keepalived_release_master", "Times that this host ceased to be master."},
    Row{"adverts_sent", "keepalived_advertisements_sent", "Adverts sent."},
    Row{"adverts_received", "keepalived_advertisements_received", "Adverts received."},
    Row{"priority_zero_sent", "keepalived_priority_zero_sent", "Adverts of priority 0 sent."},
    Row{"priority_zero_received", "keepalived_priority_zero_received", "Adverts of priority 0 received."},
    Row{"rejected_length", "keepalived_packet_length_errors", "Packets of a wrong length."},
    Row{"rejected_interval", "keepalived_advertisements_interval_errors", "Adverts of another interval."},
    Row{"rejected_hop_limit", "keepalived_ip_ttl_errors", "Packets that came through a router."},
    Row{"rejected_type", "keepalived_invalid_type_received", "Packets that are no advert."},
    Row{"rejected_authentication", "keepalived_authentication_failure", "Adverts of another password."},
};

Labels compatible_labels(const Json& instance) {
    return {{"iname", text(instance, "Name")},
            {"intf", text(instance, "Interface")},
            {"vrid", text(instance, "VirtualRouterId")}};
}

void add_compatible(Book& book, const Json& node) {
    book.put(book.add("keepalived_up", Type::gauge, "The daemon answers."), {}, true);
    const auto state = book.add("keepalived_vrrp_state", Type::gauge, "0 init, 1 backup, 2 master, 3 fault.");
    for (const auto& each : at(node, "Instances")) {
        const auto found = std::ranges::find(states, text(each, "State"));
        if (found == states.end()) continue;
        for (const auto& address : at(each, "Addresses")) {
            auto labels = compatible_labels(each);
            labels.emplace_back("ip_address", text(address, "Address"));
            book.put(state, std::move(labels), found - states.begin());
        }
    }
    for (const auto& row : compatible_counters) {
        const auto family = book.add(row.name, Type::counter, row.help);
        for (const auto& each : at(node, "Instances")) {
            auto labels = compatible_labels(each);
            labels.emplace_back("state", text(each, "State"));
            book.put(family, std::move(labels), counter(each, row.key));
        }
    }
    const auto script = book.add("keepalived_script_status", Type::gauge, "A script tracker's verdict.");
    for (const auto& each : at(node, "Trackers"))
        if (const auto status = text(each, "Status");
            text(each, "Kind") == "script" && (status == "up" || status == "down"))
            book.put(script, {{"name", text(each, "Name")}}, status == "up");
}

} // namespace

std::optional<std::vector<Family>> families(const std::string& described, Names names, std::uint64_t now) {
    const auto node = Json::parse(described, nullptr, false);
    if (!node.is_object() || !at(node, "Instances").is_array()) return std::nullopt;
    Book book;
    if (names == Names::keepalived) {
        add_compatible(book, node);
        return std::move(book.families);
    }
    add_node(book, node, now);
    add_instance_states(book, at(node, "Instances"));
    add_instance_counters(book, at(node, "Instances"));
    add_transitions(book, at(node, "Instances"));
    add_lateness(book, at(node, "Instances"));
    add_instance_lists(book, at(node, "Instances"), now);
    add_peers(book, at(node, "Instances"), now);
    add_trackers(book, at(node, "Trackers"));
    add_virtual_servers(book, at(node, "VirtualServers"));
    add_real_servers(book, at(node, "VirtualServers"));
    return std::move(book.families);
}

std::vector<Family> families_of_nobody(Names names) {
    return {
        {names == Names::keepalived ? "keepalived_up" : "holdfast_up", Type::gauge, "The daemon answers.", {{{}, 0}}}};
}

} // namespace holdfast::metrics
