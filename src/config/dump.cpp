#include "config/dump.hpp"

#include "base/assert.hpp"
#include "config/families.hpp"
#include "config/ipvs.hpp"
#include "config/list.hpp"
#include "config/route.hpp"
#include "config/server.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace holdfast::config {
namespace {

template <typename Object>
void dump_object(std::string& out, const std::string& name, std::span<const Directive<Object>> rows,
                 const Object& object, Secrets secrets) {
    out += fmt::format("  {}:\n", yaml_text(name));
    for (const auto& row : rows)
        if (const auto text = row.write(object, secrets)) out += fmt::format("    {}: {}\n", row.word, *text);
}

} // namespace

std::string dump(const model::Config& config, Secrets secrets) {
    std::string out;
    if (!config.node_name.empty()) out += fmt::format("node_name: {}\n", yaml_text(config.node_name));
    if (config.log_unknown_vrids) out += "log_unknown_vrids: true\n";
    if (config.mail) {
        out += "mail:\n";
        for (const auto& row : mail_directives())
            if (const auto text = row.write(*config.mail, secrets)) out += fmt::format("  {}: {}\n", row.word, *text);
    }
    if (!config.static_routes.empty()) out += fmt::format("static_routes: {}\n", write_routes(config.static_routes));
    if (!config.static_rules.empty()) out += fmt::format("static_rules: {}\n", write_rules(config.static_rules));
    if (!config.static_addresses.empty())
        out += fmt::format("static_addresses: {}\n", write_static_addresses(config.static_addresses));
    const auto instances = join_families(config.instances);
    out += instances.empty() ? "instances: {}\n" : "instances:\n";
    for (const auto& instance : instances)
        dump_object(out, instance.name, instance_directives(), instance, secrets);
    const auto listed = [](const model::Group& group) { return !group.is_pair; };
    if (std::ranges::any_of(config.groups, listed)) out += "sync_groups:\n";
    for (const auto& group : config.groups)
        if (listed(group)) dump_object(out, group.name, group_directives(), group, secrets);
    if (!config.announce_groups.empty()) out += "announce_groups:\n";
    for (const auto& group : config.announce_groups)
        dump_object(out, group.name, announce_group_directives(), group, secrets);
    if (config.ipvs != model::Ipvs{}) {
        out += "ipvs:\n";
        for (const auto& row : ipvs_directives())
            if (const auto text = row.write(config.ipvs, secrets)) out += fmt::format("  {}: {}\n", row.word, *text);
    }
    if (!config.virtual_servers.empty()) out += "virtual_servers:\n";
    for (const auto& server : config.virtual_servers) {
        ServerText text;
        static_cast<model::VirtualServer&>(text) = server;
        dump_object(out, server.name, server_directives(), text, secrets);
    }
    if (!config.trackers.empty()) out += "trackers:\n";
    for (const auto& tracker : config.trackers)
        dump_object(out, tracker.name, tracker_directives(), tracker, secrets);
    return out;
}

std::uint64_t hash(const model::Config& config) {
    Hash result;
    result.add(dump(config));
    return result.value();
}

} // namespace holdfast::config
