// What is wrong out there: named states that this host sees and cannot mend by itself. Each is told in the journal (at most
// once a minute) with its remedy, and shown for as long as it is seen.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration remembered = 10s; ///< after it was seen last

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

/// Another host announces an address that we serve. While masters contend that is their way; one that goes on without any
/// advert has the address without VRRP.
void Engine::note_rival(Router& router, const wire::Announcement& announcement) {
    // Woken past its lease it may not be master any more: nothing is said before the queues are drained.
    if (!std::holds_alternative<vrrp::Master>(router.state) || router.lapsed(now_)) return router.rival_since.reset();
    const auto contends = [&](const auto& entry) { return now_ - entry.second.last_seen < 4 * router.self.interval; };
    const bool differs = router.rejected_at && now_ - *router.rejected_at < 4 * router.self.interval;
    if (differs || std::ranges::any_of(router.peers, contends) || now_ - router.since < 4 * router.self.interval)
        return router.rival_since.reset();
    auto text = fmt::format(
        "{} announces {} too, and no advert of it is heard: it holds the address outside VRRP (remove it there), "
        "or its adverts are lost (compare `unicast:`, look for a firewall)",
        to_string(announcement.mac), to_string(announcement.address));
    complain(Severity::error, NoteKind::duplicate_address, router, 0, fmt::format("{}: {}", router.name(), text));
    find(router, {"duplicate_address", std::move(text)});
    if (router.rival_since && now_ - *router.rival_since < 1s) return;
    router.rival_since = now_;
    announce(router); // clients hear us again, at most once a second
}

} // namespace holdfast::engine
