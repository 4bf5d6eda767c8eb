#include "engine/engine.hpp"

#include "wire/frame.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

namespace holdfast::engine {
namespace {

/// How long an address is served after its successor announced it: requests that reached us finish, and the successor
/// announces again only later (at 10 ms), so nobody's cache is left pointing here.
constexpr Duration in_flight = 5ms;

std::uint64_t route_key(LinkIndex link, Family family, Vrid vrid) {
    return std::uint64_t{link.value} << 16 | static_cast<std::uint64_t>(family) << 8 | vrid.value;
}

/// The first of those with this key, or of those behind it. `routes` is sorted.
auto first_of(const auto& routes, std::uint64_t key) {
    return std::ranges::lower_bound(routes, key, {}, [](const auto& entry) { return entry.first; });
}

wire::Advert advert_of(const Router& router, Priority priority) {
    const auto& model = *router.model;
    wire::Advert advert{.version = static_cast<std::uint8_t>(model.version),
                        .vrid = model.vrid,
                        .priority = priority,
                        .interval = model.advert_interval};
    fill_authentication(advert, model);
    advert.addresses.reserve(model.addresses.size());
    for (const auto& prefix : model.addresses)
        advert.addresses.push_back(prefix.address);
    return advert;
}

} // namespace

// ---- in ---------------------------------------------------------------------------------------------------------------

void Engine::index_routes() {
    routes_stale_ = false;
    routes_.clear();
    for (const auto& router : routers_)
        if (router && router->link)
            routes_.emplace_back(route_key(*router->link, router->model->family, router->model->vrid), router->slot);
    std::ranges::sort(routes_);
    narrow_listeners();
}

void Engine::narrow_listeners() {
    std::map<ListenerKey, std::pair<VridSet, std::set<IpAddress>>> wanted;
    for (const auto& router : routers_) {
        if (!router || !router->link) continue;
        const auto& model = *router->model;
        auto& [vrids, groups] = wanted[{*router->link, model.family}];
        vrids.set(model.vrid.value);
        if (!model.unicast && model.group() != vrrp_group(model.family)) groups.insert(model.group());
    }
    for (auto& [key, listener] : listeners_) {
        auto& [vrids, groups] = wanted[key];
        if (config_->log_unknown_vrids) vrids.set();
        if (listener.vrids == vrids && std::ranges::equal(listener.groups, groups)) continue;
        listener.vrids = vrids;
        listener.groups.assign(groups.begin(), groups.end());
        out_->push_back(ListenFor{key.first, key.second, listener.vrids, listener.groups});
    }
}

/// Several may have one VRID on a link, told apart by their group or by their peers.
Router* Engine::route(LinkIndex link, const IpAddress& source, const IpAddress& destination, Vrid vrid) {
    const auto key = route_key(link, source.family, vrid);
    const bool multicast = destination.is_multicast();
    const auto& far_end = multicast ? destination : source;
    Router* of_none = nullptr; // then it is named by the first that it could have been meant for
    for (auto at = first_of(routes_, key); at != routes_.end() && at->first == key; ++at) {
        auto& router = *routers_[at->second];
        if (std::ranges::find(router.destinations, far_end) != router.destinations.end()) return &router;
        const bool another_group = multicast && !router.model->unicast;
        if (!of_none && !another_group) of_none = &router;
    }
    return of_none;
}

void Engine::expect(const Event& event) const {
    const auto* advert = std::get_if<AdvertReceived>(&event);
    if (!advert) return;
    const auto key = route_key(advert->link, advert->source.family, advert->advert.vrid);
    const auto at = first_of(routes_, key);
    if (at != routes_.end() && at->first == key) fetch_ahead(*routers_[at->second]);
}

std::optional<wire::Reject> Engine::wrong_transport(const Router& router, const AdvertReceived& event) const {
    const auto& unicast = router.model->unicast;
    if (unicast.has_value() == event.destination.is_multicast()) return wire::Reject::transport;
    if (!unicast) return std::nullopt;
    const auto peer = std::ranges::find(unicast->peers, event.source, &model::UnicastPeer::address);
    if (peer == unicast->peers.end()) return unicast->check_source ? std::optional{wire::Reject::peer} : std::nullopt;
    const bool in_range = event.hop_limit >= peer->min_ttl && event.hop_limit <= peer->max_ttl;
    return in_range ? std::nullopt : std::optional{wire::Reject::hop_limit};
}

/// What makes a well-formed advert not one for this instance.
std::optional<wire::Reject> Engine::unacceptable(const Router& router, const AdvertReceived& event) const {
    const auto& model = *router.model;
    const auto& advert = event.advert;
    if (advert.version != static_cast<std::uint8_t>(model.version)) return wire::Reject::version;
    if (event.source == router.self.address) return wire::Reject::own_source;
    if (const auto reason = wrong_transport(router, event)) return reason;
    if (const auto reason = unproven(model, router.replay, event, clocks())) return reason;
    if (model.version == model::Version::v2 && advert.interval != model.advert_interval) return wire::Reject::interval;
    return std::nullopt;
}

/// What was heard goes to the record as well, once a second at most: a restart must not make an old advert new.
void Engine::use_up_number(Router& router, const AdvertReceived& event) {
    if (std::holds_alternative<std::monostate>(event.proof)) return;
    use_up(*router.model, router.replay, event, clocks());
    if (const auto apart = clock_difference(*router.model, event, clocks()))
        complain(
            Severity::warning, NoteKind::clocks_differ, router, 0,
            fmt::format("{}: the clock of {} is {} from ours: set both (NTP), or its adverts will be refused as stale",
                        router.name(), to_string(event.source),
                        holdfast::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(*apart))));
    if (now_ < numbers_due_) return;
    numbers_due_ = now_ + 1s;
    record_changed_ = true;
}

void Engine::handle(const WallClockSet& event) {
    wall_ahead_ = event.ahead;
}

void Engine::handle(const AdvertReceived& event) {
    auto* router = route(event.link, event.source, event.destination, event.advert.vrid);
    if (!router) return note_unknown(event);
    if (const auto reason = unacceptable(*router, event)) return reject(*router, *reason, event.source);
    use_up_number(*router, event);
    learn_director(*router);
    const bool listening =
        !std::holds_alternative<vrrp::Init>(router->state) && !std::holds_alternative<vrrp::Fault>(router->state);
    if (!listening) return;
    ++router->counters.adverts_received;
    if (event.advert.priority == leaving_priority) ++router->counters.priority_zero_received;
    remember_peer(*router, event);
    if (router->lapsed(now_)) {
        complain(Severity::warning, NoteKind::lease_lost, *router, 0,
                 fmt::format("{}: this host slept past its own lease and {} serves now", router->name(),
                             to_string(event.source)));
        apply(*router, vrrp::LeaseLost{});
    }
    router->self.tie_is_elsewhere = event.advert.priority == router->self.priority && tie_is_elsewhere(*router);
    apply(*router, vrrp::AdvertReceived{{event.source, event.advert.priority, event.advert.interval}});
    note_contest(*router, event);
    if (!router->partners.empty()) share_what_was_heard(*router, event);
}

void Engine::handle(const AdvertRejected& event) {
    if (!event.vrid) return;
    if (auto* router = route(event.link, event.source, event.destination, *event.vrid))
        reject(*router, event.reason, event.source);
}

void Engine::reject(Router& router, wire::Reject reason, const IpAddress& source) {
    ++router.counters.rejected[static_cast<std::size_t>(reason)];
    note_reject(router, reason, source);
    complain(
        Severity::warning, NoteKind::packet_rejected, router, static_cast<unsigned>(reason),
        fmt::format("{}: dropped a VRRP packet of {}: {}", router.name(), to_string(source), wire::explain(reason)));
}

void Engine::handle(const QueueOverflowed& event) {
    for (auto& router : routers_)
        if (router && router->link == event.link && router->lapsed(now_)) apply(*router, vrrp::LeaseLost{});
}

void Engine::remember_peer(Router& router, const AdvertReceived& event) {
    const auto& advert = event.advert;
    auto at = std::ranges::lower_bound(router.peers, event.source, {}, &PeerView::address);
    if (at == router.peers.end() || at->address != event.source) {
        if (router.peers.size() == peers_kept)
            router.peers.erase(std::ranges::min_element(router.peers, {}, &PeerView::last_seen));
        at = std::ranges::lower_bound(router.peers, event.source, {}, &PeerView::address);
        at = router.peers.insert(at, PeerView{.address = event.source});
        router.view_changed = view_changed_ = true;
    }
    auto& peer = *at;
    if (peer.priority != advert.priority) { // a new one has none yet
        router.view_changed = view_changed_ = true;
        peer.stranger = note_oddities(router, event);
    }
    peer = {event.source, advert.priority, advert.version, advert.interval, now_, peer.stranger};
    if (peer.stranger) note_stranger(router, event);
}

/// Only a leaving router cares: its successor has the address.
void Engine::handle(const AnnouncementSeen& event) {
    const auto* link = kernel_.link(event.link);
    if (!link || link->mac == event.announcement.mac) return;
    announced_elsewhere(event.link, event.announcement);
    for (const auto& [index, macvlan] : kernel_.links())
        if (macvlan.ours && macvlan.parent == event.link) announced_elsewhere(index, event.announcement);
}

void Engine::announced_elsewhere(LinkIndex where, const wire::Announcement& announcement) {
    for (auto at = addresses_.lower_bound({where, {announcement.address, 0}});
         at != addresses_.end() && at->first.link == where && at->first.prefix.address == announcement.address; ++at) {
        auto* router = router_of(at->second);
        // A virtual MAC is every host's: whether that was another one, its adverts tell.
        if (router && router->model->address_mac() == announcement.mac) continue;
        if (router) note_rival(*router, announcement);
        if (at->second.excluded) continue; // they go with the state
        const auto* leaving = router ? std::get_if<vrrp::Leaving>(&router->state) : nullptr;
        if (!leaving || !leaving->successor || leaving->waits_for_partners || at->second.release_at != never) continue;
        at->second.release_at = now_ + in_flight;
        retry_at_ = std::min(retry_at_, at->second.release_at);
    }
}

// ---- out --------------------------------------------------------------------------------------------------------------

std::vector<std::shared_ptr<const Bytes>> Engine::encode_adverts(const Router& router, Priority priority) const {
    const auto advert = advert_of(router, priority);
    const auto style = router.model->checksum == model::Checksum::message ? wire::Ipv4Checksum::message_only
                                                                          : wire::Ipv4Checksum::with_pseudo_header;
    std::vector<std::shared_ptr<const Bytes>> messages;
    for (const auto& destination : router.destinations)
        messages.push_back(
            std::make_shared<const Bytes>(wire::encode(advert, router.self.address, destination, style)));
    return messages;
}

void Engine::send(Router& router, Priority priority, std::uint8_t copies) {
    if (!router.link) return;
    const bool fresh = router.messages.empty() || router.message_priority != priority;
    auto made = fresh ? encode_adverts(router, priority) : std::vector<std::shared_ptr<const Bytes>>{};
    if (fresh && priority != leaving_priority) {
        router.messages = made;
        router.message_priority = priority;
    }
    const auto& messages = fresh ? made : router.messages;
    router.counters.adverts_sent += copies;
    if (priority == leaving_priority) router.counters.priority_zero_sent += copies;
    router.last_sent = now_;
    const std::uint8_t ttl = router.model->unicast ? router.model->unicast->ttl : 255;
    for (std::size_t i = 0; i < messages.size(); ++i)
        emit(router, {.router = router.slot,
                      .link = *router.link,
                      .source = router.self.address,
                      .destination = router.destinations[i],
                      .message = messages[i],
                      .priority = priority,
                      .copies = copies,
                      .hop_limit = ttl,
                      .from_mac = router.model->advert_mac()});
}

/// Every copy of an advert with a number is one of its own.
void Engine::emit(Router& router, SendAdvert&& plain) {
    if (!needs_number(*router.model)) return push_advert(router, std::move(plain));
    for (auto copies = std::exchange(plain.copies, std::uint8_t{1}); copies > 0; --copies) {
        auto action = plain;
        if (!prove(*router.model, router.replay, action, clocks()))
            return complain(
                Severity::error, NoteKind::missing_service, router, 0,
                fmt::format("{}: OpenSSL refuses to sign, so nothing is sent: use `type: hmac`", router.name()));
        push_advert(router, std::move(action));
    }
}

/// A frame of ours can't be fragmented: one that is too long leaves as the link sends it, in pieces.
void Engine::push_advert(Router& router, SendAdvert&& advert) {
    const auto* link = kernel_.link(advert.link);
    const auto header = advert.has_ip_header ? 0 : wire::ip_header_size(advert.source.family);
    if (advert.from_mac && link && advert.message->size() + header > link->mtu) {
        advert.from_mac.reset();
        complain(Severity::warning, NoteKind::missing_service, router, 1,
                 fmt::format("{}: its adverts are longer than the MTU {} of {}, so they leave in pieces and from its "
                             "own MAC address; give the router fewer addresses",
                             router.name(), link->mtu, link->name));
    }
    out_->push_back(std::move(advert));
}

} // namespace holdfast::engine
