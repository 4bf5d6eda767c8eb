#include "engine/engine.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <iterator>

namespace holdfast::engine {
namespace {

constexpr Duration tracker_patience = 2s; ///< how long a start waits for the first observation of its trackers
constexpr Duration listen_retry = 1s;

std::string explain_errno(int error) {
    if (error == EPERM || error == EACCES) return "permission denied: the daemon needs CAP_NET_RAW and CAP_NET_ADMIN";
    if (error == ENOBUFS) return "too many multicast groups: raise net.ipv4.igmp_max_memberships";
    return std::strerror(error);
}

/// Waiting for a successor helps only when our own service failed; without link or address nobody can be served.
bool must_leave_at_once(const std::vector<FaultCause>& faults) {
    return std::ranges::any_of(faults, [](const FaultCause& fault) {
        return fault.code != "tracker" && fault.code != "maintenance" && fault.code != "address_refused" &&
               fault.code != "other_link" && fault.code != "static_route";
    });
}

} // namespace

void Engine::mark(const std::string& interface) {
    for (auto& router : routers_)
        if (router && (router->model->interface == interface || router->other_links.contains(interface) ||
                       (router->model->has_own_link() && router->model->address_interface() == interface)))
            router->needs_assessment = true;
    settle_needed_ = links_dirty_ = true;
}

// ---- what the kernel says -----------------------------------------------------------------------------------------------

void Engine::handle(const LinkChanged& event) {
    const auto* before = kernel_.link(event.link.index);
    if (before && *before == event.link) return;
    if (before && before->name != event.link.name) mark(std::string{before->name});
    const bool was_up = before && before->up;
    kernel_.set(event.link);
    mark(event.link.name);
    statics_stale_ = true;
    if (was_up != event.link.up) {
        expect_lost_routes();
        extras_.mark_all(extras_turn());
    }
    observe_interfaces();
}

void Engine::handle(const LinkRemoved& event) {
    const auto* link = kernel_.link(event.link);
    if (!link) return;
    const std::string name = link->name;
    for (auto& router : routers_)
        if (router && router->link == event.link) detach(*router);
    kernel_.remove(event.link);
    expect_lost_routes();
    promoted_.erase(event.link);
    parents_.erase(event.link);
    statics_stale_ = hosts_stale_ = true;
    lanes_.erase(event.link);
    mark(name);
    observe_interfaces();
}

void Engine::handle(const KernelListed& event) {
    std::vector<LinkIndex> gone;
    for (const auto& router : routers_)
        if (router && router->link && std::ranges::find(event.links, *router->link, &Link::index) == event.links.end())
            gone.push_back(*router->link);
    for (const auto index : gone)
        handle(LinkRemoved{index});
    const auto extras_before = Extras::installed_in(kernel_);
    kernel_.replace(event, now_);
    extras_.kernel_listed(extras_before, extras_turn());
    observe_routes();
    for (auto& router : routers_)
        if (router) router->needs_assessment = true;
    for (const auto& [key, slot] : addresses_)
        if (!slot.excluded) dirty_addresses_.push_back(key);
    for (const auto& [key, address] : kernel_.addresses())
        if (address.ours && !addresses_.contains(key)) dirty_addresses_.push_back(key);
    for (auto& router : routers_)
        if (router) router->excluded.begin();
    settle_needed_ = links_dirty_ = statics_stale_ = hosts_stale_ = true;
    observe_interfaces();
}

void Engine::handle(const ListenDone& event) {
    const auto at = listeners_.find({event.link, event.family});
    if (at == listeners_.end()) return;
    at->second.state = event.error ? Listener::State::failed : Listener::State::open;
    at->second.error = event.error;
    at->second.retry_at = event.error ? now_ + listen_retry : never;
    for (auto& router : routers_)
        if (router && router->link == event.link) router->needs_assessment = true;
    settle_needed_ = true;
}

// ---- attaching to a link ------------------------------------------------------------------------------------------------

void Engine::attach(Router& router, const Link* link) {
    if (link && router.link == link->index) return;
    detach(router);
    if (!link) return;
    router.link = link->index;
    record_changed_ = true;
    listen_on({link->index, router.model->family});
    routes_stale_ = true;
}

void Engine::detach(Router& router) {
    if (!router.link) return;
    drop_claims(router);
    router.address_link.reset();
    stop_listening({*router.link, router.model->family});
    router.link.reset();
    router.link_up_at.reset();
    router.has_source = false;
    router.messages.clear();
    routes_stale_ = true;
}

/// Every router asks for every address of its link: looked up, not searched for.
void Engine::index_virtual_addresses() {
    virtual_addresses_.clear();
    for (const auto& instance : config_->instances) {
        if (instance.is_owner()) continue;
        for (const auto* addresses : {&instance.addresses, &instance.excluded_addresses})
            for (const auto& each : *addresses)
                virtual_addresses_.push_back(each.address);
    }
    std::ranges::sort(virtual_addresses_);
}

bool Engine::is_virtual(const IpAddress& ip) const {
    return std::ranges::binary_search(virtual_addresses_, ip);
}

// ---- the assessment: faults, priority, readiness ------------------------------------------------------------------------

std::optional<FaultCause> Engine::find_source(Router& router, LinkIndex link) {
    const auto& model = *router.model;
    std::optional<IpAddress> source;
    const auto beyond_link = [](const model::UnicastPeer& peer) { return !peer.address.is_link_local(); };
    if (model.source) {
        if (kernel_.has_own(link, *model.source)) source = model.source;
    } else {
        const bool global =
            model.family == Family::ipv6 && model.unicast && std::ranges::any_of(model.unicast->peers, beyond_link);
        source = kernel_.primary(link, model.family, [this](const IpAddress& ip) { return is_virtual(ip); }, global);
    }
    if (source != std::optional{router.self.address} || !router.has_source) {
        router.messages.clear();
        router.has_source = source.has_value();
        if (source) router.self.address = *source;
    }
    if (source) return std::nullopt;
    if (model.source)
        return FaultCause{"no_source", fmt::format("{} does not have {}, the source of adverts", model.interface,
                                                   to_string(*model.source))};
    if (model.family == Family::ipv4)
        return FaultCause{"no_address", fmt::format("{} has no IPv4 address of its own to send from", model.interface)};
    return FaultCause{"no_link_local", fmt::format("{} has no usable {} address", model.interface,
                                                   model.unicast ? "IPv6" : "link-local")};
}

/// The file may name every host of the router, so that it is the same on all: the one that is ours is left out.
std::optional<FaultCause> Engine::find_destinations(Router& router) {
    const auto& model = *router.model;
    std::vector<IpAddress> destinations;
    if (!model.unicast) {
        destinations.push_back(model.group());
    } else {
        for (const auto& peer : model.unicast->peers)
            if (peer.address != router.self.address && !(router.link && kernel_.has_own(*router.link, peer.address)))
                destinations.push_back(peer.address);
    }
    if (destinations != router.destinations) {
        router.destinations = std::move(destinations);
        router.messages.clear();
    }
    if (!router.destinations.empty()) return std::nullopt;
    return FaultCause{"no_peer", "unicast: names no host but this one: add the other host's address to its peers"};
}

/// Every instance hands over and stays away; what serves without one (a table that is always there, checks) goes on.
void Engine::handle(const MaintenanceSet& event) {
    if (event.reason == maintenance_) return;
    maintenance_ = event.reason;
    for (auto& router : routers_)
        if (router) router->needs_assessment = true;
    settle_needed_ = view_changed_ = true;
    tell(Severity::notice, NoteKind::maintenance, "",
         maintenance_ ? fmt::format("maintenance{}: every instance hands over",
                                    maintenance_->empty() ? "" : " (" + *maintenance_ + ")")
                      : "maintenance is over");
}

std::vector<FaultCause> Engine::find_faults(Router& router, const Link* link) {
    const auto& model = *router.model;
    std::vector<FaultCause> faults;
    if (maintenance_)
        faults.push_back({"maintenance", maintenance_->empty() ? "this host is in maintenance"
                                                               : "this host is in maintenance: " + *maintenance_});
    if (!link) {
        faults.push_back({"link_missing", fmt::format("there is no interface {}", model.interface)});
        return faults;
    }
    if (!link->up && model.track_link)
        faults.push_back({"link_down", fmt::format("{} is down or has no carrier", model.interface)});
    if (auto fault = find_source(router, link->index)) faults.push_back(std::move(*fault));
    if (auto fault = find_destinations(router)) faults.push_back(std::move(*fault));
    const auto listener = listeners_.find({link->index, model.family});
    if (listener != listeners_.end() && listener->second.state == Listener::State::failed)
        faults.push_back({"not_listening", fmt::format("cannot listen for VRRP on {}: {}", model.interface,
                                                       explain_errno(listener->second.error))});
    for (const auto& use : router.uses) {
        const auto at = trackers_.find(use.tracker);
        if (at != trackers_.end() && is_fault(use, at->second))
            faults.push_back({"tracker", fault_text(use, at->second)});
    }
    if (auto fault = find_link_fault(router)) faults.push_back(std::move(*fault));
    if (auto fault = find_static_fault(router)) faults.push_back(std::move(*fault));
    if (auto fault = find_other_links(router)) faults.push_back(std::move(*fault));
    if (!router.refused.empty()) faults.push_back({"address_refused", router.refused});
    return faults;
}

/// The sum of the weights on the configured priority, with what each tracker gives.
Priority Engine::weigh(Router& router) {
    const auto& model = *router.model;
    int sum = model.priority.value;
    std::vector<Contribution> contributions;
    for (const auto& use : router.uses) {
        const auto at = trackers_.find(use.tracker);
        const int weight = at == trackers_.end() ? 0 : contribution(use, at->second);
        if (use.weight) contributions.push_back({use.tracker, weight});
        sum += weight;
    }
    sum = add_orders(router, sum, contributions);
    if (contributions != router.contributions) {
        router.contributions = std::move(contributions);
        router.view_changed = view_changed_ = true;
    }
    return model.is_owner() ? owner_priority : Priority{static_cast<std::uint8_t>(std::clamp(sum, 1, 254))};
}

void Engine::update_priority(Router& router) {
    const auto before = std::exchange(router.self.priority, joint_priority(router));
    if (router.self.priority == before) return;
    router.view_changed = view_changed_ = true;
    apply(router, vrrp::PriorityChanged{before});
    if (router.model->notify.wants_priority()) notice(router, TransitionKind::priority);
    // Master-down is longer now, and so must be what is left of the lease.
    if (router.self.priority < before) renew_early(router);
}

/// Joint rules to a fixpoint: what one member of a sync group can do, its partners must hear of in the same turn.
void Engine::assess_all() {
    constexpr int more_than_enough = 16;
    const auto waits = [](const auto& router) { return router && router->needs_assessment; };
    for (int round = 0; round < more_than_enough && std::ranges::any_of(routers_, waits); ++round) {
        std::vector<Router*> undecided;
        for (auto& router : routers_) {
            if (!waits(router)) continue;
            router->needs_assessment = false;
            undecided.push_back(router.get());
            const auto before = router->own;
            examine(*router);
            if (router->own != before) // g++ 14 sees an overflow in vector::insert here, where there is none
                std::ranges::copy(router->partners, std::back_inserter(undecided));
        }
        for (auto* router : undecided)
            decide(*router);
    }
}

/// What this router alone says, from its model, the kernel and the trackers.
void Engine::examine(Router& router) {
    const auto& model = *router.model;
    const auto* link = kernel_.link(model.interface);
    attach(router, link);
    find_address_link(router);
    attach_other_links(router);
    router.self.mac_moves = model.advert_mac().has_value();
    router.self.version = model.version;
    router.self.interval = model.advert_interval;
    router.self.preempt_delay = model.preempt_delay;
    router.self.prompt = model.prompt;
    router.self.handover_timeout = model.handover_timeout;
    router.self.down_adverts = model.down_adverts;
    router.self.announce_lower_delay = model.announce_lower_delay;
    if (link && (link->up || !model.track_link)) {
        if (!router.link_up_at) router.link_up_at = now_;
    } else {
        router.link_up_at.reset();
    }
    router.own.preempt = model.preempt && !router.held_until;
    router.own.priority = weigh(router);
    router.own.faults = find_faults(router, link);
    router.own.may_adopt = router.own.faults.empty() && may_adopt(router, *link);
    router.wait_until = never;
    router.own.waiting = router.own.faults.empty() ? find_waiting(router) : std::string{};
}

/// What it does now, with its partners' say.
void Engine::decide(Router& router) {
    auto faults = joint_faults(router);
    auto waiting = joint_waiting(router);
    if (faults != router.faults || waiting != router.waiting) {
        router.faults = std::move(faults);
        router.waiting = std::move(waiting);
        router.view_changed = view_changed_ = true;
    }
    router.self.preempt =
        router.own.preempt && std::ranges::all_of(router.partners, [](const Router* r) { return r->own.preempt; });
    const bool must_end = ends(router);
    if (must_end)
        apply(router, vrrp::Leave{vrrp::LeaveCause::stop});
    else if (!router.faults.empty())
        apply(router, vrrp::Faulted{must_leave_at_once(router.own.faults)});
    update_priority(router); // whoever leaves has no other word to say of it
    if (!must_end && router.faults.empty()) begin_if_ready(router);
    deadlines_[router.slot] = router_deadline(router);
}

bool Engine::may_come_back(const Router& router) const {
    return router.candidate && now_ < router.candidate->until;
}

bool Engine::may_adopt(const Router& router, const Link& link) const {
    if (!may_come_back(router)) return false;
    if (router.candidate->link != link.index || router.candidate->mac != link.mac) return false;
    if (router.model->is_owner()) return true;
    return router.address_link && std::ranges::all_of(router.keys, [&](const AddressKey& key) {
               const auto* known = kernel_.address(key);
               return known && known->ours;
           });
}

/// Master-down counts from carrier, own address and group membership, all three, and after `startup_delay` and `boot_delay`.
std::string Engine::find_waiting(Router& router) {
    const auto listener = listeners_.find({*router.link, router.model->family});
    if (listener == listeners_.end() || listener->second.state != Listener::State::open) return "the group membership";
    if (!router.address_link) return fmt::format("the interface {}", router.model->address_interface());
    if (router.own.may_adopt) return {};
    std::string waiting;
    const auto started = *router.link_up_at + router.model->startup_delay;
    const auto booted = Time{} + router.model->boot_delay; // CLOCK_MONOTONIC begins with the host
    if (const auto begins = std::max(started, booted); now_ < begins) {
        waiting = started < booted ? "boot_delay" : "startup_delay";
        router.wait_until = begins;
    }
    for (const auto& use : router.uses) {
        const auto at = trackers_.find(use.tracker);
        if (at == trackers_.end() || at->second.verdict != Verdict::pending) continue;
        // A prober that never answers must not keep the address out of service for ever.
        const auto patience = at->second.since + tracker_patience;
        if (now_ >= patience) continue;
        waiting = fmt::format("the first result of tracker {}", use.tracker);
        router.wait_until = std::min(router.wait_until, patience);
    }
    return waiting;
}

void Engine::begin_if_ready(Router& router) {
    if (std::holds_alternative<vrrp::Fault>(router.state)) apply(router, vrrp::Cleared{});
    if (!router.waiting.empty()) return;
    if (std::holds_alternative<vrrp::Init>(router.state)) {
        const auto adopts = [](const Router* member) { return member->own.may_adopt; };
        if (router.own.may_adopt && std::ranges::all_of(router.partners, adopts)) {
            ++adoptions_;
            apply(router, vrrp::Adopt{});
        } else {
            apply(router, vrrp::Ready{});
        }
    }
    join_partners(router);
}

} // namespace holdfast::engine
