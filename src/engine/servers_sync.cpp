// The synchronisation daemon follows a master as services do; the kernel's settings are set while the file says so, and put back.
#include "engine/servers.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {

namespace {

/// A connection whose server is not in the table any more is forgotten, and so is one whose port comes round again: a host that
/// directs and serves may have kept it from when the other one directed (bits 0 and 1 of the mode).
constexpr IpvsReuse forgets_stale{1, 3};

} // namespace

void Servers::plan_daemons(std::vector<IpvsStep>& out) {
    if (!std::exchange(daemons_dirty_, false) || !listed_) return;
    std::vector<IpvsSync> wanted;
    if (ipvs_.sync && !stopping_) wanted = wanted_sync(*ipvs_.sync, masters_.contains(ipvs_.sync->while_master));
    plan_sync(sync_there_, wanted, our_sync_, out);
    const auto timeouts = stopping_ ? model::ConnectionTimeouts{} : ipvs_.timeouts;
    if (const auto set = plan_timeouts(listed_->timeouts, timeouts)) {
        if (!timeouts_before_) timeouts_before_ = listed_->timeouts;
        record_changed_ = true;
        out.emplace_back(*set);
    } else if (timeouts == model::ConnectionTimeouts{} && timeouts_before_) {
        out.emplace_back(SetTimeouts{*std::exchange(timeouts_before_, std::nullopt)});
        record_changed_ = true;
    }
    plan_settings(out);
}

void Servers::plan_settings(std::vector<IpvsStep>& out) {
    const bool wanted = forgets_stale_ && !stopping_;
    if (!wanted) {
        if (!reuse_before_) return;
        out.emplace_back(SetReuse{*std::exchange(reuse_before_, std::nullopt)});
        record_changed_ = true;
        return;
    }
    const auto set = reuse_problem_.empty() ? plan_reuse(listed_->reuse, forgets_stale) : std::nullopt;
    if (!set) return;
    if (!reuse_before_) reuse_before_ = listed_->reuse;
    record_changed_ = true;
    out.emplace_back(*set);
}

/// Asked for again with the next configuration: what is read-only stays so.
void Servers::reuse_done(const SetReuse& set, int error, Turn turn) {
    if (error == 0 || set.reuse != forgets_stale) return;
    reuse_before_.reset();
    record_changed_ = true;
    reuse_problem_ = fmt::format(
        "connections of when another host directed are not forgotten, and their clients may hang after a failover: "
        "/proc/sys/net/ipv4/vs: {}; set net.ipv4.vs.expire_nodest_conn = 1 and conn_reuse_mode = 3 by sysctl.d, or "
        "load "
        "ip_vs before holdfast starts (modules-load.d)",
        std::strerror(error));
    tell(Severity::warning, NoteKind::server_refused, "", reuse_problem_, turn);
}

void Servers::daemon_done(const IpvsStep& step, int error, Turn turn) {
    const auto forget = [](std::vector<IpvsSync>& list, IpvsSync::Role role) {
        std::erase_if(list, [role](const IpvsSync& each) { return each.role == role; });
    };
    if (const auto* const stop = std::get_if<StopSync>(&step)) {
        forget(our_sync_, stop->sync.role);
        forget(sync_there_, stop->sync.role);
    }
    if (const auto* const set = std::get_if<SetReuse>(&step)) return reuse_done(*set, error, turn);
    const auto* const start = std::get_if<StartSync>(&step);
    if (!start) return;
    if (error == 0) {
        sync_there_.push_back(start->sync);
        our_sync_.push_back(start->sync);
    }
    const auto problem = error == 0 ? std::string{}
                                    : fmt::format("connections are not synchronised over {}: {}", start->sync.interface,
                                                  std::strerror(error));
    if (problem == std::exchange(sync_problem_, problem) || problem.empty()) return;
    tell(Severity::warning, NoteKind::server_refused, "", problem, turn);
}

} // namespace holdfast::engine
