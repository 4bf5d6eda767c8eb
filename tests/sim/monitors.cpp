#include "monitors.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::sim {
namespace {

/// What the rules below speak of: an advert that passes the instance's own checks too.
bool acceptable(const Turn& turn, const engine::AdvertReceived& heard, const engine::Router& router) {
    const auto& instance = *router.model;
    if (instance.authentication && !turn.counted) return false; // N9 has what may count
    return heard.source != router.self.address && heard.advert.vrid == instance.vrid &&
           heard.advert.version == static_cast<std::uint8_t>(instance.version) &&
           (instance.version == model::Version::v3 || heard.advert.interval == instance.advert_interval);
}

bool is_master(const vrrp::State& state) {
    return std::holds_alternative<vrrp::Master>(state);
}

std::string_view phase(const vrrp::State& state) {
    if (std::holds_alternative<vrrp::Leaving>(state)) return "leaving";
    if (const auto* backup = std::get_if<vrrp::Backup>(&state); backup && backup->adopting) return "adopting";
    return vrrp::name(state);
}

} // namespace

Monitors::Monitors(World& world) : world_{world} {
    memory_.resize(world.hosts.size());
    oracles_.resize(world.hosts.size());
    newest_.resize(world.hosts.size());
}

void Monitors::fail(const char* monitor, const Turn& turn, const std::string& text) {
    if (violation_) return;
    const auto since = (turn.world.now() - Time{std::chrono::hours{1}}) / 1ms;
    violation_ = {monitor,
                  fmt::format("{} at {} ms on {}: {}", monitor, since, world_.hosts[turn.host]->options.name, text)};
}

void Monitors::after_turn(const Turn& turn) {
    const auto* router = world_.hosts[turn.host]->router();
    auto& memory = memory_[turn.host];
    if (memory.life != world_.hosts[turn.host]->life) {
        memory = {};
        memory.life = world_.hosts[turn.host]->life;
    }
    check_adverts(turn);
    check_pace(turn);
    if (!router) return;
    if (phase(turn.before) != phase(router->state)) {
        ++edges_;
        ++coverage[fmt::format("{} -> {} ({})", phase(turn.before), phase(router->state), vrrp::name(router->reason))];
    }
    check_rejects(turn);
    check_yield(turn);
    check_timers(turn);
    check_told(turn);
    check_preemption(turn);
    check_reload(turn);
    check_lease(turn);
    check_group(turn);
    check_signature(turn);
    if (!world_.hosts[turn.host]->options.partners.empty()) return remember(turn); // the oracle knows one router alone
    if (const auto complaint = oracles_[turn.host].after_turn(turn))
        fail(complaint->monitor.c_str(), turn, complaint->text);
    remember(turn);
}

void Monitors::remember(const Turn& turn) {
    const auto& host = *world_.hosts[turn.host];
    auto& memory = memory_[turn.host];
    const auto holds = [](const auto& router) { return router && vrrp::holds_addresses(router->state); };
    memory.left_holding = std::ranges::any_of(host.engine->routers(), holds) ? std::nullopt
                          : memory.left_holding                              ? memory.left_holding
                                                                             : std::optional{world_.now()};
}

/// N11: after every turn either all members of the group are masters or none is; a fault of one is a fault of all.
void Monitors::check_group(const Turn& turn) {
    const auto& host = *world_.hosts[turn.host];
    if (host.options.partners.empty()) return;
    std::size_t masters = 0, faults = 0, leaving = 0, members = 0;
    for (const auto& router : host.engine->routers()) {
        if (!router || router->retiring) continue;
        ++members;
        masters += is_master(router->state);
        leaving += std::holds_alternative<vrrp::Leaving>(router->state);
        faults += std::holds_alternative<vrrp::Fault>(router->state);
    }
    if (masters > 0 && masters < members)
        fail("N11", turn, fmt::format("{} of {} members are masters", masters, members));
    if (faults > 0 && faults + leaving < members)
        fail("N11", turn, fmt::format("{} of {} members are in fault", faults, members));
    check_group_announcements(turn);
}

/// N16 for a group: whoever pushed one member aside may have told clients of all.
void Monitors::check_group_announcements(const Turn& turn) {
    const auto& host = *world_.hosts[turn.host];
    const auto* router = host.router();
    auto& unheard = memory_[turn.host].unheard;
    if (!is_master(router->state)) return unheard.clear();
    const auto expect = [&](Time due) {
        unheard.expect(host.options.instance, due);
        for (const auto& partner : host.options.partners)
            unheard.expect(partner, due);
    };
    const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
    if (!is_master(turn.before))
        expect(turn.now + patience(host));
    else if (heard && acceptable(turn, *heard, *router) && heard->advert.priority != leaving_priority &&
             heard->advert.priority < router->self.priority)
        expect(turn.now + 1s + patience(host)); // at most one burst a second
    if (const auto late = unheard.after_turn(turn))
        fail("N16", turn, fmt::format("{} of the group was not announced", to_string(*late)));
}

/// N2, N6, N7: a non-zero advert leaves only from a master (the one last advert of a yielding one excepted), with its effective
/// priority and its list; 0 only when a master leaves; 255 only from the owner.
void Monitors::check_adverts(const Turn& turn) {
    const auto& host = *world_.hosts[turn.host];
    const auto* router = host.router();
    for (const auto& action : turn.actions) {
        const auto* advert = std::get_if<engine::SendAdvert>(&action);
        if (!advert) continue;
        const auto* sender = host.engine->routers()[advert->router].get();
        if (sender != router) {
            if (router && advert->priority != leaving_priority && advert->priority != sender->self.priority)
                fail("N2", turn, "a partner advertises another priority than its effective one");
            continue; // N11 speaks of partners
        }
        const wire::Packet packet{advert->source, advert->destination, 255, *advert->message};
        const auto proven = wire::decode_signed(packet);
        if (!proven)
            return fail("N2", turn, fmt::format("an advert of ours is rejected: {}", wire::name(proven.error())));
        const auto* decoded = &proven->advert;
        if (decoded->priority != advert->priority) fail("N2", turn, "the advert says another priority than the action");
        if (advert->priority == leaving_priority) {
            if (!is_master(turn.before)) fail("N6", turn, "priority 0 from a router that was not master");
            if (router && is_master(router->state)) fail("N6", turn, "priority 0 and still master");
            continue;
        }
        const bool yielding = is_master(turn.before) && std::holds_alternative<engine::AdvertReceived>(turn.event);
        if (router && !is_master(router->state) && !yielding)
            fail("N2", turn, "a non-zero advert from a router that is not master");
        if (router && advert->priority != router->self.priority) fail("N2", turn, "not the effective priority");
        if ((advert->priority == owner_priority) != host.options.instance.is_owner())
            fail("N7", turn, "255 and ownership differ");
        if (decoded->addresses.size() != host.options.instance.addresses.size())
            fail("N2", turn, "not the configured list");
    }
}

/// N4, N5: a master that hears a higher order leaves in that turn; one of a lower order never moves it.
void Monitors::check_yield(const Turn& turn) {
    const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
    const auto* router = world_.hosts[turn.host]->router();
    if (!heard || !is_master(turn.before) || !acceptable(turn, *heard, *router) ||
        heard->advert.priority == leaving_priority)
        return;
    const auto ours = router->self.priority;
    const bool higher =
        heard->advert.priority > ours || (heard->advert.priority == ours && heard->source > router->self.address);
    const bool lease_lost = router->reason == vrrp::Reason::lease_lost;
    if (higher && is_master(router->state)) fail("N4", turn, "heard a higher order and stayed master");
    if (!higher && !is_master(router->state) && !lease_lost) fail("N5", turn, "heard a lower order and left");
}

/// N8: with preemption off, a backup that hears a master stays backup.
void Monitors::check_preemption(const Turn& turn) {
    const auto* router = world_.hosts[turn.host]->router();
    auto& memory = memory_[turn.host];
    const bool listens = std::holds_alternative<vrrp::Backup>(turn.before);
    if (!listens) memory.last_heard.reset();
    const bool grouped = !world_.hosts[turn.host]->options.partners.empty();
    if (const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
        grouped && heard && heard->advert.priority == leaving_priority)
        memory.last_heard.reset(); // a group's master leaves everywhere (decision 0009)
    if (const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
        heard && acceptable(turn, *heard, *router)) {
        if (heard->advert.priority == leaving_priority)
            memory.last_heard.reset();
        else if (heard->advert.interval <= 4 * router->model->advert_interval)
            memory.last_heard = turn.now + 3 * heard->advert.interval;
        else
            memory.last_heard = turn.now + 3 * router->model->advert_interval; // N10: counts as our own
    }
    if (!listens || !is_master(router->state) || router->self.preempt || !memory.last_heard) return;
    if (turn.now < *memory.last_heard) fail("N8", turn, "took over from a master that it heard, with preemption off");
}

/// N12: a configuration that says the same again does nothing at all.
void Monitors::check_reload(const Turn& turn) {
    const auto* loaded = std::get_if<engine::ConfigLoaded>(&turn.event);
    auto& memory = memory_[turn.host];
    if (!loaded) return;
    const bool same = memory.config && *memory.config == *loaded->config;
    memory.config = loaded->config;
    const auto* router = world_.hosts[turn.host]->router();
    if (same && router && (!turn.actions.empty() || !(router->state == turn.before)))
        fail("N12", turn, "an unchanged configuration was acted upon");
}

/// N18: the last state edge that was told is the state that is shown.
void Monitors::check_told(const Turn& turn) {
    auto& memory = memory_[turn.host];
    for (const auto& action : turn.actions) {
        const auto* told = std::get_if<engine::Tell>(&action);
        if (!told || told->note.kind != engine::NoteKind::state_change) continue;
        if (told->note.instance != world_.hosts[turn.host]->options.instance.name) continue;
        if (told->note.from != memory.told)
            fail("N18", turn, "an edge was told that does not begin where the last one ended");
        memory.told = told->note.to;
    }
    if (memory.told != vrrp::name(world_.hosts[turn.host]->router()->state))
        fail("N18", turn, "the state moved and nobody was told");
}

/// PROTOCOL "The lease": never with less than master-down left, while the host itself is in order.
void Monitors::check_lease(const Turn& turn) {
    const auto& host = *world_.hosts[turn.host];
    const auto* router = host.router();
    auto& memory = memory_[turn.host];
    if (memory.priority != router->self.priority || memory.interval != router->self.interval)
        memory.measured = world_.now();
    memory.priority = router->self.priority;
    memory.interval = router->self.interval;
    if (!is_master(router->state) || !is_master(turn.before) || world_.now() - host.disturbed < 15s) return;
    if (world_.now() - memory.measured < 4 * host.options.kernel_delay) return;
    const auto& instance = *router->model;
    const Duration unit = instance.version == model::Version::v2 ? Duration{1s} : instance.advert_interval;
    const auto master_down = 3 * instance.advert_interval + unit * (256 - router->self.priority.value) / 256;
    for (const auto& prefix : instance.addresses) {
        const auto at = host.kernel.addresses.find(prefix);
        if (at == host.kernel.addresses.end() || !at->second.ours || at->second.expires == never) continue;
        const auto left = at->second.expires - world_.now();
        if (left < master_down - 4 * host.options.kernel_delay - 10ms)
            fail("N1", turn,
                 fmt::format("the lease has {} ms left, master-down is {} ms", left / 1ms, master_down / 1ms));
    }
}

/// N9: a rejected packet changes nothing but counters.
void Monitors::check_rejects(const Turn& turn) {
    if (!std::holds_alternative<engine::AdvertRejected>(turn.event)) return;
    const auto* router = world_.hosts[turn.host]->router();
    if (!(router->state == turn.before)) fail("N9", turn, "a rejected packet changed the state");
    for (const auto& action : turn.actions)
        if (!std::holds_alternative<engine::Tell>(action))
            fail("N9", turn, "a rejected packet caused " + std::to_string(action.index()));
}

/// N9 for signed adverts: what proves nothing or was heard before never counts, and while all clocks are right, what is new and
/// in time always does.
void Monitors::check_signature(const Turn& turn) {
    const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
    const auto& router = *world_.hosts[turn.host]->router();
    if (!heard || !router.model->authentication || heard->advert.vrid != router.model->vrid) return;
    const auto* proof = std::get_if<wire::TrailerProof>(&heard->proof);
    if (!proof) {
        if (turn.counted) fail("N9", turn, "an advert without signature was accepted");
        return;
    }
    auto& newest = newest_[turn.host][heard->source];
    if (turn.counted && !memory_[turn.host].heard.insert({heard->source, proof->sequence}).second)
        fail("N9", turn, "a signed advert was accepted twice");
    const auto& hmac = std::get<model::HmacAuthentication>(*router.model->authentication);
    const auto wall = std::chrono::duration_cast<std::chrono::seconds>(turn.world.now().time_since_epoch()) + sim_epoch;
    const auto age = wall - std::chrono::seconds{proof->sequence >> 32U};
    const bool listens = serves(turn.before) || std::holds_alternative<vrrp::Backup>(turn.before);
    const bool in_time = age + 2s < hmac.window(router.model->advert_interval);
    if (!turn.counted && !world_.clocks_stepped && listens && router.link == heard->link && in_time &&
        proof->sequence > newest)
        fail("N9", turn, "a signed advert that is new and right was refused");
    // Whoever takes no part yet counts none, and uses its number up all the same.
    if (turn.counted || !listens) newest = std::max(newest, proof->sequence);
}

/// N17: however much is to be announced, the host keeps its pace.
void Monitors::check_pace(const Turn& turn) {
    const auto& host = *world_.hosts[turn.host];
    auto& last = memory_[turn.host].announced;
    if (std::holds_alternative<engine::LinkRemoved>(turn.event) ||
        std::holds_alternative<engine::KernelListed>(turn.event))
        last.reset(); // another interface begins with a pace of its own
    for (const auto& action : turn.actions) {
        if (!std::holds_alternative<engine::Announce>(action)) continue;
        if (last && turn.now - *last < announce_pace(host))
            fail("N17", turn, fmt::format("announced again after {} us", (turn.now - *last) / 1us));
        last = turn.now;
    }
}

/// N3: the clock was looked at, so nothing that is due is left behind.
void Monitors::check_timers(const Turn& turn) {
    if (!std::holds_alternative<engine::Elapsed>(turn.event)) return;
    const auto* router = world_.hosts[turn.host]->router();
    if (vrrp::next_deadline(router->state) <= turn.now && !std::holds_alternative<vrrp::Backup>(router->state))
        fail("N3", turn, "a deadline that has come is still armed");
}

/// N1: an address with our mark means: holding, or leaving this very moment, or a lease that has not ended.
void Monitors::sample() {
    if (violation_) return;
    for (std::size_t i = 0; i < world_.hosts.size(); ++i) {
        const auto& host = *world_.hosts[i];
        const auto* router = host.router();
        if (host.paused_until || !router || !host.kernel.link_exists) continue;
        if (host.is_listing) continue; // it has not been told yet what is there
        const auto& memory = memory_[i];
        const auto raised = [](const auto& link) { return link.second.admin_up; };
        const bool is_asked = host.others_in_flight > 0; // and the executor is slow
        if (memory.left_holding && world_.now() - *memory.left_holding > 4 * host.options.kernel_delay + 1s &&
            !is_asked && !router->candidate && std::ranges::any_of(host.kernel.macvlans, raised))
            violation_ = {"N1", fmt::format("N1: the macvlan of {} is up {} ms after it left", host.options.name,
                                            (world_.now() - *memory.left_holding) / 1ms)};
        for (const auto& [prefix, address] : host.kernel.addresses) {
            if (!memory.left_holding) break;
            if (!address.ours || vrrp::holds_addresses(router->state) || router->candidate) continue;
            const auto waiting = host.in_flight.find(prefix);
            if (waiting != host.in_flight.end() && waiting->second > 0) continue; // asked, and the executor is slow
            const auto grace = 4 * host.options.kernel_delay + 10ms;
            if (memory.left_holding && world_.now() - *memory.left_holding > grace && address.expires == never)
                violation_ = {"N1", fmt::format("N1: {} still has {} for ever, {} ms after it left", host.options.name,
                                                to_string(prefix), (world_.now() - *memory.left_holding) / 1ms)};
            if (memory.left_holding && world_.now() - *memory.left_holding > grace + 1s &&
                address.expires > world_.now())
                violation_ = {"N1", fmt::format("N1: {} still has {} {} ms after it left", host.options.name,
                                                to_string(prefix), (world_.now() - *memory.left_holding) / 1ms)};
        }
    }
}

/// B1 exactly one master, B4 the best one (unless preemption is off somewhere or somebody is held back), B5 few edges, and the
/// client's cache points to the master, which has the address.
void Monitors::after_settling(std::size_t edges_before) {
    if (violation_) return;
    const auto report = [&](const char* monitor, std::string text) {
        violation_ = {monitor, std::string{monitor} + ": " + std::move(text)};
    };
    std::vector<std::size_t> masters, alive;
    bool all_preempt = true;
    for (std::size_t i = 0; i < world_.hosts.size(); ++i) {
        const auto* router = world_.hosts[i]->router();
        if (!router) continue;
        if (!std::holds_alternative<vrrp::Fault>(router->state) && !std::holds_alternative<vrrp::Init>(router->state))
            alive.push_back(i);
        if (is_master(router->state)) masters.push_back(i);
        all_preempt = all_preempt && router->self.preempt;
    }
    if (alive.empty()) return;
    if (masters.size() != 1)
        return report("B1", fmt::format("{} masters among {} hosts after settling", masters.size(), alive.size()));
    const auto& master = *world_.hosts[masters[0]];
    if (all_preempt)
        for (const auto i : alive) {
            const auto& other = *world_.hosts[i]->router();
            if (other.self.priority > master.router()->self.priority)
                return report("B4", fmt::format("{} is better than the master", world_.hosts[i]->options.name));
        }
    if (edges_ - edges_before > 2 * world_.hosts.size() + 4)
        return report("B5", fmt::format("{} state edges after the last fault", edges_ - edges_before));
    for (const auto& host : world_.hosts) {
        const bool wants = host.get() == &master && !master.options.instance.routes.empty();
        const auto has = host->kernel.routes.size() + host->kernel.rules.size();
        if (has != (wants ? 2U : 0U))
            return report("R1", fmt::format("{} has {} routes and rules after settling", host->options.name, has));
    }
    if (const auto mac = master.options.instance.address_mac(); mac && world_.switch_port[*mac] != masters[0])
        return report("N16", "the switch sends the virtual MAC's frames to another host");
    auto prefixes = master.options.instance.addresses;
    for (const auto& partner : master.options.partners)
        prefixes.insert(prefixes.end(), partner.addresses.begin(), partner.addresses.end());
    for (const auto& prefix : prefixes) {
        if (!master.kernel.addresses.contains(prefix))
            return report("B2", fmt::format("the master has no {}", to_string(prefix)));
        const auto mac = master.options.instance.address_mac();
        if (!mac && world_.client_cache[prefix.address] != master.mac)
            return report("N16", "the client still sends to another host");
        for (const auto& host : world_.hosts)
            if (host.get() != &master && host->kernel.addresses.contains(prefix) && host->kernel.addresses[prefix].ours)
                return report("N1", fmt::format("{} still has the address after settling", host->options.name));
    }
}

} // namespace holdfast::sim
