#include "schedule.hpp"

#include "engine/print.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::sim {
namespace {

constexpr std::array kind_names{"kill",    "reboot", "stop",    "pause",    "link",     "interface", "cut",
                                "deafen",  "erase",  "refuse",  "tracker",  "failover", "priority",  "stranger",
                                "damaged", "crash",  "slow",    "interval", "same",     "reflect",   "unknown",
                                "source",  "lost",   "foreign", "client",   "mute"};
constexpr std::size_t kinds = kind_names.size();

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

Duration draw_duration(Rng& rng, FaultKind kind, Duration interval) {
    switch (kind) {
    case FaultKind::kill: return rng.chance(0.5) ? rng.between(interval / 10, 3 * interval) : rng.between(1s, 8s);
    case FaultKind::pause: return rng.chance(0.5) ? rng.between(interval / 2, 4 * interval) : rng.between(1s, 9s);
    default: return rng.between(100ms, 8s);
    }
}

/// Carries one fault out on a world, and its end.
class Injector {
  public:
    Injector(World& world, const Fault& fault, const HostOptions& original)
        : world_{world}, fault_{fault}, original_{original} {}

    void begin() const {
        auto& host = *world_.hosts[fault_.host];
        const bool owner = original_.instance.is_owner(); // its address is the interface's own, its priority is fixed
        if (owner && (fault_.kind == FaultKind::erase || fault_.kind == FaultKind::priority)) return;
        switch (fault_.kind) {
        case FaultKind::kill: world_.kill(fault_.host); break;
        case FaultKind::reboot: world_.reboot(fault_.host); break;
        case FaultKind::stop: world_.stop(fault_.host); break;
        case FaultKind::pause: world_.pause(fault_.host, fault_.lasts); break;
        case FaultKind::link: world_.set_link(fault_.host, false); break;
        case FaultKind::interface: world_.remove_link(fault_.host, false); break;
        case FaultKind::cut: world_.cut(fault_.host, fault_.other); break;
        case FaultKind::deafen: world_.cut(fault_.other, fault_.host, false); break;
        case FaultKind::erase:
            if (!host.kernel.macvlans.empty() && fault_.value % 2)
                world_.delete_macvlan(fault_.host);
            else
                world_.delete_address(fault_.host, host.options.instance.addresses[0]);
            break;
        case FaultKind::refuse: world_.refuse(fault_.host, true); break;
        case FaultKind::tracker: world_.observe(fault_.host, tracker(), engine::Observation::down); break;
        case FaultKind::failover:
            world_.failover(fault_.host, fault_.value % 2 ? std::optional{fault_.lasts} : std::nullopt);
            break;
        case FaultKind::priority: {
            auto instance = host.options.instance;
            instance.priority = Priority{static_cast<std::uint8_t>(1 + fault_.value % 254)};
            world_.reload(fault_.host, instance);
            break;
        }
        case FaultKind::crash: world_.kill_between_actions(fault_.host, fault_.value % 8); break;
        case FaultKind::slow: world_.slow_down(fault_.host, 50ms + Duration{1ms} * (fault_.value % 2000)); break;
        case FaultKind::interval: set_interval(original_.instance.advert_interval * (1 + fault_.value % 4)); break;
        case FaultKind::same: world_.reload(fault_.host, host.options.instance); break;
        case FaultKind::reflect: reflect(); break;
        case FaultKind::unknown: world_.observe(fault_.host, tracker(), engine::Observation::unknown); break;
        case FaultKind::source: world_.delete_address(fault_.host, own_prefix()); break;
        case FaultKind::lost: world_.lose_news(fault_.host); break;
        case FaultKind::foreign:
            if (!host.kernel.addresses.contains(vip()) && !original_.instance.virtual_mac)
                world_.add_foreign(fault_.host, vip());
            break;
        case FaultKind::client: world_.client_cuts.insert(fault_.host); break;
        case FaultKind::mute: world_.cut_vrid(fault_.host, fault_.other, muted()); break;
        case FaultKind::stranger: stranger(false); break;
        case FaultKind::damaged: stranger(true); break;
        }
    }

    /// Also called for every fault when the storm is over.
    void end() const {
        auto& host = *world_.hosts[fault_.host];
        switch (fault_.kind) {
        case FaultKind::crash: host.dies_in.reset(); [[fallthrough]];
        case FaultKind::kill:
        case FaultKind::reboot:
        case FaultKind::stop: world_.start(fault_.host); break;
        case FaultKind::link:
            if (!host.kernel.link_up) world_.set_link(fault_.host, true);
            break;
        case FaultKind::interface:
            if (!host.kernel.link_exists) world_.remove_link(fault_.host, true);
            break;
        case FaultKind::cut:
            world_.cuts.erase({fault_.host, fault_.other});
            world_.cuts.erase({fault_.other, fault_.host});
            break;
        case FaultKind::deafen: world_.cuts.erase({fault_.other, fault_.host}); break;
        case FaultKind::refuse: world_.refuse(fault_.host, false); break;
        case FaultKind::tracker: world_.observe(fault_.host, tracker(), engine::Observation::up); break;
        case FaultKind::slow: world_.slow_down(fault_.host, original_.kernel_delay); break;
        case FaultKind::interval: set_interval(original_.instance.advert_interval); break;
        case FaultKind::unknown: world_.observe(fault_.host, tracker(), engine::Observation::up); break;
        case FaultKind::source:
            if (!host.kernel.addresses.contains(own_prefix())) world_.add_foreign(fault_.host, own_prefix());
            break;
        case FaultKind::foreign:
            if (const auto at = host.kernel.addresses.find(vip());
                at != host.kernel.addresses.end() && !at->second.ours)
                world_.delete_address(fault_.host, vip());
            break;
        case FaultKind::client: world_.client_cuts.erase(fault_.host); break;
        case FaultKind::mute:
            world_.vrid_cuts.erase({fault_.host, fault_.other, muted()});
            world_.vrid_cuts.erase({fault_.other, fault_.host, muted()});
            break;
        default: break;
        }
    }

  private:
    /// Of one member, or of the router if it is alone.
    Vrid muted() const { return Vrid{static_cast<std::uint8_t>(7 + fault_.value % (1 + original_.partners.size()))}; }
    std::string tracker() const { return fault_.value % 2 ? "nginx" : "page"; }
    Prefix vip() const { return original_.instance.addresses[0]; }
    Prefix own_prefix() const { return {world_.hosts[fault_.host]->source, 24}; }

    void set_interval(Duration interval) const {
        auto instance = world_.hosts[fault_.host]->options.instance;
        if (instance.version == model::Version::v2 || instance.advert_interval == interval) return;
        instance.advert_interval = interval;
        world_.reload(fault_.host, instance);
    }

    /// A switch that sends our packets back to us.
    void reflect() const {
        const auto& host = *world_.hosts[fault_.host];
        const wire::Advert advert{.version = static_cast<std::uint8_t>(host.options.instance.version),
                                  .vrid = Vrid{7},
                                  .priority = Priority{static_cast<std::uint8_t>(fault_.value % 255)},
                                  .interval = host.options.instance.advert_interval,
                                  .addresses = {vip().address}};
        world_.inject(fault_.host, host.source, wire::encode(advert, host.source, vrrp_group(Family::ipv4)), 255);
    }

    void stranger(bool damage) const {
        const auto& host = *world_.hosts[fault_.host];
        wire::Advert advert{.version = static_cast<std::uint8_t>(host.options.instance.version),
                            .vrid = Vrid{7},
                            .priority =
                                Priority{static_cast<std::uint8_t>(fault_.value % 5 == 0 ? 0 : 1 + fault_.value % 254)},
                            .interval = host.options.instance.advert_interval * (fault_.value % 3 == 0 ? 30 : 1),
                            .addresses = {host.options.instance.addresses[0].address}};
        const auto source = IpAddress::v4(192, 0, 2, 99);
        auto bytes = wire::encode(advert, source, vrrp_group(Family::ipv4));
        if (damage) bytes[fault_.value % bytes.size()] ^= static_cast<std::uint8_t>(1 + fault_.value % 255);
        world_.inject(fault_.host, source, bytes, damage && fault_.value % 7 == 0 ? 254 : 255);
    }

    World& world_;
    const Fault& fault_;
    const HostOptions& original_;
};

void print(const Turn& turn) {
    std::string actions;
    for (const auto& action : turn.actions)
        actions += "  " + engine::to_string(action);
    const auto& host = *turn.world.hosts[turn.host];
    const auto since = turn.world.now() - Time{std::chrono::hours{1}};
    fmt::print("{:9.4f} {} {:7} <- {}{}\n", static_cast<double>(since.count()) / 1e9, host.options.name,
               host.router() ? vrrp::name(host.router()->state) : "gone", engine::to_string(turn.event), actions);
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
    for (std::size_t kind = 0; kind < kinds; ++kind)
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
    draw_virtual_mac(rng, schedule.hosts); // last, so that the seeds from before keep their faults
    return schedule;
}

Outcome run(const Schedule& schedule, bool trace) {
    World world{schedule.seed, schedule.wire};
    for (const auto& host : schedule.hosts)
        world.add(host);
    Monitors monitors{world};
    world.on_turn = [&](const Turn& turn) {
        if (trace) print(turn);
        monitors.after_turn(turn);
    };
    for (std::size_t i = 0; i < world.hosts.size(); ++i)
        world.at(Duration{static_cast<Duration::rep>(i) * 7'000'000}, [&world, i] { world.start(i); });
    for (const auto& fault : schedule.faults) {
        world.at(fault.at, [&world, &fault, &schedule] { Injector{world, fault, schedule.hosts[fault.host]}.begin(); });
        world.at(fault.at + fault.lasts,
                 [&world, &fault, &schedule] { Injector{world, fault, schedule.hosts[fault.host]}.end(); });
    }
    constexpr Duration step = 500ms;
    const auto run_watched = [&](Duration duration) {
        for (Duration done{0}; done < duration && !monitors.violation(); done += step) {
            world.run(step);
            monitors.sample();
        }
    };
    run_watched(schedule.storm);
    // Everything heals; faults whose end lay beyond the storm end now, and their later end changes nothing.
    for (const auto& fault : schedule.faults)
        Injector{world, fault, schedule.hosts[fault.host]}.end();
    world.heal();
    world.wire = {};
    for (std::size_t i = 0; i < world.hosts.size(); ++i)
        world.start(i);
    run_watched(schedule.settle / 2);
    const auto edges = monitors.edges();
    run_watched(schedule.settle / 2);
    monitors.after_settling(edges);
    return {monitors.violation(), world.events, world.trace_hash, std::move(monitors.coverage)};
}

Schedule shrink(const Schedule& original) {
    auto best = original;
    const auto wanted = run(best).violation->monitor;
    const auto still_fails = [&](const Schedule& candidate) {
        const auto outcome = run(candidate);
        return outcome.violation && outcome.violation->monitor == wanted;
    };
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (std::size_t i = 0; i < best.faults.size(); ++i) {
            auto candidate = best;
            candidate.faults.erase(candidate.faults.begin() + static_cast<std::ptrdiff_t>(i));
            if (!still_fails(candidate)) continue;
            best = std::move(candidate);
            smaller = true;
            break;
        }
    }
    auto calm = best;
    calm.wire = {};
    if (still_fails(calm)) best = std::move(calm);
    return best;
}

std::string to_string(const Schedule& schedule) {
    auto text = fmt::format("seed {}: loss {:.2f} duplicate {:.2f} delay {}..{}\n", schedule.seed, schedule.wire.loss,
                            schedule.wire.duplicate, holdfast::to_string(schedule.wire.delay_min),
                            holdfast::to_string(schedule.wire.delay_max));
    for (const auto& host : schedule.hosts) {
        text +=
            fmt::format("  router {} priority={} interval={} version={} preempt={} preempt_delay={} prompt={} lease={} "
                        "addresses={} virtual_mac={} kernel={}\n",
                        host.name, host.instance.priority.value, holdfast::to_string(host.instance.advert_interval),
                        static_cast<int>(host.instance.version), host.instance.preempt,
                        holdfast::to_string(host.instance.preempt_delay), host.instance.prompt, host.instance.lease.on,
                        host.instance.addresses.size(), host.instance.virtual_mac.has_value(),
                        holdfast::to_string(host.kernel_delay));
        for (const auto& member : host.partners)
            text += fmt::format("    + {} priority={}{}\n", member.name, member.priority.value,
                                member.track.empty() ? "" : " with trackers");
    }
    for (const auto& fault : schedule.faults)
        text +=
            fmt::format("  at {} {} r{} (other r{}, value {}) for {}\n",
                        holdfast::to_string(std::chrono::round<std::chrono::milliseconds>(fault.at)),
                        kind_names[static_cast<std::size_t>(fault.kind)], fault.host + 1, fault.other + 1, fault.value,
                        holdfast::to_string(std::chrono::round<std::chrono::milliseconds>(fault.lasts)));
    return text;
}

} // namespace holdfast::sim
