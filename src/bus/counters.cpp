#include "bus/counters.hpp"

#include "engine/ipvs_plan.hpp"

#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace holdfast::bus {
namespace {

/// NAME_BOUND for what was at most so long, each in one of them, and NAME_usec, all of it together.
template <const auto& Bounds>
void add_histogram(CounterList& result, std::string_view name, const engine::Histogram<Bounds>& values) {
    for (std::size_t i = 0; i < values.counts.size(); ++i)
        result.emplace(fmt::format("{}_{}", name, i < Bounds.size() ? to_string(Bounds[i]) : "more"), values.counts[i]);
    result.emplace(fmt::format("{}_usec", name), values.usec);
}

/// What the kernel counts of a service and of its destinations.
void add(CounterList& list, const engine::IpvsStatistics& each) {
    list["connections"] += each.connections;
    list["packets_in"] += each.packets_in;
    list["packets_out"] += each.packets_out;
    list["bytes_in"] += each.bytes_in;
    list["bytes_out"] += each.bytes_out;
    list["connections_per_second"] += each.connection_rate;
    list["packets_in_per_second"] += each.packet_rate_in;
    list["packets_out_per_second"] += each.packet_rate_out;
    list["bytes_in_per_second"] += each.byte_rate_in;
    list["bytes_out_per_second"] += each.byte_rate_out;
}

} // namespace

CounterList counters(const engine::TrackerView& view) {
    CounterList result{{"runs", std::accumulate(view.runs.counts.begin(), view.runs.counts.end(), std::uint64_t{0})},
                       {"runs_skipped", view.skipped}};
    add_histogram(result, "run_time", view.runs);
    return result;
}

CounterList counters(const engine::Counters& values) {
    CounterList result{
        {"adverts_sent", values.adverts_sent},
        {"adverts_received", values.adverts_received},
        {"priority_zero_sent", values.priority_zero_sent},
        {"priority_zero_received", values.priority_zero_received},
        {"priority_zero_ignored", values.priority_zero_ignored},
        {"announcements_sent", values.announcements_sent},
        {"became_master", values.became_master},
        {"left_master", values.left_master},
        {"addresses_restored", values.addresses_restored},
        {"routes_restored", values.routes_restored},
        {"lease_renewals", values.lease_renewals},
        {"intervals_capped", values.intervals_capped},
    };
    for (std::size_t reason = 0; reason < values.rejected.size(); ++reason)
        result.emplace(fmt::format("rejected_{}", wire::name(static_cast<wire::Reject>(reason))),
                       values.rejected[reason]);
    add_histogram(result, "advert_lateness", values.lateness);
    for (std::size_t state = 0; state < values.entered.size(); ++state)
        for (std::size_t reason = 0; reason < vrrp::reason_count; ++reason)
            if (const auto times = values.entered[state][reason])
                result.emplace(fmt::format("entered_{}_{}", vrrp::state_names[state],
                                           vrrp::name(static_cast<vrrp::Reason>(reason))),
                               times);
    return result;
}

CounterList counters(const engine::VirtualServerView& view, const engine::IpvsListed* listed) {
    CounterList result;
    add(result, {});
    for (const auto& key : view.model->services)
        if (const auto* const service = listed ? engine::find(*listed, key) : nullptr) add(result, service->statistics);
    return result;
}

CounterList counters(const engine::RealServerView& view, const engine::IpvsListed* listed) {
    CounterList result{{"active_connections", 0},
                       {"inactive_connections", 0},
                       {"persistent_connections", 0},
                       {"probes", 0},
                       {"bad_probes", 0}};
    add(result, {});
    for (const auto& key : view.server->services) {
        const auto* const found = listed ? engine::find(*listed, key, engine::endpoint_of(key, *view.model)) : nullptr;
        if (!found) continue;
        add(result, found->statistics);
        result["active_connections"] += found->active;
        result["inactive_connections"] += found->inactive;
        result["persistent_connections"] += found->persistent;
    }
    for (const auto& check : view.checks) {
        result["probes"] += check.state.probes;
        result["bad_probes"] += check.state.bad;
    }
    return result;
}

} // namespace holdfast::bus
