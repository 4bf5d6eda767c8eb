#include "world.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"

#include <algorithm>
#include <cerrno>

namespace holdfast::sim {
namespace {

model::Group edge_group(const std::vector<model::Instance>& members) {
    model::Group group{.name = "edge"};
    for (const auto& member : members)
        group.instances.push_back(member.name);
    return group;
}

} // namespace

std::size_t World::add(HostOptions options) {
    auto host = std::make_unique<Host>();
    const auto number = static_cast<std::uint8_t>(hosts.size() + 1);
    host->source = options.instance.family == Family::ipv4
                       ? IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(200 + number))
                       : IpAddress{Family::ipv6, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number}};
    host->mac.bytes = {2, 0, 0, 0, 0, number};
    host->kernel
        .addresses[{host->source, options.instance.family == Family::ipv4 ? std::uint8_t{24} : std::uint8_t{64}}] = {};
    auto config = std::make_shared<model::Config>();
    config->node_name = options.name;
    config->instances = {options.instance};
    config->instances.insert(config->instances.end(), options.partners.begin(), options.partners.end());
    if (!options.partners.empty()) config->groups = {edge_group(config->instances)};
    config->trackers = options.trackers;
    config->announce_groups = options.announce_groups;
    host->config = std::move(config);
    host->options = std::move(options);
    hosts.push_back(std::move(host));
    return hosts.size() - 1;
}

// ---- clocks -----------------------------------------------------------------------------------------------------------

Time World::local_now(const Host& host) const {
    const auto since = now_.time_since_epoch();
    return now_ + since * host.options.drift_ppm / 1'000'000 + host.options.clock_offset;
}

Time World::true_time(const Host& host, Time local) const {
    if (local == never) return never;
    const auto ahead = local - local_now(host);
    // Rounded up by a nanosecond: a timer must not fire before its time on the host's own clock.
    return now_ + std::max(ahead, Duration{0}) * 1'000'000 / (1'000'000 + host.options.drift_ppm) + 1ns;
}

// ---- lives ------------------------------------------------------------------------------------------------------------

void World::start(std::size_t index) {
    auto& host = *hosts[index];
    if (host.engine) return;
    host.engine = std::make_unique<engine::Engine>();
    ++host.life;
    host.stopped = false;
    host.listening.clear();
    host.is_listing = false;
    host.disturbed = now_;
    auto record = host.record;
    for (auto& router : record.routers)
        if (const auto at = host.last_advert.find(router.name); at != host.last_advert.end())
            router.last_advert = BootTime{at->second.time_since_epoch()};
    for (auto& router : record.routers)
        if (const auto at = host.last_sequence.find(router.name); at != host.last_sequence.end())
            router.sequence = at->second;
    host.in_flight.clear();
    host.others_in_flight = 0;
    host.recovered_interval = record.routers.empty() ? Duration{} : record.routers.front().interval;
    if (!record.routers.empty()) turn(index, engine::Recovered{record, BootTime{now_.time_since_epoch()}});
    const auto life = host.life;
    turn(index, wall_clock(host));
    turn(index, engine::ConfigLoaded{host.config});
    if (host.life != life) return;
    if (host.options.list_delay == Duration::zero())
        turn(index, list(host));
    else
        ask_for_list(index);
    for (const auto& tracker : host.options.trackers) {
        if (host.life != life) return;
        if (std::holds_alternative<model::RouteTracker>(tracker.kind)) continue; // the engine sees routes itself
        const auto known = host.observed.find(tracker.name);
        turn(index, engine::TrackerObserved{tracker.name,
                                            known == host.observed.end() ? engine::Observation::up : known->second,
                                            "seen", false});
    }
}

void World::kill(std::size_t index) {
    auto& host = *hosts[index];
    host.engine.reset();
    ++host.life;
    host.queue.clear();
    host.held_news.clear();
    host.dies_in.reset();
    host.wire_queue.clear();
    host.overflowed = false;
    host.paused_until.reset();
}

void World::reboot(std::size_t index) {
    kill(index);
    auto& host = *hosts[index];
    std::erase_if(host.kernel.addresses, [](const auto& entry) { return entry.second.ours; });
    host.kernel.routes.clear();
    host.kernel.rules.clear();
    host.kernel.macvlans.clear();
    host.kernel.arp = {};
    host.kernel.refused.clear();
    host.record = {};
    host.last_advert.clear();
    host.last_sequence.clear();
}

void World::stop(std::size_t index) {
    if (hosts[index]->engine) deliver(index, engine::StopRequested{});
}

void World::restart(std::size_t index, Duration takes) {
    if (hosts[index]->engine) deliver(index, engine::StopRequested{.returns = true, .takes = takes});
}

void World::pause(std::size_t index, Duration duration) {
    auto& host = *hosts[index];
    if (!host.engine || host.paused_until) return;
    host.paused_until = now_ + duration;
    host.executor_wakes_first = rng.chance(0.5);
    schedule(now_ + duration, [this, index, life = host.life] {
        if (hosts[index]->life == life) resume(index);
    });
}

/// Woken late: the clock is read, the receive queues are drained, and only then timers are looked at.
void World::resume(std::size_t index) {
    auto& host = *hosts[index];
    host.paused_until.reset();
    host.disturbed = now_;
    auto wire_waiting = std::exchange(host.wire_queue, {});
    auto waiting = std::exchange(host.queue, {});
    const auto life = host.life;
    if (std::exchange(host.overflowed, false)) turn(index, engine::QueueOverflowed{host.kernel.link});
    for (auto* queue : {&wire_waiting, &waiting})
        for (const auto& event : *queue)
            if (host.life == life) turn(index, event);
    if (host.life == life && host.engine->next_deadline() <= local_now(host)) turn(index, engine::Elapsed{});
}

// ---- turns ------------------------------------------------------------------------------------------------------------

void World::deliver(std::size_t index, engine::Event event, bool from_wire) {
    auto& host = *hosts[index];
    if (!host.engine) return;
    if (!host.paused_until) return turn(index, event);
    if (!from_wire) {
        host.queue.push_back(std::move(event));
    } else if (host.wire_queue.size() < host.options.wire_queue) {
        host.wire_queue.push_back(std::move(event));
    } else {
        host.overflowed = true;
    }
}

void World::turn(std::size_t index, const engine::Event& event) {
    auto& host = *hosts[index];
    ++events;
    const auto now = local_now(host);
    const auto* router = host.router();
    const vrrp::State before = router ? router->state : vrrp::State{};
    const auto heard_before = router ? router->counters.adverts_received : 0;
    std::map<std::string, vrrp::State> partners_before;
    if (!host.options.partners.empty())
        for (const auto& each : host.engine->routers())
            if (each && each.get() != router) partners_before[each->name()] = each->state;
    engine::Actions actions;
    host.engine->on(event, now, actions);
    trace_hash = (trace_hash ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ (event.index() << 8) ^
                  actions.size()) *
                 0x100000001b3U;
    router = host.router();
    const bool counted = router && router->counters.adverts_received > heard_before;
    if (on_turn) on_turn({*this, index, event, actions, before, partners_before, now, counted});
    const auto life = host.life;
    for (const auto& action : actions) {
        if (host.dies_in && (*host.dies_in)-- == 0) return kill(index);
        perform(index, action);
        if (host.life != life) return;
    }
    if (host.engine->record_changed()) {
        auto written = engine::decode_record(encode(host.engine->record()));
        HF_ASSERT(written);
        host.record = std::move(*written);
    }
    rearm(index);
}

void World::rearm(std::size_t index) {
    auto& host = *hosts[index];
    if (!host.engine) return;
    const auto deadline = host.engine->next_deadline();
    if (deadline == host.wake_at && deadline > local_now(host)) return;
    host.wake_at = deadline;
    const auto number = ++host.wake_number;
    if (deadline == never) return;
    schedule(true_time(host, deadline), [this, index, number, life = host.life] {
        auto& woken = *hosts[index];
        if (woken.life != life || woken.wake_number != number || woken.paused_until || !woken.engine) return;
        woken.wake_at = never;
        turn(index, engine::Elapsed{});
    });
}

void World::perform(std::size_t index, const engine::Action& any) {
    auto& host = *hosts[index];
    const auto later = [&](Duration after, engine::Event event) {
        schedule(now_ + after, [this, index, life = host.life, event = std::move(event)]() mutable {
            if (hosts[index]->life == life) deliver(index, std::move(event));
        });
    };
    std::visit(Overloaded{
                   [&](const engine::SendAdvert& advert) {
                       const auto& name = host.engine->routers()[advert.router]->name();
                       if (advert.sequence != 0) host.last_sequence[name] = advert.sequence;
                       if (records) recorded.push_back(advert);
                       if (advert.priority != leaving_priority) host.last_advert[name] = now_;
                       for (int copy = 0; copy < advert.copies; ++copy)
                           broadcast(index, advert);
                   },
                   [&](const engine::Announce& action) { announce(index, action); },
                   [&](const engine::Listen& action) { listen(index, action); },
                   [&](const engine::Unlisten& action) { host.listening.erase({action.link, action.family}); },
                   [&](const engine::Operation& operation) { operate(index, operation); },
                   [&](const engine::ListKernel&) { ask_for_list(index); },
                   [](const engine::WatchRoutes&) {}, // everything is told here
                   [&](const engine::SetFilter& wish) {
                       const bool works = !host.kernel.refuses;
                       if (works) host.kernel.refused = wish.refused;
                       later(host.options.kernel_delay,
                             engine::FilterDone{wish.id, works ? "" : "there is no nft program: install nftables"});
                   },
                   [&](const engine::Finished&) {
                       host.stopped = true;
                       host.record = host.engine->record();
                       kill(index);
                   },
                   [](const auto&) {},
               },
               any);
}

/// A socket is bound to an interface, and deaf when that one goes.
void World::listen(std::size_t index, const engine::Listen& wish) {
    auto& host = *hosts[index];
    const auto& kernel = host.kernel;
    const bool there = (kernel.link_exists && wish.link == kernel.link) || kernel.macvlans.contains(wish.link);
    if (there) host.listening.insert({wish.link, wish.family});
    schedule(now_ + host.options.kernel_delay, [this, index, wish, there, life = host.life] {
        if (hosts[index]->life == life) deliver(index, engine::ListenDone{wish.link, wish.family, there ? 0 : ENODEV});
    });
}

bool World::hears(const Host& host) {
    return host.kernel.link_exists && host.kernel.link_up &&
           host.listening.contains({host.kernel.link, host.options.instance.family});
}

// ---- the wire -----------------------------------------------------------------------------------------------------------

void World::inject(std::size_t index, const IpAddress& source, const Bytes& message, std::uint8_t hop_limit,
                   const std::optional<IpAddress>& destination) {
    const wire::Packet packet{source, destination.value_or(vrrp_group(source.family)), hop_limit, message};
    const auto link = hosts[index]->kernel.link;
    auto advert = wire::decode_signed(packet);
    if (advert)
        deliver(index,
                engine::AdvertReceived{link, source, packet.destination, std::move(advert->advert), hop_limit,
                                       std::move(advert->proof)},
                true);
    else
        deliver(index,
                engine::AdvertRejected{link, source, packet.destination, wire::peek_vrid(message), advert.error()},
                true);
}

void World::inject_ah(std::size_t index, const IpAddress& source, const Bytes& packet) {
    auto parsed = wire::parse_ah(packet);
    HF_ASSERT(parsed);
    auto advert = wire::decode(parsed->packet);
    HF_ASSERT(advert);
    const auto& destination = parsed->packet.destination;
    deliver(index,
            engine::AdvertReceived{hosts[index]->kernel.link, source, destination, std::move(*advert), 255,
                                   std::move(parsed->proof)},
            true);
}

void World::arrive(std::size_t to, const engine::SendAdvert& advert) {
    if (advert.has_ip_header)
        inject_ah(to, advert.source, *advert.message);
    else
        inject(to, advert.source, *advert.message, advert.hop_limit, advert.destination);
}

void World::replay(std::size_t index) {
    for (const auto& advert : recorded)
        arrive(index, advert);
}

/// Wall clocks agree, but for the steps that a test makes.
engine::WallClockSet World::wall_clock(const Host& host) const {
    return {sim_epoch + now_.time_since_epoch() + host.wall_step - local_now(host).time_since_epoch()};
}

void World::step_wall_clock(std::size_t index, Duration off) {
    hosts[index]->wall_step = off;
    clocks_stepped = clocks_stepped || off != Duration::zero();
    deliver(index, wall_clock(*hosts[index]));
}

void World::broadcast(std::size_t from, const engine::SendAdvert& advert) {
    const auto& kernel = hosts[from]->kernel;
    if (!kernel.link_up || !kernel.link_exists || advert.link != kernel.link) return;
    if (advert.from_mac) switch_port[*advert.from_mac] = from;
    constexpr std::size_t headers = 20 + 24; // IPv4 and authentication header
    const Vrid vrid{(*advert.message)[advert.has_ip_header ? headers + 1 : 1]};
    for (std::size_t to = 0; to < hosts.size(); ++to) {
        if (to == from || cuts.contains({from, to}) || vrid_cuts.contains({from, to, vrid}) || rng.chance(wire.loss))
            continue;
        if (!advert.destination.is_multicast() && advert.destination != hosts[to]->source) continue;
        const int copies = rng.chance(wire.duplicate) ? 2 : 1;
        for (int copy = 0; copy < copies; ++copy) {
            const auto& receiver = *hosts[to];
            schedule(now_ + rng.between(wire.delay_min, wire.delay_max),
                     [this, from, to, life = receiver.life, advert] {
                         auto& host = *hosts[to];
                         if (host.life == life && hears(host) && !cuts.contains({from, to})) arrive(to, advert);
                     });
        }
    }
}

/// The client sits at the switch: it hears everybody whose link is up.
void World::announce(std::size_t from, const engine::Announce& action) {
    const auto& kernel = hosts[from]->kernel;
    if (!kernel.link_up || !kernel.link_exists || action.link != kernel.link) return;
    const auto& announcement = action.announcement;
    switch_port[announcement.mac] = from;
    if (!client_cuts.contains(from) && !rng.chance(wire.loss))
        schedule(now_ + wire.delay_min,
                 [this, announcement] { client_cache[announcement.address] = announcement.mac; });
    for (std::size_t to = 0; to < hosts.size(); ++to) {
        if (to == from || cuts.contains({from, to}) || rng.chance(wire.loss)) continue;
        schedule(now_ + rng.between(wire.delay_min, wire.delay_max), [this, to, announcement, life = hosts[to]->life] {
            auto& host = *hosts[to];
            if (host.life == life && hears(host))
                deliver(to, engine::AnnouncementSeen{host.kernel.link, announcement}, true);
        });
    }
}

// ---- people -------------------------------------------------------------------------------------------------------------

void World::observe(std::size_t index, const std::string& tracker, engine::Observation observation) {
    hosts[index]->observed[tracker] = observation;
    deliver(index, engine::TrackerObserved{tracker, observation, observation == engine::Observation::up ? "up" : "gone",
                                           false});
}

void World::maintain(std::size_t index, std::optional<std::string> reason) {
    deliver(index, engine::MaintenanceSet{std::move(reason)});
}

void World::command(std::size_t index, decltype(engine::InstanceCommand::what) what) {
    deliver(index, engine::Commanded{sequence_, {hosts[index]->options.instance.name, what}});
}

void World::failover(std::size_t index, std::optional<Duration> hold) {
    command(index, engine::Failover{hold});
}

void World::reload(std::size_t index, const model::Instance& instance) {
    auto& host = *hosts[index];
    auto config = std::make_shared<model::Config>(*host.config);
    *std::ranges::find(config->instances, instance.name, &model::Instance::name) = instance;
    host.config = config;
    if (instance.name == host.options.instance.name) host.options.instance = instance;
    deliver(index, engine::ConfigLoaded{host.config});
}

void World::run(Duration duration) {
    const auto end = now_ + duration;
    while (!heap_.empty() && heap_.top().when <= end) {
        auto entry = std::move(const_cast<Entry&>(heap_.top())); // NOLINT: popped at once
        heap_.pop();
        now_ = std::max(now_, entry.when);
        entry.action();
    }
    now_ = end;
}

} // namespace holdfast::sim
