#include "vrrp/step.hpp"

#include "base/result.hpp"

#include <algorithm>

namespace holdfast::vrrp {
namespace {

/// Bursts of announcements in answer to other routers' adverts are at least this far apart.
constexpr Duration announce_spacing = 1s;
/// How long after its first advert the successor surely has the address, if its announcement stays unheard.
constexpr Duration release_delay = 100ms;

Step stay(const State& state) {
    return {.next = state};
}

// ---- entering states --------------------------------------------------------------------------------------------------

Backup listening(const Self& self, Time now) {
    return {.master_down = now + master_down(self, self.interval), .master_interval = self.interval};
}

Backup following(const Self& self, const Heard& heard, Time now) {
    const auto interval = learnt_interval(self, heard.interval);
    Backup next{.master_down = now + master_down(self, interval), .master_interval = interval};
    next.master = heard;
    next.followed = heard.priority >= self.priority;
    return next;
}

Step take_over(const Self& self, Reason reason, Time now) {
    const Master next{
        .next_advert = now + self.interval, .extra_allowed = now + self.interval / 4, .announce_allowed = now};
    return {.next = next, .reason = reason, .adverts = 1, .priority = self.priority};
}

Step begin_leaving(const Self& self, Leave leave, Time now) {
    return {.next = Leaving{.cause = leave.cause,
                            .deadline = now + handover_limit(self),
                            .waits_for_partners = leave.with_partners},
            .reason = Reason::leaving,
            .adverts = leaving_copies,
            .priority = leaving_priority};
}

// ---- init and fault ---------------------------------------------------------------------------------------------------

Step begin(const Self& self, Time now) {
    if (self.priority == owner_priority) return take_over(self, Reason::owner, now);
    return {.next = listening(self, now), .reason = Reason::ready};
}

Step adopt(const Self& self, Time now) {
    auto next = listening(self, now);
    next.master_down = now; // adverts that wait in the receive queue are heard before this deadline is looked at
    next.adopting = true;
    next.takeover = Reason::adopted;
    return {.next = next, .reason = Reason::ready};
}

// ---- backup -----------------------------------------------------------------------------------------------------------

/// RFC 9568 6.4.2: the master leaves; only the master itself may say so.
Step on_master_leaving(const Self& self, Backup backup, const Heard& heard, Time now) {
    const auto& master = backup.master ? backup.master : backup.lower_master;
    if (!master || master->from != heard.from) {
        Step step = stay(backup);
        step.oddity = Oddity::zero_from_stranger;
        return step;
    }
    backup.master_down = std::min(backup.master_down, now + skew(self, backup.master_interval));
    backup.takeover = Reason::master_left;
    return stay(backup);
}

/// The end of `preempt_delay`: what is left to wait is the skew.
void end_preempt_delay(const Self& self, Backup& backup, Time now) {
    if (!backup.preempt_at || backup.preempting || now < *backup.preempt_at) return;
    backup.preempting = true;
    backup.master_down = std::min(backup.master_down, now + skew(self, backup.master_interval));
    backup.takeover = Reason::preempted;
}

/// A master below us: wait for `preempt_delay`, then let master-down run out, or hurry (PROTOCOL.md, "Prompt takeover").
Step on_lower_master(const Self& self, Backup backup, const Heard& heard, Time now) {
    const bool fell = backup.followed && backup.master->from == heard.from && heard.priority < backup.master->priority;
    if (self.prompt && fell && !backup.prompted && !backup.preempt_at) {
        const auto interval = learnt_interval(self, heard.interval);
        backup.master_down = std::min(backup.master_down, now + skew(self, interval));
        backup.prompted = true;
    }
    end_preempt_delay(self, backup, now);
    backup.lower_master = heard;
    backup.takeover = Reason::preempted;
    return stay(backup);
}

/// While `preempt_delay` runs a lower master is accepted like any other.
bool delays_preemption(const Self& self, Backup& backup, Time now) {
    if (self.preempt_delay == Duration::zero()) return false;
    if (!backup.preempt_at) backup.preempt_at = now + self.preempt_delay;
    return now < *backup.preempt_at;
}

Step on_advert(const Self& self, Backup backup, const Heard& heard, Time now) {
    if (heard.priority == leaving_priority) return on_master_leaving(self, backup, heard, now);
    if (self.preempt && heard.priority < self.priority) {
        if (!delays_preemption(self, backup, now)) return on_lower_master(self, backup, heard, now);
        auto next = following(self, heard, now);
        next.preempt_at = backup.preempt_at;
        return stay(next);
    }
    Step step{.next = following(self, heard, now)};
    if (learnt_interval(self, heard.interval) != heard.interval) step.oddity = Oddity::interval_capped;
    return step;
}

Step on_elapsed(const Self& self, Backup backup, Time now) {
    if (now >= backup.master_down) return take_over(self, backup.takeover, now);
    end_preempt_delay(self, backup, now);
    return stay(backup);
}

/// The group's master leaves everywhere, also where a cut keeps its word from us.
Step on_group_master_left(const Self& self, Backup backup, Time now) {
    backup.master_down = std::min(backup.master_down, now + skew(self, backup.master_interval));
    backup.takeover = Reason::master_left;
    return stay(backup);
}

Step on_priority(const Self& self, Backup backup, Priority before) {
    Self was = self;
    was.priority = before;
    backup.master_down += skew(self, backup.master_interval) - skew(was, backup.master_interval);
    return stay(backup);
}

// ---- master -----------------------------------------------------------------------------------------------------------

/// PROTOCOL.md, "Yielding": after its own silence a master announces, because others may have served. Their skew counts, not ours,
/// which may have changed while we stood still: the least of any.
Burst after_silence(const Self& self, const Master& master, Time now) {
    const auto silence = now - (master.next_advert - self.interval);
    return silence > self.down_adverts * self.interval ? Burst::plain : Burst::none;
}

/// One advert out of turn, which is then the next one; within a quarter interval of the last it waits for its quarter.
Step extra_advert(const Self& self, Master master, Time now) {
    if (now < master.extra_allowed) {
        master.next_advert = std::min(master.next_advert, master.extra_allowed);
        return stay(master);
    }
    const auto burst = after_silence(self, master, now);
    master.next_advert = now + self.interval;
    master.extra_allowed = now + self.interval / 4;
    return {.next = master, .adverts = 1, .priority = self.priority, .announce = burst};
}

/// When the bursts after this one may come, and will.
void note_burst(const Self& self, Master& master, Time now) {
    master.announce_owed = false;
    master.announce_allowed = now + announce_spacing;
    master.announce_again = self.announce_lower_delay > Duration::zero() ? now + self.announce_lower_delay : never;
}

/// At most one burst a second, and the last one is never lost.
Burst answer_in_contest(const Self& self, Master& master, Time now) {
    if (now < master.announce_allowed) {
        master.announce_owed = true;
        return Burst::none;
    }
    note_burst(self, master, now);
    return Burst::contest;
}

Step on_lower_advert(const Self& self, Master master, const Heard& heard, Time now) {
    master.challenger = heard;
    const auto burst = answer_in_contest(self, master, now);
    Step step = extra_advert(self, master, now);
    if (burst != Burst::none) step.announce = burst;
    return step;
}

/// Its advert is for those who hear the member that was challenged; clients are everybody's.
Step on_group_contested(const Self& self, Master master, Time now) {
    const auto burst = answer_in_contest(self, master, now);
    Step step = stay(master);
    step.announce = burst;
    return step;
}

/// PROTOCOL.md, "Yielding": one last advert at our own priority tells the master that stays that clients need to hear it.
Step yield(const Self& self, const Heard& heard, Time now) {
    return {.next = following(self, heard, now),
            .reason = Reason::higher_priority,
            .adverts = 1,
            .priority = self.priority};
}

Step on_advert(const Self& self, const Master& master, const Heard& heard, Time now) {
    if (heard.priority == leaving_priority) return extra_advert(self, master, now);
    if (outranks(heard, self)) return yield(self, heard, now);
    return on_lower_advert(self, master, heard, now);
}

Step on_elapsed(const Self& self, Master master, Time now) {
    Step step{.next = master};
    if (now >= master.next_advert) {
        const auto late = now - master.next_advert;
        step.announce = after_silence(self, master, now);
        master.next_advert = late < self.interval ? master.next_advert + self.interval : now + self.interval;
        master.extra_allowed = now + self.interval / 4;
        step.adverts = 1;
        step.priority = self.priority;
    }
    const bool owed = master.announce_owed && now >= master.announce_allowed;
    if (owed || now >= master.announce_again) {
        note_burst(self, master, now);
        if (!owed) master.announce_again = never; // one follows an answer, and none follows that one
        step.announce = Burst::contest;
    }
    step.next = master;
    return step;
}

/// A fall is told at once, so that a standby above us can act on it; a rise waits for the next advert.
Step on_priority(const Self& self, const Master& master, Priority before, Time now) {
    return self.priority < before ? extra_advert(self, master, now) : stay(master);
}

// ---- leaving ----------------------------------------------------------------------------------------------------------

Step finish_leaving(const Self& self, const Leaving& leaving, Time now) {
    switch (leaving.cause) {
    case LeaveCause::stop: return {.next = Init{}, .reason = Reason::stopped};
    case LeaveCause::fault: return {.next = Fault{}, .reason = Reason::fault};
    case LeaveCause::failover:
    case LeaveCause::group: break;
    }
    const auto next = leaving.successor ? following(self, *leaving.successor, now) : listening(self, now);
    return {.next = next, .reason = leaving.cause == LeaveCause::group ? Reason::sync_group : Reason::failover};
}

/// A failover that came to nothing: the address was never gone.
Step resume(const Self& self, Time now) {
    Step step = take_over(self, Reason::no_successor, now);
    step.announce = Burst::plain;
    return step;
}

Step on_advert(const Self& self, Leaving leaving, const Heard& heard, Time now) {
    if (heard.priority == leaving_priority) return stay(leaving);
    if (!leaving.successor) leaving.release = self.mac_moves ? now : now + std::min(release_delay, self.interval);
    leaving.successor = heard;
    return stay(leaving);
}

Step on_elapsed(const Self& self, const Leaving& leaving, Time now) {
    if (now >= leaving.release && !leaving.waits_for_partners) return finish_leaving(self, leaving, now);
    if (now < leaving.deadline) return stay(leaving);
    const bool succeeded = leaving.successor && !leaving.waits_for_partners;
    if (leaving.cause != LeaveCause::failover || succeeded || self.handover_timeout == Duration::zero())
        return finish_leaving(self, leaving, now);
    return resume(self, now);
}

Step on_partners_heard(Leaving leaving) {
    leaving.waits_for_partners = false;
    return stay(leaving);
}

/// A stop outlasts every other cause; a fault or a group that leaves outlasts a failover.
Step on_other_cause(Leaving leaving, LeaveCause cause) {
    if (leaving.cause == LeaveCause::stop || (cause == LeaveCause::group && leaving.cause == LeaveCause::fault))
        return stay(leaving);
    leaving.cause = cause;
    leaving.waits_for_partners = leaving.waits_for_partners && cause == LeaveCause::failover;
    return stay(leaving);
}

// ---- the table --------------------------------------------------------------------------------------------------------

struct Table {
    const Self& self;
    const State& state;
    Time now;

    Step operator()(const Init&, const Ready&) const { return begin(self, now); }
    Step operator()(const Fault&, const Ready&) const { return begin(self, now); }
    Step operator()(const Init&, const Adopt&) const { return adopt(self, now); }
    Step operator()(const Init&, const Faulted&) const { return faulty(); }

    Step operator()(const Backup& s, const AdvertReceived& e) const { return on_advert(self, s, e.heard, now); }
    Step operator()(const Backup& s, const Elapsed&) const { return on_elapsed(self, s, now); }
    Step operator()(const Backup& s, const PriorityChanged& e) const { return on_priority(self, s, e.before); }
    Step operator()(const Backup&, const Faulted&) const { return faulty(); }
    Step operator()(const Backup& s, const GroupMasterLeft&) const { return on_group_master_left(self, s, now); }
    Step operator()(const Backup&, const Join&) const { return take_over(self, Reason::sync_group, now); }
    Step operator()(const Backup&, const TakeOver&) const { return take_over(self, Reason::taken_over, now); }
    Step operator()(const Backup& s, const AdoptionExpired&) const {
        return s.adopting ? Step{.next = listening(self, now)} : stay(s);
    }
    Step operator()(const Backup&, const Leave& e) const {
        return e.cause == LeaveCause::stop ? stopped() : stay(state);
    }

    Step operator()(const Master& s, const AdvertReceived& e) const { return on_advert(self, s, e.heard, now); }
    Step operator()(const Master& s, const Elapsed&) const { return on_elapsed(self, s, now); }
    Step operator()(const Master& s, const PriorityChanged& e) const { return on_priority(self, s, e.before, now); }
    Step operator()(const Master&, const Faulted& e) const {
        return e.at_once ? faulty() : begin_leaving(self, Leave{LeaveCause::fault}, now);
    }
    Step operator()(const Master&, const Leave& e) const { return begin_leaving(self, e, now); }
    Step operator()(const Master&, const LeaseLost&) const {
        return {.next = listening(self, now), .reason = Reason::lease_lost};
    }
    Step operator()(const Master& s, const GroupContested&) const { return on_group_contested(self, s, now); }

    Step operator()(const Leaving& s, const AdvertReceived& e) const { return on_advert(self, s, e.heard, now); }
    Step operator()(const Leaving& s, const Elapsed&) const { return on_elapsed(self, s, now); }
    Step operator()(const Leaving& s, const Released&) const { return finish_leaving(self, s, now); }
    Step operator()(const Leaving& s, const Faulted& e) const {
        return e.at_once ? faulty() : on_other_cause(s, LeaveCause::fault);
    }
    Step operator()(const Leaving& s, const Leave& e) const { return on_other_cause(s, e.cause); }
    Step operator()(const Leaving& s, const PartnersHeard&) const { return on_partners_heard(s); }
    Step operator()(const Leaving&, const Resume&) const { return resume(self, now); }
    Step operator()(const Leaving&, const LeaseLost&) const {
        return {.next = listening(self, now), .reason = Reason::lease_lost};
    }

    Step operator()(const Fault&, const Cleared&) const { return {.next = Init{}, .reason = Reason::starting}; }
    Step operator()(const Fault&, const Leave& e) const {
        return e.cause == LeaveCause::stop ? stopped() : stay(state);
    }

    template <typename AnyState, typename AnyEvent>
    Step operator()(const AnyState&, const AnyEvent&) const {
        return stay(state);
    }

  private:
    static Step faulty() { return {.next = Fault{}, .reason = Reason::fault}; }
    static Step stopped() { return {.next = Init{}, .reason = Reason::stopped}; }
};

} // namespace

bool outranks(const Heard& heard, const Self& self) {
    if (heard.priority != self.priority) return heard.priority > self.priority;
    return !self.tie_is_elsewhere && heard.from > self.address;
}

Step on(const Self& self, const State& state, const Event& event, Time now) {
    return std::visit(Table{self, state, now}, state, event);
}

} // namespace holdfast::vrrp
