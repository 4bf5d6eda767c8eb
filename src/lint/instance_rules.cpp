// Rules about one instance: owner, preemption, priorities of the hosts, size of the packet.
#include "lint/rule.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::lint {
namespace {

using model::Instance;

/// One point is 39 us of skew at 10 ms and 390 us at 100 ms (PROTOCOL.md, "Time, threads, kernel").
constexpr int least_distance = 20;
constexpr Duration fast_adverts = 100ms;
/// What fits beside the IPv6 and VRRP headers into one packet of 1500 bytes: (1500 - 40 - 8) / 16.
constexpr std::size_t most_ipv6_in_a_packet = 90;

struct HostPriority {
    int priority;
    std::string host;
};

/// Of the hosts that the file names, highest first; empty: it does not say.
std::vector<HostPriority> by_priority(const config::Loaded& loaded, const std::string& name) {
    std::vector<HostPriority> result;
    const auto at = loaded.origins.priorities.find(name);
    if (at == loaded.origins.priorities.end()) return result;
    for (const auto& [host, priority] : at->second)
        if (host != "default") result.push_back({priority.value, host});
    std::ranges::sort(result, {}, [](const HostPriority& h) { return std::pair{-h.priority, h.host}; });
    return result;
}

bool has_weight(const Instance& instance) {
    return std::ranges::any_of(instance.track, [](const model::TrackUse& use) { return use.weight.has_value(); });
}

/// Its weight is multiplied by what stands in the file.
bool is_file(const config::Loaded& loaded, const model::TrackUse& use) {
    const auto* tracker = model::find_tracker(loaded.config, use.tracker);
    return tracker && std::holds_alternative<model::FileTracker>(tracker->kind);
}

/// How far a failure of this tracker lowers the node below where it would be.
int effect(const model::TrackUse& use) {
    return use.weight ? std::abs(*use.weight) : 0;
}

} // namespace

void owner_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const Instance& instance, const std::string& name, const std::string& path) {
        if (!instance.is_owner()) return;
        if (!instance.preempt)
            findings.warn(
                path + "/preempt",
                fmt::format("'{}' has priority 255, and an owner always preempts: preempt has no effect", name),
                "give it a priority below 255, or remove preempt");
    });
}

/// Both hosts hold what neither of them is reached at, and fight over it when the link is back.
void link_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const Instance& instance, const std::string& name, const std::string& path) {
        const bool is_on_it = std::ranges::any_of(
            instance.addresses, [](const model::VirtualAddress& address) { return address.interface.empty(); });
        if (instance.track_link || instance.has_own_link() || !is_on_it) return;
        findings.warn(path + "/track_link",
                      fmt::format("'{}' goes on as master while {} has no carrier, where it has addresses that nobody "
                                  "reaches then",
                                  name, instance.interface),
                      "give the addresses an interface of their own, or remove track_link");
    });
}

void preemption_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const Instance& instance, const std::string& name, const std::string& path) {
        if (instance.preempt || instance.is_owner()) return;
        if (instance.preempt_delay > Duration::zero())
            findings.warn(path + "/preempt_delay",
                          fmt::format("'{}' does not preempt, so preempt_delay has no effect", name),
                          "remove it, or write preempt: true");
        if (has_weight(instance))
            findings.warn(path + "/track",
                          fmt::format("'{}' does not preempt, so a weight moves nothing: a standby never takes over "
                                      "from a working master",
                                      name),
                          "track without weight (a failure is then a fault), or write preempt: true");
    });
}

void weight_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const Instance& instance, const std::string& name, const std::string& path) {
        if (instance.is_owner()) return;
        int lost = 0;
        for (const auto& use : instance.track)
            if (use.weight && (*use.weight < 0) != use.reverse && !is_file(loaded, use)) lost += std::abs(*use.weight);
        if (lost >= instance.priority.value)
            findings.warn(
                path + "/track",
                fmt::format(
                    "all weights of '{}' together take {} from its priority {}: it stops at 1, the same on every host",
                    name, lost, instance.priority.value),
                "use smaller weights, or track without weight");
        const auto hosts = by_priority(loaded, name);
        const auto below =
            std::ranges::find_if(hosts, [&](const HostPriority& h) { return h.priority < instance.priority.value; });
        if (below == hosts.end() || !instance.preempt) return;
        for (const auto& use : instance.track)
            if (use.weight && !use.reverse && !is_file(loaded, use) &&
                effect(use) <= instance.priority.value - below->priority)
                findings.warn(path + "/track",
                              fmt::format("a failure of '{}' cannot move '{}': its weight {} does not exceed what "
                                          "lies between {} and the {} of {}",
                                          use.tracker, name, *use.weight, instance.priority.value, below->priority,
                                          below->host),
                              fmt::format("use a weight beyond {}, or bring the priorities closer",
                                          instance.priority.value - below->priority));
    });
}

void priority_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const Instance& instance, const std::string& name, const std::string& path) {
        const auto hosts = by_priority(loaded, name);
        for (std::size_t i = 0; i + 1 < hosts.size(); ++i) {
            const auto& high = hosts[i];
            const auto& low = hosts[i + 1];
            if (high.priority == low.priority)
                findings.warn(path + "/priority",
                              fmt::format("{} and {} have the same priority {} in '{}': the higher IP address decides",
                                          high.host, low.host, high.priority, name),
                              "give each host its own priority");
            else if (instance.advert_interval <= fast_adverts && high.priority - low.priority < least_distance)
                findings.warn(
                    path + "/priority",
                    fmt::format("the priorities of {} and {} in '{}' are {} points apart; at adverts every {} both may "
                                "take over at once",
                                high.host, low.host, name, high.priority - low.priority,
                                to_string(instance.advert_interval)),
                    fmt::format("keep at least {} points between two hosts", least_distance));
        }
    });
}

/// All members advertise the least of their priorities: what is configured beyond that has no effect.
void group_rules(const config::Loaded& loaded, Findings& findings) {
    for (const auto& group : loaded.config.groups) {
        if (group.is_pair) continue;
        const auto path = "sync_groups/" + group.name + "/instances";
        if (group.instances.size() == 1)
            findings.warn(path, fmt::format("sync group '{}' has one member, so it has no effect", group.name),
                          "name the instances that belong together, or remove it");
        const auto* first = find_instance(loaded.config, group.instances.front());
        for (const auto& name : group.instances)
            if (const auto* member = find_instance(loaded.config, name); member->priority != first->priority)
                findings.warn(
                    path,
                    fmt::format("the members of sync group '{}' have different priorities ({} has {}, {} has {}): "
                                "all advertise the least",
                                group.name, first->name, first->priority.value, name, member->priority.value),
                    "give them the same priority");
    }
}

void size_rules(const config::Loaded& loaded, Findings& findings) {
    if (loaded.config.instances.empty())
        findings.warn("", "there are no instances: this node holds no address", "describe one under 'instances:'");
    for (const auto& instance : loaded.config.instances)
        if (instance.family == Family::ipv6 && instance.addresses.size() > most_ipv6_in_a_packet)
            findings.warn(
                "instances/" + model::object_name(instance.name) + "/addresses",
                fmt::format(
                    "'{}' has {} IPv6 addresses; an advert with more than {} does not fit into 1500 bytes and is "
                    "sent in fragments",
                    instance.name, instance.addresses.size(), most_ipv6_in_a_packet),
                "put some into another instance with a vrid of its own");
}

} // namespace holdfast::lint
