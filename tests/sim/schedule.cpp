#include "schedule.hpp"

#include "engine/print.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::sim {
namespace {

constexpr std::array kind_names{
    "kill",    "reboot",   "stop",     "pause",    "link",    "interface", "cut",     "deafen",   "erase", "refuse",
    "tracker", "failover", "priority", "stranger", "damaged", "crash",     "slow",    "interval", "same",  "reflect",
    "unknown", "source",   "lost",     "foreign",  "client",  "mute",      "restart", "rekey",    "wall"};

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
        case FaultKind::restart: world_.restart(fault_.host); break;
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
            if (!host.kernel.addresses.contains(vip()) && !original_.instance.has_own_link())
                world_.add_foreign(fault_.host, vip());
            break;
        case FaultKind::client: world_.client_cuts.insert(fault_.host); break;
        case FaultKind::mute: world_.cut_vrid(fault_.host, fault_.other, muted()); break;
        case FaultKind::stranger: stranger(false); break;
        case FaultKind::damaged: stranger(true); break;
        case FaultKind::rekey: set_key(2); break;
        case FaultKind::wall: world_.step_wall_clock(fault_.host, wall_step()); break;
        }
    }

    /// Also called for every fault when the storm is over.
    void end() const {
        auto& host = *world_.hosts[fault_.host];
        switch (fault_.kind) {
        case FaultKind::crash: host.dies_in.reset(); [[fallthrough]];
        case FaultKind::kill:
        case FaultKind::reboot:
        case FaultKind::restart:
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
        case FaultKind::rekey: set_key(1); break;
        case FaultKind::wall: world_.step_wall_clock(fault_.host, 0s); break;
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

    /// Of all members: they have one key file.
    void set_key(std::uint8_t id) const {
        const auto& host = *world_.hosts[fault_.host];
        const auto sign = [&](model::Instance instance) {
            if (auto* hmac = instance.authentication ? std::get_if<model::HmacAuthentication>(&*instance.authentication)
                                                     : nullptr)
                hmac->active_key = id;
            return instance;
        };
        for (const auto& instance : std::vector{host.config->instances})
            world_.reload(fault_.host, sign(instance));
    }

    /// Far or near, ahead or behind.
    Duration wall_step() const {
        const Duration size = fault_.value % 3 == 0 ? Duration{1h} : Duration{1ms} * (fault_.value % 10'000);
        return fault_.value % 2 ? -size : size;
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
                        "addresses={} virtual_mac={} ipvlan={} kernel={}\n",
                        host.name, host.instance.priority.value, holdfast::to_string(host.instance.advert_interval),
                        static_cast<int>(host.instance.version), host.instance.preempt,
                        holdfast::to_string(host.instance.preempt_delay), host.instance.prompt, host.instance.lease.on,
                        host.instance.addresses.size(), host.instance.virtual_mac.has_value(),
                        host.instance.ipvlan.has_value(), holdfast::to_string(host.kernel_delay));
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
