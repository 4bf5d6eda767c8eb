// What is wrong out there: named states that this host sees and cannot mend by itself. Each is told in the journal (at most
// once a minute) with its remedy, and shown for as long as it is seen.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration remembered = 10s;                       ///< after it was seen last
constexpr auto one_of_the_node = ~std::uint64_t{0};        ///< as a key: whichever router noticed it
constexpr auto unknown_vrid = std::uint64_t{0xffff} << 48; ///< as a key, with link, family and VRID: no router's slot
constexpr Duration shortest_pause = 50ms;                  ///< less is a busy host, whatever the interval

} // namespace

void Engine::find(Router& router, FaultCause what) {
    auto at = std::ranges::find(router.findings, what.code, [](const Finding& finding) { return finding.what.code; });
    if (at == router.findings.end()) at = router.findings.insert(at, Finding{});
    at->until = now_ + remembered;
    deadlines_[router.slot] = router_deadline(router);
    if (at->what == what) return;
    at->what = std::move(what);
    router.view_changed = view_changed_ = true;
}

void Engine::forget_findings(Router& router) {
    if (std::erase_if(router.findings, [this](const Finding& finding) { return now_ >= finding.until; }) > 0)
        router.view_changed = view_changed_ = true;
}

/// Well-formed adverts that the settings refuse come from a peer that is set up otherwise: it may be a second master.
void Engine::note_reject(Router& router, wire::Reject reason, const IpAddress& source) {
    using wire::Reject;
    router.rejected_at = now_;
    switch (reason) {
    case Reject::own_source: return find(router, {"reflected", fmt::format("{}", wire::explain(reason))});
    case Reject::version:
    case Reject::interval:
    case Reject::authentication:
    case Reject::transport:
    case Reject::signature_missing:
    case Reject::signature_unexpected:
    case Reject::signature_key:
    case Reject::signature_wrong:
    case Reject::signature_stale:
        return find(router, {"peer_differs", fmt::format("adverts of {} are dropped, so both hosts may serve: {}",
                                                         to_string(source), wire::explain(reason))});
    default: return; // damage and strangers: counted, and told once a minute
    }
}

/// Things worth a line when a peer first says them: that it owns the addresses, or that it serves other addresses than we.
/// True: it has none of ours.
bool Engine::note_oddities(Router& router, const AdvertReceived& event) {
    const auto& advert = event.advert;
    if (advert.priority == owner_priority)
        complain(Severity::warning, NoteKind::stranger_priority, router, 255,
                 fmt::format(
                     "{}: {} claims priority 255, to own the addresses; if it does not, somebody is taking them over",
                     router.name(), to_string(event.source)));
    const auto& ours = router.model->addresses;
    const auto common = std::ranges::count_if(ours, [&](const Prefix& prefix) {
        return std::ranges::find(advert.addresses, prefix.address) != advert.addresses.end();
    });
    const bool same = advert.addresses.size() == ours.size() && common == std::ssize(ours);
    if (!same && common > 0)
        complain(
            Severity::warning, NoteKind::address_lists_differ, router, 0,
            fmt::format("{}: {} advertises {} address(es), this host has {}: give both hosts the same `addresses:`",
                        router.name(), to_string(event.source), advert.addresses.size(), ours.size()));
    return common == 0 && !ours.empty();
}

/// Two virtual routers of one VRID silence each other.
void Engine::note_stranger(Router& router, const AdvertReceived& event) {
    const auto& theirs = event.advert.addresses;
    auto text = fmt::format("{} uses vrid {} for another virtual router ({}): give one of the two a vrid of its own",
                            to_string(event.source), router.model->vrid.value,
                            theirs.empty() ? "without addresses" : to_string(theirs.front()));
    complain(Severity::error, NoteKind::vrid_stranger, router, 0, fmt::format("{}: {}", router.name(), text));
    find(router, {"stranger", std::move(text)});
}

/// A lower master that hears us yields. One that goes on for as long as it takes to believe a master dead does not.
void Engine::note_contest(Router& router, const AdvertReceived& event) {
    if (!std::holds_alternative<vrrp::Master>(router.state) || event.advert.priority == leaving_priority ||
        router.self.tie_is_elsewhere)
        return;
    const auto patience = vrrp::master_down(router.self, router.self.interval);
    auto& contest = router.contest;
    if (!contest || contest->by != event.source || now_ - contest->last > patience || contest->since < router.since)
        contest = Contest{event.source, now_, now_};
    contest->last = now_;
    if (now_ - contest->since < patience) return;
    auto text =
        fmt::format("{} goes on as master with priority {} beside this host with {}: it does not hear our adverts, "
                    "so both serve; look for a firewall there (IP protocol 112) and for filtered multicast",
                    to_string(event.source), event.advert.priority.value, router.self.priority.value);
    complain(Severity::error, NoteKind::unheard, router, 0, fmt::format("{}: {}", router.name(), text));
    find(router, {"unheard", std::move(text)});
}

/// A deadline was served `late`: whoever waited for our adverts may have stopped waiting. Told once for the whole node.
void Engine::note_pause(Router& router, Duration late) {
    const bool in_service = router.serves() || std::holds_alternative<vrrp::Backup>(router.state);
    if (!in_service || late < std::max(router.self.interval, shortest_pause)) return;
    auto text =
        fmt::format("this host stood still for {}: no advert left and none was heard; look for snapshots of the "
                    "virtual machine, for swapping, and whether the daemon has real time",
                    to_string(std::chrono::floor<std::chrono::milliseconds>(late)));
    tell_limited(one_of_the_node, Severity::warning, NoteKind::stood_still, router.name(), text);
    find(router, {"stood_still", std::move(text)});
}

/// Somebody's virtual router that no instance here is of; told where `log_unknown_vrids` asks for it.
void Engine::note_unknown(const AdvertReceived& event) {
    if (!config_->log_unknown_vrids) return;
    const auto* link = kernel_.link(event.link);
    const auto vrid = event.advert.vrid;
    const auto key = unknown_vrid | std::uint64_t{event.link.value} << 16 |
                     static_cast<std::uint64_t>(event.source.family) << 8 | vrid.value;
    tell_limited(key, Severity::info, NoteKind::packet_rejected, "",
                 fmt::format("{} sends adverts of vrid {} to {} on {}, and no instance here is of that virtual router",
                             to_string(event.source), vrid.value, to_string(event.destination),
                             link ? link->name : "a link that has gone"));
}

/// Another host announces an address that we serve. While masters contend that is their way; one that goes on without any
/// advert has the address without VRRP.
void Engine::note_rival(Router& router, const wire::Announcement& announcement) {
    // Woken past its lease it may not be master any more: nothing is said before the queues are drained.
    if (!std::holds_alternative<vrrp::Master>(router.state) || router.lapsed(now_)) return router.rival_since.reset();
    const auto contends = [&](const PeerView& peer) { return now_ - peer.last_seen < 4 * router.self.interval; };
    const bool differs = router.rejected_at && now_ - *router.rejected_at < 4 * router.self.interval;
    if (differs || std::ranges::any_of(router.peers, contends) || now_ - router.since < 4 * router.self.interval)
        return router.rival_since.reset();
    const bool speaks_vrrp = announcement.mac == model::vrrp_mac(router.model->family, router.model->vrid);
    auto text =
        speaks_vrrp
            ? fmt::format("another master of this virtual router announces {}, and neither hears the other: "
                          "VRRP is blocked between the hosts (IP protocol 112); look for a firewall and for "
                          "filtered multicast",
                          to_string(announcement.address))
            : fmt::format("{} announces {} too, and no advert of it is heard: it holds the address outside VRRP "
                          "(remove it there), or its adverts are lost (compare `unicast:`, look for a firewall)",
                          to_string(announcement.mac), to_string(announcement.address));
    complain(Severity::error, speaks_vrrp ? NoteKind::unheard : NoteKind::duplicate_address, router, 1,
             fmt::format("{}: {}", router.name(), text));
    find(router, {speaks_vrrp ? "unheard" : "duplicate_address", std::move(text)});
    if (router.rival_since && now_ - *router.rival_since < 1s) return;
    router.rival_since = now_;
    announce(router, 1); // clients hear us again, at most once a second
}

} // namespace holdfast::engine
