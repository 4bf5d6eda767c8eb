#include "oracle.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::sim {
namespace {

constexpr Duration release_after = 100ms; ///< after the successor's first advert (PROTOCOL.md, "Leaving")
constexpr Duration burst_spacing = 1s;    ///< announcements in answer to adverts (PROTOCOL.md, "Yielding")
constexpr Duration beat_limit = 500us;    ///< adverts may come earlier by this to share a wake-up (PROTOCOL.md, "Time")
constexpr int interval_cap = 4;           ///< N10

template <typename State>
bool is(const vrrp::State& state) {
    return std::holds_alternative<State>(state);
}

/// Link or address itself is bad: waiting for a successor would help nobody.
bool must_leave_at_once(const engine::Router& router) {
    return std::ranges::any_of(router.faults, [](const engine::FaultCause& fault) {
        return fault.code != "tracker" && fault.code != "address_refused";
    });
}

bool beats(const vrrp::Heard& heard, Priority ours, const IpAddress& address) {
    return heard.priority > ours || (heard.priority == ours && heard.from > address);
}

} // namespace

void Oracle::complain(const char* monitor, std::string text) {
    if (!complaint_) complaint_ = {monitor, std::move(text)};
}

// ---- the formulas, anew -------------------------------------------------------------------------------------------------

Duration Oracle::skew(Priority priority, Duration interval) const {
    const Duration unit = model_->version == model::Version::v2 ? Duration{1s} : interval;
    return unit * (256 - priority.value) / 256;
}

Duration Oracle::learnt(Duration announced) const {
    if (model_->version == model::Version::v2) return model_->advert_interval;
    return announced > model_->advert_interval * interval_cap ? model_->advert_interval : announced;
}

/// What the configuration says of an advert that is well formed.
bool Oracle::acceptable(const engine::AdvertReceived& heard) const {
    const auto& advert = heard.advert;
    if (heard.link != link_ || advert.vrid != model_->vrid || heard.source.family != model_->family) return false;
    if (advert.version != static_cast<std::uint8_t>(model_->version) || heard.source == address_) return false;
    if (model_->authentication) return counted_; // N9 has what may count
    return model_->version == model::Version::v3 ||
           (advert.interval == model_->advert_interval && advert.auth_type == wire::AuthType::none);
}

// ---- the turn -----------------------------------------------------------------------------------------------------------

void Oracle::begin(const Turn& turn) {
    host_ = turn.world.hosts[turn.host].get();
    if (host_->life == life_) return;
    *this = {};
    host_ = turn.world.hosts[turn.host].get();
    life_ = host_->life;
}

void Oracle::note_link(const engine::Event& event) {
    const auto see = [this](const engine::Link& link) {
        if (link.name == host_->options.instance.interface)
            link_ = link.index;
        else if (link_ == link.index)
            link_.reset();
    };
    if (const auto* changed = std::get_if<engine::LinkChanged>(&event)) see(changed->link);
    if (const auto* removed = std::get_if<engine::LinkRemoved>(&event); removed && link_ == removed->link)
        link_.reset();
    if (const auto* listed = std::get_if<engine::KernelListed>(&event)) {
        link_.reset();
        std::ranges::for_each(listed->links, see);
    }
}

std::optional<Oracle::Complaint> Oracle::after_turn(const Turn& turn) {
    begin(turn);
    note_link(turn.event);
    counted_ = turn.counted;
    router_ = host_->router();
    if (!router_) return std::nullopt;
    if (!model_) model_ = router_->model; // from here on: the settings before this turn, until its end
    const auto& after = router_->state;
    if (is<vrrp::Backup>(turn.before)) expect_backup(turn);
    if (serves(turn.before)) check_master_turn(turn);
    if (is<vrrp::Leaving>(turn.before)) check_leaving(turn);
    if (is<vrrp::Leaving>(after) && !is<vrrp::Leaving>(turn.before)) enter_leaving(turn);
    model_ = router_->model;
    if (is<vrrp::Master>(after) && !is<vrrp::Master>(turn.before)) enter_master(turn);
    if (is<vrrp::Backup>(after)) check_backup(turn);
    if (is<vrrp::Master>(after)) {
        check_pace(turn);
        check_announcements(turn);
    } else {
        announcing_.forget();
    }
    check_removals(turn);
    priority_ = router_->self.priority;
    preempt_ = router_->self.preempt;
    address_ = router_->self.address;
    lease_deadline_ = router_->lease_deadline;
    return complaint_;
}

// ---- backup -------------------------------------------------------------------------------------------------------------

/// RFC 9568 6.4.1: three intervals and our skew, from now.
void Oracle::listen(Time now) {
    listening_ = {.master_down = now + 3 * model_->advert_interval + skew(priority_, model_->advert_interval),
                  .interval = model_->advert_interval};
}

/// RFC 9568 6.4.2: the advert of a master is accepted.
void Oracle::follow(const vrrp::Heard& heard, Time now) {
    const auto interval = learnt(heard.interval);
    listening_ = {.master_down = now + 3 * interval + skew(priority_, interval), .interval = interval};
    listening_.master = heard;
    listening_.followed = heard.priority >= priority_;
}

void Oracle::end_preempt_delay(Time now) {
    auto& l = listening_;
    if (!l.preempt_at || l.delay_over || now < *l.preempt_at) return;
    l.delay_over = true;
    l.master_down = std::min(l.master_down, now + skew(priority_, l.interval));
}

void Oracle::hear_as_backup(const vrrp::Heard& heard, Time now) {
    auto& l = listening_;
    if (heard.priority == leaving_priority) { // only from whom we take for the master
        const auto& master = l.master ? l.master : l.lower;
        if (master && master->from == heard.from)
            l.master_down = std::min(l.master_down, now + skew(priority_, l.interval));
        return;
    }
    if (!preempt_ || heard.priority >= priority_) return follow(heard, now);
    if (model_->preempt_delay > Duration::zero() && !l.preempt_at) l.preempt_at = now + model_->preempt_delay;
    if (model_->preempt_delay > Duration::zero() && now < *l.preempt_at) {
        const auto until = l.preempt_at;
        follow(heard, now);
        l.preempt_at = until;
        return;
    }
    const bool fell = l.followed && l.master->from == heard.from && heard.priority < l.master->priority;
    if (model_->prompt && fell && !l.prompted && !l.preempt_at) {
        l.master_down = std::min(l.master_down, now + skew(priority_, learnt(heard.interval)));
        l.prompted = true;
    }
    end_preempt_delay(now);
    l.lower = heard;
}

/// What the event does to a backup, before anything else in the turn.
void Oracle::expect_backup(const Turn& turn) {
    if (const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event); heard && acceptable(*heard)) {
        const bool kept = listening_.adopting;
        const auto accepted_before = listening_.master;
        hear_as_backup({heard->source, heard->advert.priority, heard->advert.interval}, turn.now);
        if (kept && listening_.master == accepted_before) listening_.adopting = true;
    }
    if (std::holds_alternative<engine::Elapsed>(turn.event)) check_takeover(turn);
}

void Oracle::check_takeover(const Turn& turn) {
    auto& l = listening_;
    const auto& after = router_->state;
    if (turn.now < l.master_down) return end_preempt_delay(turn.now);
    const auto last = host_->last_advert.find(model_->name);
    const bool too_old =
        last == host_->last_advert.end() || turn.world.now() - last->second > 3 * host_->recovered_interval + 1ms;
    if (l.adopting && too_old) { // the age test is made again right before the first advert
        if (vrrp::serves(after)) complain("N13", "adopted later than three intervals after the last advert");
        return listen(turn.now);
    }
    if (is<vrrp::Backup>(after) && !router_->retiring) complain("N3", "master-down has passed and it is still backup");
}

/// The state's deadline is ours, and it is woken for it.
void Oracle::check_backup(const Turn& turn) {
    const auto& backup = std::get<vrrp::Backup>(router_->state);
    const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
    if (!is<vrrp::Backup>(turn.before)) {
        priority_ = router_->self.priority;
        listen(turn.now);
        if (router_->reason == vrrp::Reason::failover && going_.successor) follow(*going_.successor, turn.now);
        if (router_->reason == vrrp::Reason::higher_priority && heard)
            follow({heard->source, heard->advert.priority, heard->advert.interval}, turn.now);
        if (router_->reason == vrrp::Reason::lease_lost && heard && acceptable(*heard))
            hear_as_backup({heard->source, heard->advert.priority, heard->advert.interval}, turn.now);
        if (router_->reason == vrrp::Reason::ready && backup.adopting) {
            listening_.master_down = turn.now;
            listening_.adopting = true;
        }
    } else if (priority_ != router_->self.priority) {
        listening_.master_down +=
            skew(router_->self.priority, listening_.interval) - skew(priority_, listening_.interval);
    }
    if (backup.master_down != listening_.master_down)
        complain("N3", fmt::format("master-down is {} us away from what the events give",
                                   (backup.master_down - listening_.master_down) / 1us));
    if (backup.adopting != listening_.adopting) complain("N13", "adoption goes on although a master was heard");
    const bool delayed = listening_.preempt_at && !listening_.delay_over;
    const auto due = delayed ? std::min(listening_.master_down, *listening_.preempt_at) : listening_.master_down;
    if (host_->engine->next_deadline() > due) complain("N3", "it sleeps past its own deadline");
}

// ---- master -------------------------------------------------------------------------------------------------------------

void Oracle::hear_as_master(const Turn& turn, const vrrp::Heard& heard) {
    const auto adverts = std::ranges::count_if(
        turn.actions, [](const auto& action) { return std::holds_alternative<engine::SendAdvert>(action); });
    const bool lapsed = turn.now >= lease_deadline_;
    if (lapsed && vrrp::serves(router_->state))
        complain("N1", "slept past its lease, heard another master, and goes on");
    if (lapsed && adverts > 0) complain("N1", "slept past its lease, heard another master, and advertises");
    if (lapsed || !is<vrrp::Master>(turn.before)) return;
    if (heard.priority != leaving_priority && beats(heard, priority_, address_)) {
        if (vrrp::serves(router_->state)) complain("N4", "heard a higher order and stayed");
        if (adverts != 1) complain("N4", fmt::format("yielded with {} last adverts instead of one", adverts));
        return;
    }
    if (!is<vrrp::Master>(router_->state)) return;
    serving_.answer_due = std::min(serving_.answer_due, std::max(turn.now, serving_.last_advert + serving_.quarter));
    if (heard.priority == leaving_priority) return;
    serving_.unheard.expect(*model_, turn.now + burst_spacing + patience(*host_));
}

/// A serving router in this turn: what it heard, and that a late waking writes nothing before the queues are drained.
void Oracle::check_master_turn(const Turn& turn) {
    const bool clock = std::holds_alternative<engine::Elapsed>(turn.event);
    const bool asleep =
        turn.now >= lease_deadline_ && turn.now >= router_->lease_deadline; // no renewal was confirmed just now
    if (asleep && !clock)
        for (const auto& action : turn.actions) {
            const auto* operation = std::get_if<engine::Operation>(&action);
            if (std::holds_alternative<engine::SendAdvert>(action) ||
                std::holds_alternative<engine::Announce>(action) ||
                (operation && !std::holds_alternative<engine::RemoveAddress>(operation->what)))
                complain("N1", "woken past its lease it wrote before the queues were drained");
        }
    if (const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event); heard && acceptable(*heard))
        hear_as_master(turn, {heard->source, heard->advert.priority, heard->advert.interval});
    const auto& after = router_->state;
    if (!is<vrrp::Master>(turn.before)) return;
    // Woken late, it settles and looks at its deadlines in one turn: only then can a hand-over of no time be over at once.
    const bool may_end_now = clock && model_->handover_timeout == Duration::zero();
    if (is<vrrp::Init>(after) && !may_end_now) complain("N6", "a master ended without leaving");
    if (is<vrrp::Fault>(after) && !must_leave_at_once(*router_) && !may_end_now)
        complain("N6", "a fault of its own service dropped the address");
    const bool fell = router_->self.priority < priority_;
    if (is<vrrp::Master>(after) && fell)
        serving_.answer_due =
            std::min(serving_.answer_due, std::max(turn.now, serving_.last_advert + serving_.quarter));
}

void Oracle::enter_master(const Turn& turn) {
    priority_ = router_->self.priority;
    const bool sent = std::ranges::any_of(turn.actions, [&](const auto& action) {
        const auto* advert = std::get_if<engine::SendAdvert>(&action);
        return advert && advert->priority == priority_;
    });
    if (!sent) complain("N2", "became master without an advert");
    serving_ = {.entered = turn.now,
                .last_advert = turn.now,
                .advert_due = turn.now + model_->advert_interval,
                .spacing = model_->advert_interval / 4,
                .quarter = model_->advert_interval / 4};
    serving_.unheard.expect(*model_, turn.now + patience(*host_));
}

/// Adverts come when they are due, and not much more often.
void Oracle::check_pace(const Turn& turn) {
    auto& s = serving_;
    const auto interval = model_->advert_interval;
    const bool clock = std::holds_alternative<engine::Elapsed>(turn.event);
    const bool sent = std::ranges::any_of(
        turn.actions, [](const auto& action) { return std::holds_alternative<engine::SendAdvert>(action); });
    if (std::holds_alternative<engine::ConfigLoaded>(turn.event))
        s.advert_due = std::min(s.advert_due, turn.now + interval);
    if (sent && s.entered != turn.now) {
        const auto drawn = std::min(interval / 20, beat_limit); // to the beat that all routers of the host share
        if (turn.now < s.last_advert + s.spacing - drawn)
            complain("N17", "more than one extra advert in a quarter interval");
        const auto beat = std::min(s.advert_due, s.answer_due); // an answer is the next advert
        const bool regular = clock && turn.now >= beat;
        const auto late = regular ? turn.now - beat : Duration{0};
        if (late + interval > 3 * interval + skew(priority_, interval)) // others may have served meanwhile
            s.unheard.expect(*model_, turn.now + patience(*host_));
        s.spacing = std::min(interval / 4, std::max(Duration{0}, interval - late));
        const bool is_answer = s.answer_due <= turn.now; // and may be late for its own beat besides
        s.advert_due = regular && late < interval && !is_answer ? beat + interval : turn.now + interval;
        s.last_advert = turn.now;
        s.quarter = interval / 4;
    }
    if (sent) s.answer_due = never;
    if (clock && turn.now >= std::min(s.advert_due, s.answer_due)) complain("N3", "an advert is due and was not sent");
    if (host_->engine->next_deadline() > std::min(s.advert_due, s.answer_due))
        complain("N3", "it sleeps past its next advert");
}

/// N16: what must be announced is announced soon after the kernel has it, and when the schedule says.
void Oracle::check_announcements(const Turn& turn) {
    const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
    const bool heard_lower =
        heard && is<vrrp::Master>(turn.before) && acceptable(*heard) && heard->advert.priority != leaving_priority;
    if (auto broken = announcing_.after_turn(turn, *router_, heard_lower)) complain("N16", std::move(*broken));
    if (const auto late = serving_.unheard.after_turn(turn))
        complain("N16", fmt::format("{} was not announced", to_string(*late)));
}

// ---- leaving ------------------------------------------------------------------------------------------------------------

Time Oracle::leaving_ends() const {
    if (!going_.first_advert) return going_.deadline;
    if (model_->advert_mac()) return *going_.first_advert; // the frames go where the adverts come from
    return std::min(going_.deadline, *going_.first_advert + std::min(release_after, model_->advert_interval));
}

/// Priority 0 goes out, at most three copies, and nothing after it.
void Oracle::enter_leaving(const Turn& turn) {
    int zeroes = 0;
    for (const auto& action : turn.actions) {
        const auto* advert = std::get_if<engine::SendAdvert>(&action);
        if (advert && advert->priority != leaving_priority && zeroes > 0) complain("N6", "an advert after priority 0");
        if (advert && advert->priority == leaving_priority) zeroes += advert->copies;
    }
    if (zeroes < 1 || zeroes > 3) complain("N6", fmt::format("left with {} adverts of priority 0", zeroes));
    const Duration largest_skew =
        router_->model->version == model::Version::v2 ? Duration{1s} : router_->model->advert_interval;
    going_ = {.deadline = turn.now + std::min(router_->model->handover_timeout, largest_skew + release_after)};
}

void Oracle::check_leaving(const Turn& turn) {
    const auto& after = router_->state;
    if (const auto* heard = std::get_if<engine::AdvertReceived>(&turn.event);
        heard && acceptable(*heard) && heard->advert.priority != leaving_priority) {
        if (!going_.successor) going_.first_advert = turn.now;
        going_.successor = vrrp::Heard{heard->source, heard->advert.priority, heard->advert.interval};
    }
    if (const auto* seen = std::get_if<engine::AnnouncementSeen>(&turn.event);
        seen && going_.successor && seen->announcement.mac != host_->mac)
        going_.announced[seen->announcement.address] = turn.now;
    const bool over = turn.now >= leaving_ends();
    const bool all_announced = std::ranges::all_of(
        model_->addresses, [&](const Prefix& prefix) { return going_.announced.contains(prefix.address); });
    if (is<vrrp::Leaving>(after)) {
        for (const auto& action : turn.actions)
            if (std::holds_alternative<engine::SendAdvert>(action) || std::holds_alternative<engine::Announce>(action))
                complain("N6", "a leaving router is not silent");
        if (over && std::holds_alternative<engine::Elapsed>(turn.event)) complain("N6", "leaving has no end");
        if (host_->engine->next_deadline() > leaving_ends()) complain("N3", "it sleeps past the end of leaving");
        return;
    }
    const bool lost = router_->reason == vrrp::Reason::lease_lost;
    const bool resumed = is<vrrp::Master>(after) && router_->reason == vrrp::Reason::no_successor;
    if (resumed && (going_.successor || !over)) complain("N6", "resumed although a successor serves, or too early");
    if (!resumed && !lost && !over && !all_announced && !must_leave_at_once(*router_))
        complain("N6", "stopped serving before the successor had the address");
}

/// An address of a leaving router goes when its successor has announced it, or when leaving ends.
void Oracle::check_removals(const Turn& turn) {
    if (!is<vrrp::Leaving>(router_->state) || !is<vrrp::Leaving>(turn.before)) return;
    for (const auto& action : turn.actions) {
        const auto* operation = std::get_if<engine::Operation>(&action);
        const auto* removal = operation ? std::get_if<engine::RemoveAddress>(&operation->what) : nullptr;
        if (!removal || std::ranges::find(model_->addresses, removal->prefix, &model::VirtualAddress::prefix) ==
                            model_->addresses.end())
            continue;
        if (!going_.announced.contains(removal->prefix.address))
            complain("N6", "removed before the successor announced it");
    }
}

} // namespace holdfast::sim
