// Schedules are drawn here: hosts that differ in all that an operator may set, and faults that fit them. What was added later is
// drawn last, so that a seed keeps the hosts and faults that it had.

#include "schedule.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::sim {
namespace {

Duration draw_interval(Rng& rng) {
    const double which = rng.unit();
    return which < 0.92 ? 1s : which < 0.99 ? Duration{100ms} : Duration{10ms};
}

HostOptions draw_host(Rng& rng, std::size_t number, Duration interval, bool preempt, bool version_2) {
    HostOptions host;
    host.name = fmt::format("r{}", number + 1);
    host.instance.name = "web";
    host.instance.interface = "eth0";
    host.instance.vrid = Vrid{7};
    host.instance.version = version_2 ? model::Version::v2 : model::Version::v3;
    host.instance.advert_interval = interval;
    host.instance.priority =
        Priority{static_cast<std::uint8_t>(rng.chance(0.1) ? 100 : 60 + 40 * number + rng.below(20))};
    host.instance.preempt = preempt;
    if (rng.chance(0.1)) host.instance.preempt_delay = rng.between(1s, 4s);
    host.instance.prompt = !rng.chance(0.2);
    host.instance.lease.on = !rng.chance(0.1);
    if (rng.chance(0.1)) host.instance.handover_timeout = 0s;
    host.instance.addresses = {*parse_prefix("192.0.2.1/24")};
    if (rng.chance(0.2)) host.instance.addresses.push_back(*parse_prefix("192.0.2.2/32"));
    host.instance.track = {{"nginx", {}}, {"page", rng.chance(0.5) ? -30 : 20}};
    host.trackers = {{.name = "nginx", .kind = model::UnitTracker{"nginx.service"}},
                     {.name = "page", .kind = model::HttpTracker{"http://127.0.0.1/"}}};
    host.drift_ppm = static_cast<std::int64_t>(rng.below(400)) - 200;
    host.kernel_delay = rng.chance(0.2) ? rng.between(1ms, 30ms) : rng.between(50us, 500us);
    host.clock_offset = rng.between(-3500s, 10'000s);
    if (rng.chance(0.5)) host.news_delay = rng.chance(0.2) ? rng.between(1ms, 50ms) : rng.between(0us, 1ms);
    if (rng.chance(0.3)) host.list_delay = rng.between(200us, 20ms);
    if (rng.chance(0.2)) host.wire_queue = 1 + rng.below(8);
    if (rng.chance(0.05)) host.instance.startup_delay = rng.between(1s, 3s);
    if (rng.chance(0.3)) host.instance.announce_refresh = 5s;
    return host;
}

/// Now and then the first host owns the address: it is the one of its interface, and the others only stand by for it.
void draw_owner(Rng& rng, std::vector<HostOptions>& hosts) {
    if (!rng.chance(0.06)) return;
    for (auto& host : hosts)
        host.instance.addresses = {*parse_prefix("192.0.2.201/24")};
    hosts[0].instance.priority = owner_priority;
}

/// Now and then the router takes a route, a rule and unadvertised addresses along. No fault touches these, so they are no reason
/// for a state edge.
void draw_extras(Rng& rng, std::vector<HostOptions>& hosts) {
    if (!rng.chance(0.3)) return;
    for (auto& host : hosts) {
        host.instance.routes = {{.to = *parse_prefix("10.1.0.0/16")}};
        host.instance.routes[0].via = IpAddress::v4(192, 0, 2, 254);
        host.instance.routes[0].track = false;
        host.instance.rules = {{.priority = 1000, .table = 100, .track = false}};
    }
}

/// Now and then the router is one member of a sync group, the others on VRIDs of their own, with priorities of their own.
void draw_group(Rng& rng, std::vector<HostOptions>& hosts) {
    if (hosts[0].instance.is_owner() || !rng.chance(0.15)) return;
    const auto more = 1 + rng.below(3);
    for (auto& host : hosts)
        for (std::size_t i = 0; i < more; ++i) {
            auto member = host.instance;
            member.name = fmt::format("web{}", i + 2);
            member.vrid = Vrid{static_cast<std::uint8_t>(8 + i)};
            member.addresses = {*parse_prefix(fmt::format("192.0.2.{}/24", i + 11))};
            if (rng.chance(0.3)) member.priority = Priority{static_cast<std::uint8_t>(60 + rng.below(150))};
            if (rng.chance(0.5)) member.track.clear();
            host.partners.push_back(std::move(member));
        }
}

/// Now and then the router has a virtual MAC; all hosts agree about it, as they must.
void draw_virtual_mac(Rng& rng, std::vector<HostOptions>& hosts) {
    if (hosts[0].instance.is_owner() || !rng.chance(0.15)) return;
    model::VirtualMac mac;
    if (rng.chance(0.3)) mac.adverts_from = model::AdvertsFrom::parent;
    for (auto& host : hosts) {
        host.instance.virtual_mac = mac;
        for (auto& partner : host.partners)
            partner.virtual_mac = mac;
    }
}

/// And some of these share the interface's own, so the client never learns another one.
void make_ipvlan(std::vector<HostOptions>& hosts) {
    const auto change = [](model::Instance& instance) {
        if (instance.virtual_mac) instance.ipvlan.emplace();
        instance.virtual_mac.reset();
    };
    for (auto& host : hosts) {
        change(host.instance);
        std::ranges::for_each(host.partners, change);
    }
}

Duration draw_duration(Rng& rng, FaultKind kind, Duration interval) {
    switch (kind) {
    case FaultKind::restart:
    case FaultKind::kill: return rng.chance(0.5) ? rng.between(interval / 10, 3 * interval) : rng.between(1s, 8s);
    case FaultKind::pause: return rng.chance(0.5) ? rng.between(interval / 2, 4 * interval) : rng.between(1s, 9s);
    default: return rng.between(100ms, 8s);
    }
}

/// Now and then operators have a schedule of announcements of their own, or a pace; hosts need not agree about either.
void draw_announcements(Rng& rng, std::vector<HostOptions>& hosts) {
    if (!rng.chance(0.25)) return;
    for (auto& host : hosts) {
        model::Instance wish;
        if (rng.chance(0.5)) wish.announce_delay = rng.between(200ms, 4s);
        if (rng.chance(0.5)) wish.announce_repeat = static_cast<unsigned>(1 + rng.below(3));
        if (rng.chance(0.3)) wish.announce_refresh_repeat = static_cast<unsigned>(1 + rng.below(3));
        if (rng.chance(0.5)) wish.announce_lower_delay = rng.between(100ms, 4s);
        if (rng.chance(0.5)) wish.announce_lower_repeat = static_cast<unsigned>(1 + rng.below(3));
        if (rng.chance(0.3)) wish.announce_interval = rng.between(1ms, 60ms);
        if (rng.chance(0.2)) host.announce_groups = {{"uplinks", {"eth0", "eth1"}, rng.between(1ms, 60ms)}};
        const auto set = [&](model::Instance& instance) {
            instance.announce_delay = wish.announce_delay;
            instance.announce_repeat = wish.announce_repeat;
            instance.announce_refresh_repeat = wish.announce_refresh_repeat;
            instance.announce_lower_delay = wish.announce_lower_delay;
            instance.announce_lower_repeat = wish.announce_lower_repeat;
            instance.announce_interval = wish.announce_interval;
        };
        set(host.instance);
        std::ranges::for_each(host.partners, set);
    }
}

/// Now and then trackers weigh something else than the usual, among it more than the priority has.
void draw_weights(Rng& rng, std::vector<HostOptions>& hosts) {
    if (hosts[0].instance.is_owner() || !rng.chance(0.2)) return;
    for (auto& host : hosts)
        for (auto& use : host.instance.track)
            if (rng.chance(0.5)) use.weight = (rng.chance(0.3) ? 1 : -1) * static_cast<int>(1 + rng.below(253));
}

/// Now and then adverts are signed. Every host knows both keys all the time, so the one that signs may be changed at any time
/// and nobody may notice; and wall clocks step, which may cut a host off for as long as its clock is wrong, and no longer.
void draw_signatures(Rng& rng, Schedule& schedule) {
    if (!rng.chance(0.1)) return;
    model::HmacAuthentication hmac{.keys = {{1, Bytes(32, 1)}, {2, Bytes(32, 2)}}, .active_key = 1};
    const bool clocks_step = rng.chance(0.5);
    if (!clocks_step && rng.chance(0.3))
        hmac.anti_replay = model::AntiReplay::monotonic; // it trusts its clock for ever
    for (auto& host : schedule.hosts) {
        host.instance.authentication = hmac;
        for (auto& partner : host.partners)
            partner.authentication = hmac;
    }
    for (auto more = 1 + rng.below(4); more > 0; --more) {
        Fault fault{.kind = clocks_step && rng.chance(0.5) ? FaultKind::wall : FaultKind::rekey,
                    .at = rng.between(0s, schedule.storm)};
        fault.lasts = rng.between(100ms, 8s);
        fault.host = rng.below(schedule.hosts.size());
        fault.other = (fault.host + 1) % schedule.hosts.size();
        fault.value = static_cast<unsigned>(rng.below(10'000));
        if (fault.kind == FaultKind::wall) schedule.settle = 36s; // a host that was cut off announces like one that was
        schedule.faults.push_back(fault);
    }
}

/// A stranger's interval is believed up to four times our own (N10), and waited for three times and a skew before our own counts
/// again. So much longer it takes until the best router must be master.
Duration time_to_settle(const Schedule& schedule, Duration interval) {
    const auto is = [](FaultKind kind) { return [kind](const Fault& fault) { return fault.kind == kind; }; };
    if (std::ranges::none_of(schedule.faults, is(FaultKind::stranger))) return schedule.settle;
    const bool was_longer = std::ranges::any_of(schedule.faults, is(FaultKind::interval));
    const Duration learnt = 4 * (was_longer ? 4 : 1) * interval;
    return std::max(schedule.settle, 4 * learnt + 4 * interval + 2s);
}

} // namespace

Schedule draw(std::uint64_t seed) {
    Rng rng{seed * 0x2545f4914f6cdd1dU + 1};
    Schedule schedule;
    schedule.seed = seed;
    const auto interval = draw_interval(rng);
    const bool preempt = !rng.chance(0.2), version_2 = interval == 1s && rng.chance(0.1);
    const auto count = 2 + rng.below(3);
    for (std::size_t i = 0; i < count; ++i)
        schedule.hosts.push_back(draw_host(rng, i, interval, preempt, version_2));
    draw_owner(rng, schedule.hosts);
    draw_group(rng, schedule.hosts);
    draw_extras(rng, schedule.hosts);
    if (rng.chance(0.4)) schedule.wire.loss = rng.unit() * 0.3;
    if (rng.chance(0.3)) schedule.wire.duplicate = rng.unit() * 0.3;
    if (rng.chance(0.3)) schedule.wire.delay_max = rng.between(1ms, interval / 4);
    std::vector<FaultKind> present; // swarm: each seed has its own few kinds of faults
    for (std::size_t kind = 0; kind < kinds_of_any_router; ++kind)
        if (rng.chance(0.2)) present.push_back(static_cast<FaultKind>(kind));
    if (present.empty()) present.push_back(FaultKind::kill);
    const auto faults = 1 + rng.below(10);
    for (std::uint64_t i = 0; i < faults; ++i) {
        Fault fault{.kind = present[rng.below(present.size())], .at = rng.between(0s, schedule.storm)};
        fault.lasts = draw_duration(rng, fault.kind, interval);
        fault.host = rng.below(count);
        fault.other = (fault.host + 1 + rng.below(count - 1)) % count;
        fault.value = static_cast<unsigned>(rng.below(10'000));
        // When the last advert of a short second master is not heard, only the periodic announcement (30 s) mends the client.
        if (fault.kind == FaultKind::deafen || fault.kind == FaultKind::cut || fault.kind == FaultKind::client ||
            fault.kind == FaultKind::mute || schedule.wire.loss > 0)
            schedule.settle = 36s;
        schedule.faults.push_back(fault);
    }
    draw_virtual_mac(rng, schedule.hosts);
    if (seed % 3 == 0) make_ipvlan(schedule.hosts);
    draw_announcements(rng, schedule.hosts);
    draw_weights(rng, schedule.hosts);
    draw_signatures(rng, schedule);
    schedule.settle = time_to_settle(schedule, interval);
    return schedule;
}

} // namespace holdfast::sim
